"""Deep interest network's target attention."""

from __future__ import annotations

from ranker.encoding.layout import IdField
from ranker.layers.pooling.base import POOLINGS, Pooling
from ranker.lazy_tensorflow import tf


@POOLINGS.register("din")
class DIN(Pooling):
    """``sum_l a(k_l, q) k_l`` with a small network a of key, target and their product. Zhou et al., KDD 2018.

    As in the paper the weights are not normalised, so that how much of the list resembles the target is kept. The
    network's first layer is linear in key and target apart, so the key's share is computed once a request; what reads
    their product, and all behind it, is computed for each candidate and each place in the list.
    """

    def __init__(self, field: IdField, name: str) -> None:
        super().__init__(field, name)
        self.hidden = 32

    def build(self, shape: tf.TensorShape) -> None:
        """Kernels for key, target and product, each [D, hidden], and the output's [hidden, 1]."""
        width = int(shape[-1])
        limit = (6.0 / (3 * width + self.hidden)) ** 0.5
        self.kernels = {
            part: self.add_weight(
                name=part,
                shape=(width, self.hidden),
                initializer=tf.keras.initializers.RandomUniform(-limit, limit),
            )
            for part in ("key", "target", "product")
        }
        self.bias = self.add_weight(name="bias", shape=(self.hidden,), initializer="zeros")
        self.out = self.add_weight(name="out", shape=(self.hidden, 1), initializer="glorot_uniform")
        super().build(shape)

    def call(self, rows: tf.Tensor, mask: tf.Tensor, target: tf.Tensor | None = None) -> tf.Tensor:
        """Rows [B or 1, L, D], mask [B or 1, L, 1] and target [B, D] to [B, D]."""
        assert target is not None
        query = target[:, None, :]
        hidden = tf.matmul(rows, self.kernels["key"]) + self.bias + tf.matmul(query, self.kernels["target"])
        hidden = tf.nn.sigmoid(hidden + tf.matmul(rows * query, self.kernels["product"]))
        weights = tf.matmul(hidden, self.out) * mask
        return tf.reduce_sum(weights * rows, axis=1)
