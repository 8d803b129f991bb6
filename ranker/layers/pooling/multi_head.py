"""Multi-head target attention."""

from __future__ import annotations

from ranker.encoding.layout import IdField
from ranker.layers.pooling.base import POOLINGS, Pooling
from ranker.lazy_tensorflow import tf


@POOLINGS.register("multi_head")
class MultiHead(Pooling):
    """The target attends to the list with several heads of scaled dot products. Vaswani et al., NeurIPS 2017.

    Keys and values are computed once per request, scores and weighted sums per candidate. An empty list gives zeros.
    """

    def __init__(self, field: IdField, name: str) -> None:
        super().__init__(field, name)
        self.heads = field.heads

    def build(self, shape: tf.TensorShape) -> None:
        """Create projections [D, heads * size] of target, keys and values, and the output's [heads * size, D]."""
        width = int(shape[-1])
        self.size = -(-width // self.heads)
        inner = self.heads * self.size
        self.kernels = {
            part: self.add_weight(name=part, shape=(width, inner), initializer="glorot_uniform")
            for part in ("target", "key", "value")
        }
        self.out = self.add_weight(name="out", shape=(inner, width), initializer="glorot_uniform")
        super().build(shape)

    def call(self, rows: tf.Tensor, mask: tf.Tensor, target: tf.Tensor | None = None) -> tf.Tensor:
        """Pool rows [B or 1, L, D], with mask [B or 1, L, 1] and target [B, D], to [B, D]."""
        queries = tf.reshape(tf.matmul(target, self.kernels["target"]), [-1, 1, self.heads, self.size])
        keys = self._split(tf.matmul(rows, self.kernels["key"]))
        values = self._split(tf.matmul(rows, self.kernels["value"]))
        scores = tf.reduce_sum(queries * keys, axis=3) / self.size**0.5  # [B, L, heads]
        weights = tf.nn.softmax(scores + (mask - 1.0) * 1e9, axis=1) * mask
        mixed = tf.reduce_sum(weights[:, :, :, None] * values, axis=1)  # [B, heads, size]
        return tf.matmul(tf.reshape(mixed, [-1, self.heads * self.size]), self.out)

    def _split(self, rows: tf.Tensor) -> tf.Tensor:
        return tf.reshape(rows, [-1, self.field.length, self.heads, self.size])
