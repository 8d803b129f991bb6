"""Hierarchy of multi-gate experts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from ranker.architectures.base import ARCHITECTURES, Architecture, Head, check_names
from ranker.architectures.parts import ExpertOptions, numbered, own_name
from ranker.heads import task_of
from ranker.layers import Dropout, Gate, Sides, SplitDense, Tower
from ranker.layers.batch_normalisation import BatchNormalisation
from ranker.lazy_tensorflow import Layer, tf
from ranker.schema import Schema

ALL = "all"


@ARCHITECTURES.register("home")
class HoME(Architecture):
    """Experts on two levels, task groups and tasks, normalised to prevent expert collapse. Wang et al., 2024.

    "HoME: Hierarchy of Multi-Gate Experts for Multi-Task Learning at Kuaishou", arXiv 2408.05430. Experts end in batch
    normalisation and swish, so that no expert dies or dominates. Each expert scales its input by a low-rank gate. The
    experts of a group or task also reach its output through a self-gate that bypasses the main gate. The first level's
    input gates read each side separately, so that the context stays one row.
    """

    class Options(ExpertOptions):
        """Task groups, numbers of experts, rank of the input gates."""

        name: Literal["home"] = "home"
        groups: dict[str, tuple[str, ...]] | None = Field(
            None, description="By group, its tasks, e.g. watching and interacting. By default one group of all tasks."
        )
        shared_experts: int = Field(2, ge=1, le=64, description="Experts shared by all tasks, per level.")
        group_experts: int = Field(1, ge=1, le=64, description="Experts of each group, per level.")
        task_experts: int = Field(1, ge=1, le=64, description="Experts of each task.")
        rank: int = Field(8, ge=1, description="Rank of the experts' input gates.")

        def check(self, schema: Schema) -> None:
            """Raise ``ValueError`` unless the groups partition the tasks."""
            grouped = [task for members in (self.groups or {}).values() for task in members]
            check_names(grouped, list(schema.tasks), "groups")
            for name, members in (self.groups or {}).items():
                if not members:
                    raise ValueError(f"groups.{name}: lists no task")
            missing = [task for task in schema.tasks if task not in grouped]
            if self.groups is not None and missing:
                raise ValueError(f"groups: {', '.join(missing)} in no group; each task must be in one")

    options: Options

    def __init__(self, tasks: Sequence[str], options: Options | None = None) -> None:
        super().__init__(tasks, options)
        groups = {name: list(members) for name, members in (self.options.groups or {ALL: self.tasks}).items()}
        for task in self.tasks:  # a funnel's extra head, such as "buy.imputation", joins its task's group
            if not any(task in members for members in groups.values()):
                groups[next(name for name, members in groups.items() if task_of(task) in members)].append(task)
        names = list(groups)
        self.trunk = _Trunk(self.options, names)
        self.heads = [
            _Head(self.options, task, next(i for i, name in enumerate(names) if task in groups[name]), names)
            for task in self.tasks
        ]


def _of_group(name: str) -> str:
    return f"group.{name}"  # task names have no dots


class NormalisedExpert(Layer):
    """``swish(BatchNorm(MLP(x * input gate)))``; the input gate is a low-rank ``2 sigmoid(x A B)`` per side."""

    def __init__(self, options: HoME.Options, name: str) -> None:
        super().__init__(name=name)
        self.rank = options.rank
        *inner, last = options.expert_units
        self.stack = [SplitDense(n, options.activation, name=f"dense_{i}") for i, n in enumerate(inner)]
        self.dropouts = [Dropout(options.dropout, name=f"{name}_dropout_{i}") for i in range(len(inner))]
        self.last = SplitDense(last, name="last")
        self.normalise = BatchNormalisation(momentum=0.95, name="normalise")

    def build(self, shape: Sequence[tf.TensorShape] | tf.TensorShape) -> None:
        """Create an input gate for each side with columns, or one for a plain tensor."""
        widths = [int(s[-1]) for s in shape] if isinstance(shape, tuple | list) else [int(shape[-1])]
        self.down = [SplitDense(self.rank, use_bias=False, name=f"down_{i}") for i, n in enumerate(widths) if n]
        self.up = [SplitDense(n, "sigmoid", name=f"up_{i}") for i, n in enumerate(widths) if n]
        super().build(shape)

    def call(self, inputs: Sides | tf.Tensor, training: bool = False) -> tf.Tensor:
        """Map sides, or a tensor [B, D], to [B, expert_units[-1]]."""
        hidden = self._gated(inputs)
        for dense, dropout in zip(self.stack, self.dropouts, strict=True):
            hidden = dropout(dense(hidden), training=training)
        return tf.nn.swish(self.normalise(self.last(hidden), training=training))

    def _gated(self, inputs: Sides | tf.Tensor) -> Sides | tf.Tensor:
        if not isinstance(inputs, tuple | list):
            return inputs * 2.0 * self.up[0](self.down[0](inputs))
        gates = iter(zip(self.down, self.up, strict=True))

        def scaled(side: tf.Tensor) -> tf.Tensor:
            down, up = next(gates)
            return side * 2.0 * up(down(side))

        return Sides(*(scaled(side) if side.shape[-1] else side for side in inputs))


def _experts(options: HoME.Options, names: Sequence[str]) -> list[NormalisedExpert]:
    return [NormalisedExpert(options, name=f"expert_{n}") for n in names]


def _run(experts: Sequence[NormalisedExpert], inputs: Sides | tf.Tensor, training: bool) -> list[tf.Tensor]:
    return [expert(inputs, training=training) for expert in experts]


class _SelfGated(Layer):
    """The main gate's mix of all experts plus a self-gate's mix of the ``own`` experts."""

    def __init__(self, options: HoME.Options, experts: Sequence[str], own: Sequence[str], name: str) -> None:
        super().__init__(name=name)
        self.main = Gate(experts, options.gate, options.activation, name=f"gate_{name}")
        self.past = SplitDense(len(own), "sigmoid" if len(own) == 1 else "softmax", name="past")

    def call(
        self,
        inputs: Sides | tf.Tensor,
        experts: Sequence[tf.Tensor],
        own: Sequence[tf.Tensor],
        training: bool = False,
    ) -> tf.Tensor:
        mixed = self.main(inputs, experts, training=training)
        weights = self.past(inputs)
        return tf.add_n([mixed, *(weights[:, i : i + 1] * expert for i, expert in enumerate(own))])


class _Trunk(Layer):
    """The group level, and the second level's shared and group experts.

    Returns [shared, group 1, ..., group G, shared experts ..., experts of group 1 ..., ...].
    """

    def __init__(self, options: HoME.Options, groups: Sequence[str]) -> None:
        super().__init__(name="trunk")
        shared = numbered("shared", options.shared_experts)
        own = [numbered(_of_group(group), options.group_experts) for group in groups]
        self.shared = _experts(options, [f"meta_{n}" for n in shared])
        self.own = [_experts(options, [f"meta_{n}" for n in names]) for names in own]
        every = [*shared, *(n for names in own for n in names)]
        self.mix_shared = _SelfGated(options, every, shared, name="meta_shared")
        self.mix_own = [
            _SelfGated(options, [*names, *shared], names, name=f"meta_{_of_group(group)}")
            for group, names in zip(groups, own, strict=True)
        ]
        self.next_shared = _experts(options, shared)
        self.next_own = [_experts(options, names) for names in own]

    def call(self, sides: Sides, training: bool = False) -> list[tf.Tensor]:
        shared = _run(self.shared, sides, training)
        own = [_run(experts, sides, training) for experts in self.own]
        every = [*shared, *(x for outputs in own for x in outputs)]
        z = [self.mix_shared(sides, every, shared, training=training)]
        for mix, outputs in zip(self.mix_own, own, strict=True):
            z.append(mix(sides, [*outputs, *shared], outputs, training=training))
        second = _run(self.next_shared, z[0], training)
        for experts, x in zip(self.next_own, z[1:], strict=True):
            second += _run(experts, x, training)
        return [*z, *second]


class _Head(Head):
    """One task's experts, gates and tower."""

    def __init__(self, options: HoME.Options, task: str, group: int, groups: Sequence[str]) -> None:
        super().__init__(name=f"head_{task}")
        o = options
        self.group = group
        first = 1 + len(groups)
        shared, mine = o.shared_experts, first + o.shared_experts + group * o.group_experts
        self.seen = [*range(first, first + shared), *range(mine, mine + o.group_experts)]
        own = numbered(own_name(task), o.task_experts)
        self.own = _experts(o, own)
        names = [*own, *numbered("shared", shared), *numbered(_of_group(groups[group]), o.group_experts)]
        self.mix = _SelfGated(o, names, own, name=task)
        self.tower = Tower(o.towers, o.activation, o.dropout, name=f"head_{task}_tower")

    def call(self, shared: list[tf.Tensor], training: bool = False) -> tf.Tensor:
        mine = shared[1 + self.group]
        own = _run(self.own, mine, training)
        inputs = tf.concat([shared[0], mine], axis=1)
        mixed = self.mix(inputs, [*own, *(shared[i] for i in self.seen)], own, training=training)
        return self.tower(mixed, training=training)
