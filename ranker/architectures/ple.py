"""Progressive layered extraction (PLE), and customised gate control (CGC), its single-level form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from ranker.architectures.base import ARCHITECTURES, Architecture, Head
from ranker.architectures.parts import ExpertOptions, make_experts, numbered, own_name, run
from ranker.layers import Gate, Sides, Tower, gate_weights
from ranker.lazy_tensorflow import Layer, tf


class ExtractionOptions(ExpertOptions):
    """Numbers of experts per level."""

    shared_experts: int = Field(2, ge=1, le=64, description="Shared experts per level.")
    task_experts: int = Field(1, ge=1, le=64, description="Experts of each task per level.")


class _Extraction(Architecture):
    """Extraction levels, and heads with the last level's task experts."""

    options: ExtractionOptions

    def _extract(self, levels: int) -> None:
        self.trunk = _Trunk(self.options, self.tasks, levels)
        self.heads = [_Head(self.options, self.tasks, i, first=levels == 1) for i in range(len(self.tasks))]


@ARCHITECTURES.register("cgc")
class CGC(_Extraction):
    """Each task's gate mixes its own experts and the shared experts. Tang et al., RecSys 2020."""

    class Options(ExtractionOptions):
        """No further options."""

        name: Literal["cgc"] = "cgc"

    def __init__(self, tasks: Sequence[str], options: Options | None = None) -> None:
        super().__init__(tasks, options)
        self._extract(levels=1)


@ARCHITECTURES.register("ple")
class PLE(_Extraction):
    """Stacked CGC levels. Tang et al., RecSys 2020.

    At each level but the last, every task's gate mixes its own and the shared experts, and one more gate mixes
    all experts into the shared input of the next level. The last level has no shared gate.
    """

    class Options(ExtractionOptions):
        """Number of levels."""

        name: Literal["ple"] = "ple"
        levels: int = Field(2, ge=1, le=8, description="Extraction levels; 1 is CGC.")

    options: Options

    def __init__(self, tasks: Sequence[str], options: Options | None = None) -> None:
        super().__init__(tasks, options)
        self._extract(self.options.levels)


class _Level(Layer):
    """Map T + 1 inputs, one per task and the shared one, to T + 1 outputs."""

    def __init__(self, options: ExtractionOptions, tasks: Sequence[str], name: str) -> None:
        super().__init__(name=name)
        own = [numbered(own_name(task), options.task_experts) for task in tasks]
        shared = numbered("shared", options.shared_experts)
        self.own = [make_experts(options, [f"{name}_{n}" for n in names]) for names in own]
        self.shared = make_experts(options, [f"{name}_{n}" for n in shared])
        self.gates = [
            Gate([*names, *shared], options.gate, options.activation, name=f"{name}_gate_{own_name(task)}")
            for task, names in zip(tasks, own, strict=True)
        ]
        every = [*(n for names in own for n in names), *shared]
        self.shared_gate = Gate(every, options.gate, options.activation, name=f"{name}_gate_shared")

    def call(self, inputs: list[Sides | tf.Tensor], training: bool = False) -> list[tf.Tensor]:
        own = [run(experts, x, training) for experts, x in zip(self.own, inputs[:-1], strict=True)]
        shared = run(self.shared, inputs[-1], training)
        seen = [*([*mine, *shared] for mine in own), [expert for mine in own for expert in mine] + shared]
        gates = [*self.gates, self.shared_gate]
        weights = gate_weights(gates, inputs, training)
        return [gate.mix(w, experts) for gate, w, experts in zip(gates, weights, seen, strict=True)]


class _Trunk(Layer):
    """All levels but the last, and the last level's shared experts.

    Returns [input of each task ..., shared experts ...]; with one level, the tasks' common input is the two sides.
    """

    def __init__(self, options: ExtractionOptions, tasks: Sequence[str], levels: int) -> None:
        super().__init__(name="trunk")
        self.tasks = len(tasks)
        self.levels = [_Level(options, tasks, name=f"level_{i}") for i in range(levels - 1)]
        self.shared = make_experts(options, numbered("last_shared", options.shared_experts))

    def call(self, sides: Sides, training: bool = False) -> list[tf.Tensor]:
        inputs: list[Sides | tf.Tensor] = [sides] * (self.tasks + 1)
        for level in self.levels:
            inputs = level(inputs, training=training)
        shared = run(self.shared, inputs[-1], training)
        return [*(inputs[:-1] if self.levels else sides), *shared]


class _Head(Head):
    """One task's experts and gate of the last level, and its tower."""

    def __init__(self, options: ExtractionOptions, tasks: Sequence[str], index: int, first: bool) -> None:
        task = tasks[index]
        super().__init__(name=f"head_{task}")
        self.index, self.first, self.tasks = index, first, len(tasks)
        names = numbered(own_name(task), options.task_experts)
        self.own = make_experts(options, [f"last_{n}" for n in names])
        seen = [*names, *numbered("shared", options.shared_experts)]
        self.gate = Gate(seen, options.gate, options.activation, name=f"gate_{task}")
        self.tower = Tower(options.towers, options.activation, options.dropout, name=f"head_{task}_tower")

    def call(self, shared: list[tf.Tensor], training: bool = False) -> tf.Tensor:
        inputs = Sides(shared[0], shared[1]) if self.first else shared[self.index]
        experts = [*run(self.own, inputs, training), *shared[2 if self.first else self.tasks :]]
        return self.tower(self.gate(inputs, experts, training=training), training=training)
