"""Sequential pairwise gradient corrections, computed on task weights and averaged over all orders."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from math import factorial
from typing import TypeAlias

import numpy as np

from ranker.lazy_tensorflow import tf

ALL_ORDERS = 7
"""Up to this number of tasks all orders are averaged; above it, only cyclic ones."""

Change: TypeAlias = Callable[["tf.Tensor", "tf.Tensor", "tf.Tensor", int, "tf.Tensor"], "tf.Tensor"]
"""Maps inner products of a task's current gradient with the others', both norms, the task and the others, each [P], to
coefficients [P] of the others' gradients to add."""


def in_turn(gramian: tf.Tensor, change: Change) -> tf.Tensor:
    """Correct each task's gradient by the others in sequence; return weights [T] of the sum."""
    tasks = gramian.shape[0]
    norms = tf.sqrt(tf.linalg.diag_part(gramian))
    total = tf.zeros([tasks], tf.float64)
    for task in range(tasks):
        orders = _orders([other for other in range(tasks) if other != task])
        mix = tf.one_hot([task] * len(orders), tasks, dtype=tf.float64)  # [P, T]: the current gradient
        for place in range(tasks - 1):
            others = tf.constant(orders[:, place])
            product = tf.linalg.matmul(mix, gramian)
            inner = tf.gather(product, others, batch_dims=1)
            own = tf.sqrt(tf.maximum(tf.reduce_sum(product * mix, axis=1), 0.0))
            added = change(inner, own, tf.gather(norms, others), task, others)
            mix = mix + added[:, None] * tf.one_hot(others, tasks, dtype=tf.float64)
        total = total + tf.reduce_mean(mix, axis=0)
    return total


def _orders(others: list[int]) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    if len(others) < ALL_ORDERS:
        return np.array(list(permutations(others)), dtype=np.int64).reshape(factorial(len(others)), len(others))
    return np.array([others[i:] + others[:i] for i in range(len(others))], dtype=np.int64)
