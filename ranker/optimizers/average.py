"""Moving average of a model's weights, for validation and export."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import tensorflow as tf


class WeightAverage(tf.Module):
    """``a <- a + (1 - d) (x - a)`` after each step, d = min(decay, (1 + t) / (10 + t)) after t steps.

    Polyak & Juditsky 1992, in exponential form. The smaller d in the first steps, as in TensorFlow's
    ``ExponentialMovingAverage``, forgets the initial weights. It costs another copy of every variable, including
    tables, and a pass over all of them in each step.
    """

    def __init__(self, variables: Sequence[tf.Variable], decay: float) -> None:
        super().__init__(name="weight_average")
        if not 0 < decay < 1:
            raise ValueError(f"decay must lie between 0 and 1, got {decay}")
        self.decay = decay
        self._of = tuple(variables)
        self.averages = [tf.Variable(variable, trainable=False, name="average") for variable in variables]

    def update(self, step: tf.Tensor) -> None:
        """Add the current weights to the average; ``step`` counts the steps before this one."""
        t = tf.cast(step, tf.float32)
        share = 1.0 - tf.minimum(self.decay, (1.0 + t) / (10.0 + t))
        for average, variable in zip(self.averages, self._of, strict=True):
            average.assign_add(share * (variable - average))

    def restart(self) -> None:
        """Start the average again from the current weights."""
        for average, variable in zip(self.averages, self._of, strict=True):
            average.assign(variable)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Swap the averages into the variables inside the ``with`` block, and restore them afterwards."""
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
