"""A gate: which experts to listen to, for each row."""

from collections.abc import Sequence

import tensorflow as tf

from ranker.layers.expert import Expert
from ranker.layers.sides import Sides
from ranker.layers.split_dense import SplitDense, together


class Gate(tf.keras.layers.Layer):
    """Softmax weights over experts, and the experts' weighted sum. Jacobs et al., Neural Computation 1991.

    ``hidden`` adds dense layers before the softmax: a deeper gate.
    """

    def __init__(
        self, experts: int, hidden: Sequence[int] = (), activation: str = "relu", name: str | None = None
    ) -> None:
        if experts < 1:
            raise ValueError(f"experts must be at least 1, got {experts}")
        super().__init__(name=name)
        self.experts, self.hidden, self.activation = experts, tuple(hidden), activation
        self.stack = Expert(self.hidden, activation, name="hidden") if self.hidden else None
        self.project = SplitDense(experts, name="project")

    def weights_of(self, inputs: Sides | tf.Tensor) -> tf.Tensor:
        """Weights [B, K], each row summing to 1."""
        hidden = inputs if self.stack is None else self.stack(inputs)
        return tf.nn.softmax(self.project(hidden))

    def call(self, inputs: Sides | tf.Tensor, experts: Sequence[tf.Tensor]) -> tf.Tensor:
        """Mix K experts' outputs, each [B, H], into [B, H], by weights that read ``inputs``."""
        return self.mix(self.weights_of(inputs), experts)

    def mix(self, weights: tf.Tensor, experts: Sequence[tf.Tensor]) -> tf.Tensor:
        """Weighted sum of K experts' outputs, each [B, H]: weights [B, K] to [B, H]."""
        if len(experts) != self.experts:
            raise ValueError(f"this gate weighs {self.experts} experts, got {len(experts)}")
        return tf.add_n([weights[:, k : k + 1] * expert for k, expert in enumerate(experts)])

    def get_config(self) -> dict[str, object]:
        """Return the constructor's arguments."""
        return {"experts": self.experts, "hidden": self.hidden, "activation": self.activation, "name": self.name}


def gate_weights(gates: Sequence[Gate], inputs: Sequence[Sides | tf.Tensor]) -> list[tf.Tensor]:
    """Weights [B, K] of several gates, each of its own input; gates of the same sides share their products."""
    first = inputs[0]
    if isinstance(first, Sides) and all(x is first for x in inputs) and all(gate.stack is None for gate in gates):
        return [tf.nn.softmax(logits) for logits in together([gate.project for gate in gates], first)]
    return [gate.weights_of(x) for gate, x in zip(gates, inputs, strict=True)]
