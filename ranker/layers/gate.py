"""A gate: which experts to listen to, for each row."""

from collections.abc import Sequence

import tensorflow as tf

from ranker.layers.expert import Expert
from ranker.layers.sides import Sides
from ranker.layers.split_dense import SplitDense


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
        if len(experts) != self.experts:
            raise ValueError(f"this gate weighs {self.experts} experts, got {len(experts)}")
        weights = self.weights_of(inputs)
        return tf.add_n([weights[:, k : k + 1] * expert for k, expert in enumerate(experts)])

    def get_config(self) -> dict[str, object]:
        """Return the constructor's arguments."""
        return {"experts": self.experts, "hidden": self.hidden, "activation": self.activation, "name": self.name}
