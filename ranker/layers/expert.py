"""An expert: a stack of dense layers; the first takes both sides."""

from __future__ import annotations

from collections.abc import Sequence

from ranker.layers.dropout import Dropout
from ranker.layers.sides import Sides
from ranker.layers.split_dense import SplitDense
from ranker.lazy_tensorflow import Layer, tf


class Expert(Layer):
    """Dense layers of the given units, each with an activation and dropout."""

    def __init__(
        self, units: Sequence[int], activation: str = "relu", dropout: float = 0.0, name: str | None = None
    ) -> None:
        if not units:
            raise ValueError("units must name at least one layer, got none")
        super().__init__(name=name)
        self.units, self.activation, self.rate = tuple(units), activation, dropout
        self.stack = [SplitDense(n, activation, name=f"dense_{i}") for i, n in enumerate(self.units)]
        self.dropouts = [Dropout(dropout, name=f"{self.name}_dropout_{i}") for i in range(len(units)) if dropout]

    def call(self, inputs: Sides | tf.Tensor, training: bool = False) -> tf.Tensor:
        """Map sides, or a tensor [B, D], to [B, units[-1]]."""
        hidden = inputs
        for i, dense in enumerate(self.stack):
            hidden = dense(hidden)
            if self.dropouts:
                hidden = self.dropouts[i](hidden, training=training)
        return hidden

    def get_config(self) -> dict[str, object]:
        """Return the constructor's arguments."""
        return {"units": self.units, "activation": self.activation, "dropout": self.rate, "name": self.name}
