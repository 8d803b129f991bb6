"""What the training rows' labels say before any training: losses of constant predictions, rows that tasks share."""

import numpy as np
from numpy.typing import NDArray

from ranker.funnels import Funnel
from ranker.schema import Binary, Regression
from ranker.weighting import LabelFacts
from training.encoded import EncodedRows


def label_facts(rows: EncodedRows, funnel: Funnel) -> LabelFacts:
    """One pass over the labels of encoded rows; a row counts for a task where it counts in the funnel's loss."""
    tasks = len(funnel.tasks)
    count, total, squares = np.zeros(tasks), np.zeros(tasks), np.zeros(tasks)
    overlap = np.zeros((tasks, tasks))
    for labels, known in rows.columns("labels", "known"):
        values = np.stack([_target(kind, labels[:, i]) for i, kind in enumerate(funnel.kinds)], axis=1)
        counted = np.stack([funnel.counted(labels, known, task) for task in range(tasks)], axis=1).astype(np.float64)
        count += counted.sum(axis=0)
        total += (counted * values).sum(axis=0)
        squares += (counted * values**2).sum(axis=0)
        overlap += counted.T @ counted
    rows_of = np.maximum(count, 1.0)
    mean, square = total / rows_of, squares / rows_of
    constant, untrained = [], []
    for task, kind in enumerate(funnel.kinds):
        if isinstance(kind, Binary):
            constant.append(_cross_entropy(mean[task], mean[task]))
            untrained.append(_cross_entropy(mean[task], funnel.untrained(task)))
        elif kind.weighted_logistic:  # a cross-entropy whose positives weigh what the label says
            share = mean[task] / (1.0 + mean[task])
            constant.append(_cross_entropy(share, share))
            untrained.append(_cross_entropy(share, 0.5))
        else:
            constant.append(_error(kind, float(square[task] - mean[task] ** 2)))
            untrained.append(_error(kind, float(square[task])))
    return LabelFacts(constant, untrained, overlap.astype(np.int64).tolist())


def _target(kind: Binary | Regression, label: NDArray[np.float32]) -> NDArray[np.float64]:
    values = label.astype(np.float64)
    return np.log1p(values) if isinstance(kind, Regression) and kind.transform == "log1p" else values


def _cross_entropy(share: float, predicted: float) -> float:
    if share in (0.0, 1.0) and predicted == share:
        return 0.0
    return float(-share * np.log(predicted) - (1.0 - share) * np.log1p(-predicted))


def _error(kind: Regression, square: float) -> float:
    """A loss of that mean square: exact for squared errors, Huber's where the root of the mean square is typical."""
    square = max(square, 0.0)
    if kind.loss == "huber":
        delta, root = kind.huber_delta, square**0.5
        return square / 2 if root <= delta else delta * (root - delta / 2)
    return square
