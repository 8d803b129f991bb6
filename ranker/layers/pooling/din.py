"""Deep interest network's target attention."""

from __future__ import annotations

from ranker.encoding.layout import IdField
from ranker.layers.pooling.base import POOLINGS, Pooling
from ranker.lazy_tensorflow import tf


@POOLINGS.register("din")
class DIN(Pooling):
    """``sum_l a(k_l, q) k_l``, where a is a small network of key, target and their product. Zhou et al., KDD 2018.

    As in the paper, the weights are not normalised, which preserves the intensity of interest in the target. The first
    layer is linear in key and target separately, so the key's part is computed once per request. The product and all
    later layers are computed for each candidate and list position.
    """

    def __init__(self, field: IdField, name: str) -> None:
        super().__init__(field, name)
        self.hidden = 32

    def build(self, shape: tf.TensorShape) -> None:
        """Create kernels of key, target and product, each [D, hidden], and of the output [hidden, 1]."""
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
        """Pool rows [B or 1, L, D], with mask [B or 1, L, 1] and target [B, D], to [B, D]."""
        assert target is not None
        query = target[:, None, :]
        hidden = tf.matmul(rows, self.kernels["key"]) + self.bias + tf.matmul(query, self.kernels["target"])
        hidden = tf.nn.sigmoid(hidden + tf.matmul(rows * query, self.kernels["product"]))
        weights = tf.matmul(hidden, self.out) * mask
        return tf.reduce_sum(weights * rows, axis=1)
