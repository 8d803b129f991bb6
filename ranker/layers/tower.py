"""A tower: one task's hidden layers and its logit."""

from __future__ import annotations

from collections.abc import Sequence

from ranker.layers.expert import Expert
from ranker.layers.sides import Sides
from ranker.layers.split_dense import SplitDense
from ranker.lazy_tensorflow import Layer, tf


class Tower(Layer):
    """Dense layers of the given units (may be empty), and a linear output of one logit."""

    def __init__(
        self, units: Sequence[int], activation: str = "relu", dropout: float = 0.0, name: str | None = None
    ) -> None:
        super().__init__(name=name)
        self.units, self.activation, self.rate = tuple(units), activation, dropout
        self.stack = Expert(self.units, activation, dropout, name=f"{self.name}_hidden") if self.units else None
        self.output_layer = SplitDense(1, name="logit")

    def call(self, inputs: Sides | tf.Tensor, training: bool = False) -> tf.Tensor:
        """Map sides, or a tensor [B, D], to a logit [B, 1]."""
        hidden = inputs if self.stack is None else self.stack(inputs, training=training)
        return self.output_layer(hidden)

    def get_config(self) -> dict[str, object]:
        """Return the constructor's arguments."""
        return {"units": self.units, "activation": self.activation, "dropout": self.rate, "name": self.name}
