"""Label statistics computed before training: losses of constant predictions, and row overlap between tasks."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ranker.funnels import Funnel
from ranker.rank_losses import LISTS
from ranker.tasks import Task
from ranker.weighting import LabelFacts
from training.data.batches import EncodedRows
from training.data.listed_rows import pieces_of

Floats = NDArray[np.float64]


def label_facts(rows: EncodedRows, funnel: Funnel) -> LabelFacts:
    """Compute label facts in one pass over encoded rows, weighted as in the funnel's loss."""
    tasks = len(funnel.tasks)
    count, overlap = np.zeros(tasks), np.zeros((tasks, tasks))
    sums: list[Floats | float] = [0.0] * tasks
    for labels, known, *own in rows.columns("labels", "known", "weights"):
        weights = np.prod([known, *own], axis=0, dtype=np.float64)
        moments = _moments(funnel.kinds, labels, weights)
        counted = np.stack([funnel.counted(labels, weights, task) for task in range(tasks)], axis=1)
        count += counted.sum(axis=0)
        sums = [before + (counted[:, task, None] * moments[task]).sum(axis=0) for task, before in enumerate(sums)]
        present = (counted > 0).astype(np.float64)
        overlap += present.T @ present
    mass, tied = np.where(count > 0, count, 1.0), _tied_losses(rows, funnel)
    constant: list[float] = []
    untrained: list[float] = []
    for task, kind in enumerate(funnel.kinds):
        means, share = np.asarray(sums[task] / mass[task]).tolist(), kind.list_share
        of_lists = share * float(tied[task])
        constant.append((1.0 - share) * kind.constant_loss(means) + of_lists)
        untrained.append((1.0 - share) * kind.untrained_loss(means, funnel.untrained(task)) + of_lists)
    return LabelFacts(constant, untrained, overlap.astype(np.int64).tolist())


def _tied_losses(rows: EncodedRows, funnel: Funnel) -> Floats:
    """List loss of each task [T] if all logits are equal, which is that of a constant prediction; 0 without one."""
    losses = [kind.list_loss() for kind in funnel.kinds]
    means, totals = np.zeros(len(losses)), np.zeros((2, len(losses)))
    if not any(losses):
        return means
    arrays = ("labels", "known", LISTS, "weights")
    for chunk in rows.columns(*arrays):
        for piece in pieces_of(dict(zip(arrays, chunk, strict=False))):
            labels, keys = piece["labels"], tf.constant(piece[LISTS])
            weights = piece["known"] * piece.get("weights", np.float32(1.0))
            ties = tf.zeros(len(labels))
            for task, (kind, loss) in enumerate(zip(funnel.kinds, losses, strict=True)):
                if loss is None:
                    continue
                counted = tf.constant(funnel.counted(labels, weights, task))
                grades, extra = kind.grades(tf.constant(labels[:, task])), ties if loss.extra_head else None
                of_lists = loss.loss(keys, ties, grades, counted, extra)
                totals[:, task] += float(tf.reduce_sum(counted)) * np.array([float(of_lists), 1.0])
    np.divide(totals[0], totals[1], out=means, where=totals[1] > 0)
    return means


def _moments(kinds: Sequence[Task], labels: NDArray[np.float32], weights: Floats) -> list[Floats]:
    """Moments [N, M] of each task's labels; multiplies ``weights`` [N, T] in place by the tasks' loss weights."""
    moments = []
    for task, kind in enumerate(kinds):
        label = tf.constant(labels[:, task], tf.float64)
        moments.append(kind.moments(label).numpy())
        counts = kind.loss_weights(label)
        if counts is not None:
            weights[:, task] *= counts.numpy()
    return moments
