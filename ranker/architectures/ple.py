"""Progressive layered extraction; one level of it is customised gate control (CGC)."""

from collections.abc import Sequence
from typing import Literal

import tensorflow as tf
from pydantic import Field

from ranker.architectures.base import ARCHITECTURES, Architecture, ArchitectureOptions, Head, Units
from ranker.layers import Expert, Gate, Sides, Tower, gate_weights


@ARCHITECTURES.register("ple")
class PLE(Architecture):
    """Each task has experts of its own beside the shared ones, level upon level. Tang et al., RecSys 2020.

    At each level but the last, every task's gate mixes its own and the shared experts, and one more gate mixes
    all experts into the shared input of the next level. The last level has no shared gate.
    """

    class Options(ArchitectureOptions):
        """Numbers and units of the experts a level, and of the gates' hidden layers."""

        name: Literal["ple"] = "ple"
        levels: int = Field(2, ge=1, le=8, description="Extraction levels; 1 is CGC.")
        shared_experts: int = Field(2, ge=1, le=64, description="Shared experts a level.")
        task_experts: int = Field(1, ge=1, le=64, description="Experts of each task a level.")
        expert_units: Units = Field((256, 128), min_length=1, description="Units of each expert's layers.")
        gate_units: Units = Field((), description="Units of each gate's hidden layers; none by default.")

    options: Options

    def __init__(self, tasks: Sequence[str], options: Options | None = None) -> None:
        super().__init__(tasks, options)
        self.trunk = _Trunk(self.options, len(self.tasks))
        heads = enumerate(self.tasks)
        self.heads = [_ExtractionHead(self.options, i, len(self.tasks), name=f"head_{task}") for i, task in heads]


def _experts(options: PLE.Options, count: int, prefix: str) -> list[Expert]:
    return [
        Expert(options.expert_units, options.activation, options.dropout, name=f"{prefix}_expert_{i}")
        for i in range(count)
    ]


def _run(experts: Sequence[Expert], inputs: Sides | tf.Tensor, training: bool) -> list[tf.Tensor]:
    return [expert(inputs, training=training) for expert in experts]


class _Level(tf.keras.layers.Layer):
    """T + 1 inputs, the tasks' and the shared one, to T + 1 outputs."""

    def __init__(self, options: PLE.Options, tasks: int, name: str) -> None:
        super().__init__(name=name)
        self.own = [_experts(options, options.task_experts, f"{name}_task_{t}") for t in range(tasks)]
        self.shared = _experts(options, options.shared_experts, f"{name}_shared")
        seen = options.task_experts + options.shared_experts
        self.gates = [Gate(seen, options.gate_units, options.activation, name=f"gate_{t}") for t in range(tasks)]
        everything = tasks * options.task_experts + options.shared_experts
        self.shared_gate = Gate(everything, options.gate_units, options.activation, name="gate_shared")

    def call(self, inputs: list[Sides | tf.Tensor], training: bool = False) -> list[tf.Tensor]:
        own = [_run(experts, x, training) for experts, x in zip(self.own, inputs[:-1], strict=True)]
        shared = _run(self.shared, inputs[-1], training)
        seen = [*([*mine, *shared] for mine in own), [expert for mine in own for expert in mine] + shared]
        gates = [*self.gates, self.shared_gate]
        weights = gate_weights(gates, inputs)
        return [gate.mix(w, experts) for gate, w, experts in zip(gates, weights, seen, strict=True)]


class _Trunk(tf.keras.layers.Layer):
    """All levels but the last, and the last one's shared experts.

    Returns [input of each task ..., shared experts ...]; with one level the tasks' common input is the two sides.
    """

    def __init__(self, options: PLE.Options, tasks: int) -> None:
        super().__init__(name="trunk")
        self.tasks = tasks
        self.levels = [_Level(options, tasks, name=f"level_{i}") for i in range(options.levels - 1)]
        self.shared = _experts(options, options.shared_experts, "last_shared")

    def call(self, sides: Sides, training: bool = False) -> list[tf.Tensor]:
        inputs: list[Sides | tf.Tensor] = [sides] * (self.tasks + 1)
        for level in self.levels:
            inputs = level(inputs, training=training)
        shared = _run(self.shared, inputs[-1], training)
        return [*(inputs[:-1] if self.levels else sides), *shared]


class _ExtractionHead(Head):
    """The last level's own experts and gate of one task, and its tower."""

    def __init__(self, options: PLE.Options, task: int, tasks: int, name: str) -> None:
        super().__init__(name=name)
        self.task, self.tasks, self.first = task, tasks, options.levels == 1
        self.own = _experts(options, options.task_experts, f"{name}_own")
        seen = options.task_experts + options.shared_experts
        self.gate = Gate(seen, options.gate_units, options.activation, name="gate")
        self.tower = Tower(options.towers, options.activation, options.dropout, name=f"{name}_tower")

    def call(self, shared: list[tf.Tensor], training: bool = False) -> tf.Tensor:
        inputs = Sides(shared[0], shared[1]) if self.first else shared[self.task]
        experts = [*_run(self.own, inputs, training), *shared[2 if self.first else self.tasks :]]
        return self.tower(self.gate(inputs, experts), training=training)
