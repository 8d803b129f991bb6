"""The section ``optimizer`` of a config: an optimiser for each group of variables."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import Field, model_validator

from ranker.optimizers import OPTIMIZERS, SCHEDULES
from ranker.registry import alternatives
from ranker.schema import Closed

if TYPE_CHECKING:
    OptimizerName: TypeAlias = str
    ScheduleName: TypeAlias = str
else:  # what the tables hold, so that a new entry needs no line here
    OptimizerName = Literal[tuple(OPTIMIZERS)]
    ScheduleName = Literal[tuple(SCHEDULES)]

Rate = Annotated[float, Field(gt=0, description="Step size; with a schedule, that at its start.")]
Clip = Annotated[float, Field(gt=0, description="Cut each gradient's norm at this value.")]
Warmup = Annotated[int, Field(ge=0, description="Steps over which the rate first grows from 0 to its full size.")]
Final = Annotated[float, Field(gt=0, le=1, description="Share of the rate that a schedule leaves at the last step.")]
Decay = Annotated[
    float, Field(ge=0, description="Each step takes rate times this off matrices, beside the gradient (AdamW).")
]
L1 = Annotated[float, Field(ge=0, description="ftrl alone: pulls weights to exactly 0.")]


class OptimizerGroup(Closed):
    """An optimiser, its learning rate, and how the rate goes on."""

    name: OptimizerName = "adam"
    learning_rate: Rate = 1e-3
    clip_norm: Clip | None = None
    schedule: ScheduleName = "constant"
    warmup_steps: Warmup = 0
    final: Final = 0.01
    weight_decay: Decay = 0.0
    l1: L1 = 0.0

    def check(self) -> None:
        """Raise ``ValueError``, naming the option, where the optimiser has no such thing."""
        kind = OPTIMIZERS[self.name]
        if self.weight_decay and not kind.weight_decay:
            raise ValueError(f"weight_decay: {self.name} cannot be combined with it; set it to 0 in this group")
        if self.l1 and not kind.l1:
            able = ", ".join(name for name, other in OPTIMIZERS.items() if other.l1)
            raise ValueError(f"l1: only {able} has it, and this group has {self.name}; set it to 0")


class TablesGroup(OptimizerGroup):
    """The embedding tables': Adagrad at its own rate, unless it is told otherwise."""

    name: OptimizerName = "adagrad"
    learning_rate: Rate = 0.02

    @model_validator(mode="before")
    @classmethod
    def _rate_of_others(cls, given: Any) -> Any:
        if isinstance(given, Mapping) and given.get("name", "adagrad") != "adagrad":
            return {"learning_rate": OptimizerGroup.model_fields["learning_rate"].default, **given}
        return given


class GroupChanges(Closed):
    """What a group has of its own; whatever is left out is as in ``dense``."""

    name: OptimizerName | None = None
    learning_rate: Rate | None = None
    clip_norm: Clip | None = None
    schedule: ScheduleName | None = None
    warmup_steps: Warmup | None = None
    final: Final | None = None
    weight_decay: Decay | None = None
    l1: L1 | None = None

    def over(self, group: OptimizerGroup) -> OptimizerGroup:
        """The group with these changes."""
        own = {key: getattr(self, key) for key in OptimizerGroup.model_fields}
        return group.model_copy(update={key: value for key, value in own.items() if value is not None})


class SharedGroup(GroupChanges):
    """The trunk, interactions and poolings."""

    per_task: bool = Field(
        False, description="Keep moments of each task's own gradients; costs a pass through the trunk for each task."
    )


class TowersGroup(GroupChanges):
    """The tasks' heads."""

    by_task: Mapping[str, GroupChanges] = Field(
        default_factory=dict, description="Changes for single tasks' heads; the rest is as in `towers`."
    )


class Optimizer(Closed):
    """An optimiser for the embedding tables and one for everything else, or for parts of it."""

    dense: OptimizerGroup = Field(OptimizerGroup(), description="All that is no table and in no other group.")
    embeddings: TablesGroup = Field(TablesGroup(), description="The embedding tables: by default adagrad at 0.02.")
    shared: SharedGroup | None = Field(None, description="Trunk, interactions and poolings; as `dense` by default.")
    towers: TowersGroup | None = Field(None, description="The tasks' heads; as `dense` by default.")
    wide: GroupChanges | None = Field(None, description="The first order of `fm`; as `dense` by default.")
    weighting: GroupChanges | None = Field(None, description="What the balancing method learns; as `dense` by default.")
    average: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="Validate and export a moving average of the weights, which keeps this share a step.",
    )

    def groups(self) -> Iterator[tuple[str, OptimizerGroup]]:
        """Every group that the config sets, with all its options, by its path below ``optimizer``."""
        yield "dense", self.dense
        yield "embeddings", self.embeddings
        for name in ("shared", "towers", "wide", "weighting"):
            changes = getattr(self, name)
            if changes is not None:
                yield name, changes.over(self.dense)
        if self.towers is not None:
            for task, changes in self.towers.by_task.items():
                yield f"towers.by_task.{task}", changes.over(self.towers.over(self.dense))

    def check(self, heads: Sequence[str]) -> None:
        """Raise ``ValueError``, naming the option, for a head that is none of these or an option that does not fit."""
        groups = dict(self.groups())
        for path, group in groups.items():
            try:
                group.check()
            except ValueError as error:
                raise ValueError(f"{path}.{error}") from None
        if self.embeddings.weight_decay:
            raise ValueError(
                "embeddings.weight_decay: would shrink the rows of all ids at every step; use embedding.l2, which "
                "shrinks those that a batch looks up"
            )
        for task in self.towers.by_task if self.towers else ():
            if task not in heads:
                raise ValueError(f"towers.by_task.{task}: unknown task{alternatives(task, heads)}")
        if self.shared is not None and self.shared.per_task and not OPTIMIZERS[groups["shared"].name].per_task:
            able = ", ".join(name for name, kind in OPTIMIZERS.items() if kind.per_task)
            raise ValueError(f"shared.per_task: {groups['shared'].name} cannot keep moments by task; {able} can")
