"""Shared and task embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from ranker.architectures.base import ARCHITECTURES, Architecture, Head
from ranker.architectures.parts import ExpertOptions, make_experts, numbered, own_name
from ranker.layers import Gate, Sides, Tower
from ranker.lazy_tensorflow import Layer, tf


@ARCHITECTURES.register("stem")
class STEM(Architecture):
    """Each id has a shared embedding and one per task; a task reads all experts but trains only its own and shared.

    Su et al., "STEM: Unleashing the Power of Embeddings for Multi-Task Recommendation", AAAI 2024. A task's experts
    read its embeddings. Its gate mixes its own, the shared and all other tasks' experts, with gradients stopped into
    the other tasks'. Embedding tables are T + 1 times as large.
    """

    class Options(ExpertOptions):
        """Numbers of experts."""

        name: Literal["stem"] = "stem"
        shared_experts: int = Field(2, ge=1, le=64, description="Experts on the shared embeddings.")
        task_experts: int = Field(1, ge=1, le=64, description="Experts on each task's embeddings.")

    options: Options

    def __init__(self, tasks: Sequence[str], options: Options | None = None) -> None:
        super().__init__(tasks, options)
        self.trunk = _Experts(self.options, self.tasks)
        self.heads = [_Head(self.options, self.tasks, i) for i in range(len(self.tasks))]

    @property
    def embedding_sets(self) -> int:
        """The shared set first, then one per task."""
        return 1 + len(self.tasks)


class _Experts(Layer):
    """Map the sides of each set to [context, candidate of each set ..., shared experts ..., task experts ...]."""

    def __init__(self, options: STEM.Options, tasks: Sequence[str]) -> None:
        super().__init__(name="trunk")
        groups = [("shared", options.shared_experts), *((own_name(task), options.task_experts) for task in tasks)]
        self.groups = [make_experts(options, numbered(name, count)) for name, count in groups]

    def call(self, inputs: list[Sides], training: bool = False) -> list[tf.Tensor]:
        outputs = [
            expert(sides, training=training)
            for experts, sides in zip(self.groups, inputs, strict=True)
            for expert in experts
        ]
        return [*(side for sides in inputs for side in sides), *outputs]


class _Head(Head):
    def __init__(self, options: STEM.Options, tasks: Sequence[str], index: int) -> None:
        task = tasks[index]
        super().__init__(name=f"head_{task}")
        o = options
        names = [
            *numbered("shared", o.shared_experts),
            *(n for t in tasks for n in numbered(own_name(t), o.task_experts)),
        ]
        first = o.shared_experts + index * o.task_experts
        self.mine = {*range(o.shared_experts), *range(first, first + o.task_experts)}
        self.own, self.inputs = 2 * (1 + index), 2 * (1 + len(tasks))
        self.gate = Gate(names, o.gate, o.activation, name=f"gate_{task}")
        self.tower = Tower(o.towers, o.activation, o.dropout, name=f"head_{task}_tower")

    def call(self, shared: list[tf.Tensor], training: bool = False) -> tf.Tensor:
        context, candidate = (tf.concat([shared[i], shared[self.own + i]], axis=1) for i in (0, 1))
        # Outside training no gradients flow; without stop_gradient every gate gets the same expert tensors.
        foreign = [i for i in range(len(shared) - self.inputs) if training and i not in self.mine]
        experts = [tf.stop_gradient(x) if i in foreign else x for i, x in enumerate(shared[self.inputs :])]
        return self.tower(self.gate(Sides(context, candidate), experts, training=training), training=training)
