"""What the training rows' labels say before any training: losses of constant predictions, rows that tasks share."""

import numpy as np
from numpy.typing import NDArray

from ranker.funnels import Funnel
from ranker.schema import Binary, Regression
from ranker.weighting import LabelFacts
from training.data.encoded_rows import EncodedRows


def label_facts(rows: EncodedRows, funnel: Funnel) -> LabelFacts:
    """One pass over the labels of encoded rows; a row counts for a task as it does in the funnel's loss."""
    tasks = len(funnel.tasks)
    count, total, squares = np.zeros(tasks), np.zeros(tasks), np.zeros(tasks)
    overlap = np.zeros((tasks, tasks))
    for labels, known, *own in rows.columns("labels", "known", "weights"):
        weights = np.prod([known, *own], axis=0, dtype=np.float64)
        values = np.empty(labels.shape)
        for i, kind in enumerate(funnel.kinds):
            values[:, i], times = _target(kind, labels[:, i].astype(np.float64))
            weights[:, i] *= times
        counted = np.stack([funnel.counted(labels, weights, task) for task in range(tasks)], axis=1)
        count += counted.sum(axis=0)
        total += (counted * values).sum(axis=0)
        squares += (counted * values**2).sum(axis=0)
        present = (counted > 0).astype(np.float64)
        overlap += present.T @ present
    mass = np.where(count > 0, count, 1.0)
    mean, square = total / mass, squares / mass
    constant, untrained = [], []
    for task, kind in enumerate(funnel.kinds):
        if isinstance(kind, Binary):
            constant.append(_cross_entropy(mean[task], mean[task]))
            untrained.append(_cross_entropy(mean[task], funnel.untrained(task)))
        elif kind.weighted_logistic:  # a cross-entropy whose positives weigh what the label says
            constant.append(_cross_entropy(mean[task], mean[task]))
            untrained.append(_cross_entropy(mean[task], 0.5))
        else:
            constant.append(_error(kind, float(square[task] - mean[task] ** 2)))
            untrained.append(_error(kind, float(square[task])))
    return LabelFacts(constant, untrained, overlap.astype(np.int64).tolist())


def _target(kind: Binary | Regression, label: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What a row's loss compares with, and how many rows it counts as."""
    once = np.ones_like(label)
    if isinstance(kind, Regression) and kind.weighted_logistic:
        negatives = once if kind.negatives == "every_row" else (label == 0).astype(np.float64)
        return label / (label + negatives), label + negatives
    return (np.log1p(label) if isinstance(kind, Regression) and kind.transform == "log1p" else label), once


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
