"""The moving average of a model's weights, for validation and export."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import tensorflow as tf


class WeightAverage(tf.Module):
    """``a <- a + (1 - d) (x - a)`` after each step, d = min(decay, (1 + t) / (10 + t)) after t steps.

    Polyak & Juditsky 1992, in its exponential form; the smaller d of the first steps, as in TensorFlow's
    ``ExponentialMovingAverage``, lets go of the initial weights. One more copy of every variable, tables too, and
    a pass over all of them each step.
    """

    def __init__(self, variables: Sequence[tf.Variable], decay: float) -> None:
        super().__init__(name="weight_average")
        if not 0 < decay < 1:
            raise ValueError(f"decay must lie between 0 and 1, got {decay}")
        self.decay = decay
        self._of = tuple(variables)
        self.averages = [tf.Variable(variable, trainable=False, name="average") for variable in variables]

    def update(self, step: tf.Tensor) -> None:
        """Take in the present weights, which ``step`` steps before this one led to."""
        t = tf.cast(step, tf.float32)
        share = 1.0 - tf.minimum(self.decay, (1.0 + t) / (10.0 + t))
        for average, variable in zip(self.averages, self._of, strict=True):
            average.assign_add(share * (variable - average))

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The variables hold their averages while the block runs, and what they held before after it."""
        self._exchange()
        try:
            yield
        finally:
            self._exchange()

    def _exchange(self) -> None:
        for average, variable in zip(self.averages, self._of, strict=True):
            held = tf.identity(variable)
            variable.assign(average)
            average.assign(held)
