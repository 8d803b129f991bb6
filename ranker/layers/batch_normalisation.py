"""Batch normalisation by the statistics of the whole batch, also if replicas share it."""

from __future__ import annotations

from ranker import replicas
from ranker.lazy_tensorflow import Layer, tf


class BatchNormalisation(Layer):
    """``gamma (x - mean) / sqrt(variance + epsilon) + beta``. Ioffe & Szegedy, ICML 2015.

    Mean and variance are those of the batch in training, and else their running means. Keras' layer computes the same
    on one replica; on several, those of a replica's share, or with ``synchronized`` variances that cancel.
    """

    def __init__(self, momentum: float = 0.99, epsilon: float = 1e-3, name: str = "normalise") -> None:
        super().__init__(name=name)
        self.momentum, self.epsilon = momentum, epsilon

    def build(self, shape: tf.TensorShape) -> None:
        """Create scale, shift and the running means."""
        width = int(shape[-1])
        self.gamma = self.add_weight("gamma", (width,), initializer="ones")
        self.beta = self.add_weight("beta", (width,), initializer="zeros")
        self.moving_mean = self.add_weight("moving_mean", (width,), initializer="zeros", trainable=False)
        self.moving_variance = self.add_weight("moving_variance", (width,), initializer="ones", trainable=False)
        super().build(shape)

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Map [B, D] to [B, D]."""
        mean, variance = self.moving_mean, self.moving_variance
        if training:
            mean, variance = _moments(inputs)
            for running, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
                running.assign_sub((running - value) * (1.0 - self.momentum))
        return tf.nn.batch_normalization(inputs, mean, variance, self.beta, self.gamma, self.epsilon)

    def get_config(self) -> dict[str, object]:
        """Return the constructor's arguments."""
        return {"momentum": self.momentum, "epsilon": self.epsilon, "name": self.name}


def _moments(inputs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Mean and variance [D] of the rows [B, D] of all replicas."""
    if replicas.count() == 1:
        mean, variance = tf.nn.moments(inputs, [0])
        return mean, variance
    rows = tf.fill([1], tf.cast(tf.shape(inputs)[0], inputs.dtype))
    sums = replicas.summed(tf.concat([tf.reduce_sum(inputs, axis=0), rows], axis=0))
    mean, rows = sums[:-1] / sums[-1], tf.stop_gradient(sums[-1])
    # The gradient of the variance through the mean is 0, since deviations sum to 0.
    squares = tf.reduce_sum(tf.math.squared_difference(inputs, tf.stop_gradient(mean)), axis=0)
    return mean, replicas.summed(squares) / rows
