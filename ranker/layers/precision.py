"""Precision of the matrix products of dense layers, chosen for a training step without changing the model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal, TypeAlias

from ranker.lazy_tensorflow import tf

Precision: TypeAlias = Literal["float32", "bfloat16"]

NARROW = 8
"""Products with fewer output columns stay in float32: logits need the precision, and reading the inputs costs most."""

_PRECISION: ContextVar[Precision] = ContextVar("precision_of_products", default="float32")


@contextmanager
def products_in(precision: Precision) -> Iterator[None]:
    """Compute the products of dense layers that run inside the ``with`` block in this precision.

    Their gradients follow, also outside of the block. Variables, sums, activations, losses and gradients of variables
    stay in float32. Micikevicius et al., ICLR 2018; bfloat16 has float32's range, so losses need no scaling.
    """
    token = _PRECISION.set(precision)
    try:
        yield
    finally:
        _PRECISION.reset(token)


def product(rows: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """``rows @ kernel`` in float32, from factors rounded to the block's precision."""
    if _PRECISION.get() == "float32" or kernel.shape[-1] < NARROW:
        return tf.matmul(rows, kernel)
    return tf.cast(tf.matmul(tf.cast(rows, tf.bfloat16), tf.cast(kernel, tf.bfloat16)), tf.float32)
