"""Sum and mean pooling."""

from __future__ import annotations

from ranker.layers.pooling.base import POOLINGS, Pooling
from ranker.lazy_tensorflow import tf


@POOLINGS.register("sum")
class Sum(Pooling):
    """Sum over entries that are not padding."""

    def call(self, rows: tf.Tensor, mask: tf.Tensor, target: tf.Tensor | None = None) -> tf.Tensor:
        """Pool rows [B, L, D] with mask [B, L, 1] to [B, D]."""
        del target
        return tf.reduce_sum(rows * mask, axis=1)


@POOLINGS.register("mean")
class Mean(Pooling):
    """Mean over entries that are not padding; zeros for an empty list."""

    def call(self, rows: tf.Tensor, mask: tf.Tensor, target: tf.Tensor | None = None) -> tf.Tensor:
        """Pool rows [B, L, D] with mask [B, L, 1] to [B, D]."""
        del target
        return tf.reduce_sum(rows * mask, axis=1) / tf.maximum(tf.reduce_sum(mask, axis=1), 1.0)
