"""One-gate mixture of experts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from ranker.architectures.base import ARCHITECTURES, Architecture
from ranker.architectures.parts import ExpertOptions, TowerHead, make_experts, numbered, run
from ranker.layers import Gate, Sides
from ranker.lazy_tensorflow import Layer, tf


@ARCHITECTURES.register("omoe")
class OMoE(Architecture):
    """A single gate mixes the experts for all tasks: the baseline OMoE of Ma et al., KDD 2018."""

    class Options(ExpertOptions):
        """Number of experts."""

        name: Literal["omoe"] = "omoe"
        experts: int = Field(4, ge=1, le=256, description="Number of experts.")

    options: Options

    def __init__(self, tasks: Sequence[str], options: Options | None = None) -> None:
        super().__init__(tasks, options)
        self.trunk = _Mixture(self.options)
        self.heads = [TowerHead(self.options, 0, name=f"head_{task}") for task in self.tasks]


class _Mixture(Layer):
    def __init__(self, options: OMoE.Options) -> None:
        super().__init__(name="trunk")
        names = numbered("shared", options.experts)
        self.experts = make_experts(options, names)
        self.gate = Gate(names, options.gate, options.activation, name="gate")

    def call(self, sides: Sides, training: bool = False) -> list[tf.Tensor]:
        return [self.gate(sides, run(self.experts, sides, training), training=training)]
