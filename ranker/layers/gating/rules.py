"""Registry, by config name, of functions from a gate's linear outputs to weights over experts."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ranker.lazy_tensorflow import tf


class Rule(NamedTuple):
    """``width(K, k)``: number of linear outputs for K experts. ``weights(outputs [B, width], K, k)``: weights [B, K].

    The weights of a row sum to 1.
    """

    width: Callable[[int, int], int]
    weights: Callable[[tf.Tensor, int, int], tf.Tensor]
    scale: float = 1.0
    """Scale of the initial kernel."""


def softmax(logits: tf.Tensor, experts: int, k: int) -> tf.Tensor:
    """Weights [B, K] from logits [B, K]. Jacobs et al., Neural Computation 1991."""
    del experts, k
    return tf.nn.softmax(logits)


def top_k(logits: tf.Tensor, experts: int, k: int) -> tf.Tensor:
    """Softmax over the k largest logits of each row, exactly 0 for the others. Shazeer et al., ICLR 2017.

    Experts tied for the k-th place are all kept.
    """
    if k >= experts:
        return tf.nn.softmax(logits)
    least = tf.math.top_k(logits, k).values[:, -1:]
    return tf.nn.softmax(tf.where(logits >= least, logits, tf.fill(tf.shape(logits), -1e9)))


def dselect_k(outputs: tf.Tensor, experts: int, k: int) -> tf.Tensor:
    """DSelect-k: k selectors, each a differentiable binary code of one expert. Hazimeh et al., NeurIPS 2021.

    With m = ceil(log2 K), the outputs [B, k m + k] hold k m code bits before the smooth step, then k logits of the
    selectors' weights. If K is not a power of two, codes are taken modulo K, so that every code names an expert and no
    mass is lost; the paper instead penalises codes without an expert.
    """
    bits = _bits(experts)
    codes = np.arange(2**bits)
    is_one = tf.constant((codes[:, None] >> np.arange(bits)) & 1, tf.float32)  # [codes, bits]
    stepped = smooth_step(tf.reshape(outputs[:, : k * bits], [-1, k, 1, bits]))
    of_code = tf.reduce_prod(is_one * stepped + (1.0 - is_one) * (1.0 - stepped), axis=3)  # [B, k, codes]
    shares = tf.nn.softmax(outputs[:, k * bits :])
    mass = tf.reduce_sum(shares[:, :, None] * of_code, axis=1)  # [B, codes]
    to_expert = tf.constant(codes[:, None] % experts == np.arange(experts), tf.float32)
    return tf.matmul(mass, to_expert)


def smooth_step(x: tf.Tensor, width: float = 1.0) -> tf.Tensor:
    """0 below ``-width / 2``, 1 above ``width / 2``, and a smooth cubic between."""
    inside = -2.0 / width**3 * x**3 + 3.0 / (2.0 * width) * x + 0.5
    return tf.where(x <= -width / 2, tf.zeros_like(x), tf.where(x >= width / 2, tf.ones_like(x), inside))


def _bits(experts: int) -> int:
    return max(1, math.ceil(math.log2(experts)))


RULES = {
    "softmax": Rule(lambda experts, _: experts, softmax),
    "top_k": Rule(lambda experts, _: experts, top_k),
    # Start near 0, where the smooth step is steep: with a usual scale most bits would saturate at 0 or 1.
    "dselect_k": Rule(lambda experts, k: k * _bits(experts) + k, dselect_k, scale=0.01),
}
