"""Multi-level multi-gate mixture of experts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from ranker.architectures.base import ARCHITECTURES, Architecture
from ranker.architectures.parts import ExpertOptions, GatedHead, make_experts, numbered, run
from ranker.layers import Gate, Sides, gate_weights
from ranker.lazy_tensorflow import Layer, tf


@ARCHITECTURES.register("ml_mmoe")
class MLMMoE(Architecture):
    """Levels of shared experts: each expert gates the level below, each task gates the last level.

    The baseline ML-MMOE of Tang et al., "Progressive Layered Extraction", RecSys 2020. All gates read the inputs.
    """

    class Options(ExpertOptions):
        """Numbers of levels and of experts per level."""

        name: Literal["ml_mmoe"] = "ml_mmoe"
        levels: int = Field(2, ge=1, le=8, description="Levels of experts; 1 is MMoE.")
        experts: int = Field(4, ge=1, le=256, description="Number of experts per level.")

    options: Options

    def __init__(self, tasks: Sequence[str], options: Options | None = None) -> None:
        super().__init__(tasks, options)
        self.trunk = _Levels(self.options)
        names = numbered("shared", self.options.experts)
        self.heads = [GatedHead(self.options, names, task) for task in self.tasks]


class _Levels(Layer):
    """Map sides to [context, candidate, experts of the last level ...]."""

    def __init__(self, options: MLMMoE.Options) -> None:
        super().__init__(name="trunk")
        names = numbered("shared", options.experts)
        self.levels = [make_experts(options, [f"{level}_{n}" for n in names]) for level in range(options.levels)]
        self.gates = [
            [Gate(names, options.gate, options.activation, name=f"level_{level}_gate_{n}") for n in names]
            for level in range(1, options.levels)
        ]

    def call(self, sides: Sides, training: bool = False) -> list[tf.Tensor]:
        outputs = run(self.levels[0], sides, training)
        for gates, experts in zip(self.gates, self.levels[1:], strict=True):
            weights = gate_weights(gates, [sides] * len(gates), training)
            inputs = [gate.mix(w, outputs) for gate, w in zip(gates, weights, strict=True)]
            outputs = [expert(x, training=training) for expert, x in zip(experts, inputs, strict=True)]
        return [*sides, *outputs]
