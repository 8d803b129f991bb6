"""Projecting conflicting gradients."""

from itertools import permutations
from math import factorial
from typing import Literal

import numpy as np
import tensorflow as tf

from ranker.weighting.base import WEIGHTINGS, GradientBalancer, GradientOptions
from ranker.weighting.programmes import scaled

ALL_ORDERS = 7
"""Up to so many tasks every order of projection is tried; beyond, each task in turn goes first."""


@WEIGHTINGS.register("pcgrad")
class PCGrad(GradientBalancer):
    """Each gradient loses what opposes the others, one after another; the step is the sum. Yu et al., NeurIPS 2020.

    The paper draws the order of the others at random in each step. Ours takes the mean over all orders, which is
    what its steps are on average, without their noise.
    """

    class Options(GradientOptions):
        """Nothing more to set."""

        name: Literal["pcgrad"] = "pcgrad"

    def weights(self, losses: tf.Tensor, gramian: tf.Tensor) -> tf.Tensor:
        """Weights [T], each at least 1."""
        gramian, tasks = scaled(gramian), gramian.shape[0]
        total = tf.zeros([tasks], tf.float64)
        for task in range(tasks):
            orders = _orders([other for other in range(tasks) if other != task])
            mix = tf.one_hot([task] * len(orders), tasks, dtype=tf.float64)  # [P, T]: the gradient so far
            for place in range(tasks - 1):
                against = tf.gather(gramian, orders[:, place])
                inner = tf.reduce_sum(mix * against, axis=1)
                norm = tf.gather(tf.linalg.diag_part(gramian), orders[:, place])
                lost = tf.math.divide_no_nan(tf.nn.relu(-inner), norm)
                mix = mix + lost[:, None] * tf.one_hot(orders[:, place], tasks, dtype=tf.float64)
            total = total + tf.reduce_mean(mix, axis=0)
        return tf.cast(total, losses.dtype)


def _orders(others: list[int]) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    if len(others) < ALL_ORDERS:
        return np.array(list(permutations(others)), dtype=np.int64).reshape(factorial(len(others)), len(others))
    return np.array([others[i:] + others[:i] for i in range(len(others))], dtype=np.int64)
