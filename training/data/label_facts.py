"""Label statistics computed before training: losses of constant predictions, and row overlap between tasks."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ranker.funnels import Funnel
from ranker.tasks import Task
from ranker.weighting import LabelFacts
from training.data.batches import EncodedRows

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
    mass = np.where(count > 0, count, 1.0)
    constant, untrained = [], []
    for task, kind in enumerate(funnel.kinds):
        means = np.asarray(sums[task] / mass[task]).tolist()
        constant.append(kind.constant_loss(means))
        untrained.append(kind.untrained_loss(means, funnel.untrained(task)))
    return LabelFacts(constant, untrained, overlap.astype(np.int64).tolist())


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
