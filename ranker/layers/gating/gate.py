"""A gate: per-row weights over experts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from ranker.config.closed import Closed
from ranker.layers.dropout import Draws
from ranker.layers.expert import Expert
from ranker.layers.gating.rules import RULES
from ranker.layers.gating.watch import GateReading, tell
from ranker.layers.sides import Sides
from ranker.layers.split_dense import SplitDense, together
from ranker.lazy_tensorflow import Layer, tf


class GateOptions(Closed):
    """Options of an architecture's gates."""

    kind: Literal["softmax", "top_k", "dselect_k"] = Field(
        "softmax", description="softmax: all experts. top_k: only the k largest. dselect_k: k, differentiably."
    )
    units: tuple[int, ...] = Field((), description="Units of the gate's hidden layers; none by default.")
    temperature: float = Field(1.0, gt=0, description="Divides the logits; above 1 flattens the weights.")
    dropout: float = Field(0.0, ge=0, lt=1, description="Fraction of experts dropped per row in training.")
    k: int = Field(2, ge=1, description="Experts used per row, for top_k and dselect_k.")


class Gate(Layer):
    """Weights over named experts, and the experts' weighted sum. Jacobs et al., Neural Computation 1991.

    The weights of a row always sum to 1. Dropout removes whole experts from a row's mix and rescales the rest to sum
    to 1 (Zhao et al., RecSys 2019); if it would remove all experts, all stay.
    """

    def __init__(
        self, experts: Sequence[str], options: GateOptions, activation: str = "relu", name: str = "gate"
    ) -> None:
        if not experts:
            raise ValueError("experts must name at least one, got none")
        super().__init__(name=name)
        self.experts, self.options, self.activation = tuple(experts), options, activation
        self.stack = Expert(options.units, activation, name=f"{name}_hidden") if options.units else None
        self._rule = RULES[options.kind]
        width = self._rule.width(len(self.experts), options.k)
        self.project = SplitDense(width, name="project", scale=self._rule.scale)
        self.dropout = _ExpertDropout(options.dropout, name=f"{name}_dropout") if options.dropout else None

    def weights_of(self, inputs: Sides | tf.Tensor, training: bool = False) -> tf.Tensor:
        """Weights [B, K]; each row sums to 1."""
        hidden = inputs if self.stack is None else self.stack(inputs, training=training)
        return self.weights_from(self.project(hidden), training)

    def weights_from(self, outputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Weights [B, K] from the linear outputs of ``project``."""
        weights = self._rule.weights(outputs / self.options.temperature, len(self.experts), self.options.k)
        return weights if self.dropout is None else self.dropout(weights, training=training)

    def call(self, inputs: Sides | tf.Tensor, experts: Sequence[tf.Tensor], training: bool = False) -> tf.Tensor:
        """Mix the outputs of K experts, each [B, H], into [B, H], with weights computed from ``inputs``."""
        return self.mix(self.weights_of(inputs, training), experts)

    def mix(self, weights: tf.Tensor, experts: Sequence[tf.Tensor]) -> tf.Tensor:
        """Weighted sum [B, H] of the outputs of K experts, each [B, H], with weights [B, K]."""
        if len(experts) != len(self.experts):
            raise ValueError(f"this gate weighs {len(self.experts)} experts, got {len(experts)}")
        tell(GateReading(self.name, self.experts, weights, experts))
        shares = tf.split(weights, len(experts), axis=1)  # one operation; slicing would take one per expert
        return tf.add_n([share * expert for share, expert in zip(shares, experts, strict=True)])

    def get_config(self) -> dict[str, object]:
        """Return the constructor's arguments."""
        return {"experts": self.experts, "options": self.options, "activation": self.activation, "name": self.name}


class _ExpertDropout(Draws):
    def call(self, weights: tf.Tensor, training: bool = False) -> tf.Tensor:
        if not training:
            return weights
        keep = tf.random.stateless_uniform(tf.shape(weights), seed=self.next_seed()) >= self.rate
        kept = tf.where(keep, weights, tf.zeros_like(weights))
        total = tf.reduce_sum(kept, axis=1, keepdims=True)
        some = total > 0
        return tf.where(some, kept / tf.where(some, total, tf.ones_like(total)), weights)


def gate_weights(gates: Sequence[Gate], inputs: Sequence[Sides | tf.Tensor], training: bool = False) -> list[tf.Tensor]:
    """Weights [B, K] of several gates, each on its own input; gates on the same sides share a matrix product."""
    first = inputs[0]
    if isinstance(first, Sides) and all(x is first for x in inputs) and all(gate.stack is None for gate in gates):
        outputs = together([gate.project for gate in gates], first)
        return [gate.weights_from(output, training) for gate, output in zip(gates, outputs, strict=True)]
    return [gate.weights_of(x, training) for gate, x in zip(gates, inputs, strict=True)]
