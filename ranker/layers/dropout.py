"""Dropout whose random state is checkpointed, so that a resumed run draws the same masks."""

from __future__ import annotations

import zlib

from ranker import replicas
from ranker.lazy_tensorflow import Layer, tf


class Draws(Layer):
    """A stream of seeds made from the layer's name and a counter of training steps saved with the weights."""

    def __init__(self, rate: float, name: str | None = None) -> None:
        if not 0 <= rate < 1:
            raise ValueError(f"rate must be in [0, 1), got {rate}")
        super().__init__(name=name)
        self.rate = rate

    def build(self, shape: object) -> None:
        """Create the counter."""
        self.counter = self.add_weight(name="draws", shape=(), dtype=tf.int64, initializer="zeros", trainable=False)
        super().build(shape)

    def next_seed(self) -> tf.Tensor:
        """Return a fresh seed [2], another one for each replica, and advance the counter."""
        base = tf.constant(zlib.crc32(self.name.encode()), tf.int64)  # below 2^32
        own = base if replicas.count() == 1 else base + replicas.number() * 2**32
        return tf.stack([own, self.counter.assign_add(1)])

    def get_config(self) -> dict[str, object]:
        """Return the constructor's arguments."""
        return {"rate": self.rate, "name": self.name}


class Dropout(Draws):
    """Zero a fraction of the inputs in training and scale up the rest. Srivastava et al., JMLR 2014."""

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Drop from inputs of any shape; return them unchanged outside training."""
        if not training or self.rate == 0:
            return inputs
        return tf.nn.experimental.stateless_dropout(inputs, self.rate, seed=self.next_seed())


class IdDropout(Draws):
    """Replace a fraction of ids by the unknown id 1 in training.

    This trains each table's row for unseen ids, and keeps the network from relying on ids that may later be unknown.
    Missing ids (0) stay.
    """

    def call(self, ids: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Ids [B, L] of one side."""
        if not training or self.rate == 0:
            return ids
        drawn = tf.random.stateless_uniform(tf.shape(ids), seed=self.next_seed()) < self.rate
        return tf.where(drawn & (ids > 1), tf.ones_like(ids), ids)
