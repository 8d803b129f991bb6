"""Multi-gate mixture of experts."""

from collections.abc import Sequence
from typing import Literal

import tensorflow as tf
from pydantic import Field

from ranker.architectures.base import ARCHITECTURES, Architecture, ArchitectureOptions, Head, Units
from ranker.layers import Expert, Gate, Sides, Tower


@ARCHITECTURES.register("mmoe")
class MMoE(Architecture):
    """All experts are shared; each task mixes them by its own gate. Ma et al., KDD 2018."""

    class Options(ArchitectureOptions):
        """Number and units of the experts, and of the gates' hidden layers."""

        name: Literal["mmoe"] = "mmoe"
        experts: int = Field(4, ge=1, le=256, description="Number of experts.")
        expert_units: Units = Field((256, 128), min_length=1, description="Units of each expert's layers.")
        gate_units: Units = Field((), description="Units of each gate's hidden layers; none by default.")

    options: Options

    def __init__(self, tasks: Sequence[str], options: Options | None = None) -> None:
        super().__init__(tasks, options)
        self.trunk = _Experts(self.options)
        self.heads = [_GatedHead(self.options, name=f"head_{task}") for task in self.tasks]


class _Experts(tf.keras.layers.Layer):
    """Sides to [context, candidate, expert 1, ..., expert K]: gates read the sides, so tasks share them too."""

    def __init__(self, options: MMoE.Options) -> None:
        super().__init__(name="trunk")
        self.experts = [
            Expert(options.expert_units, options.activation, options.dropout, name=f"expert_{i}")
            for i in range(options.experts)
        ]

    def call(self, sides: Sides, training: bool = False) -> list[tf.Tensor]:
        return [*sides, *(expert(sides, training=training) for expert in self.experts)]


class _GatedHead(Head):
    def __init__(self, options: MMoE.Options, name: str) -> None:
        super().__init__(name=name)
        self.gate = Gate(options.experts, options.gate_units, options.activation, name="gate")
        self.tower = Tower(options.towers, options.activation, options.dropout, name=f"{name}_tower")

    def call(self, shared: list[tf.Tensor], training: bool = False) -> tf.Tensor:
        mixed = self.gate(Sides(shared[0], shared[1]), shared[2:])
        return self.tower(mixed, training=training)
