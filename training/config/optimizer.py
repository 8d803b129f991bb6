"""The config's ``optimizer`` section: one optimiser per group of variables."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import Field, model_validator

from ranker.optimizers import OPTIMIZERS, SCHEDULES
from ranker.registry import alternatives
from ranker.schema import Closed

if TYPE_CHECKING:
    OptimizerName: TypeAlias = str
    ScheduleName: TypeAlias = str
else:  # from the registries, so that a new entry needs no line here
    OptimizerName = Literal[tuple(OPTIMIZERS)]
    ScheduleName = Literal[tuple(SCHEDULES)]

Rate = Annotated[float, Field(gt=0, description="Learning rate; with a schedule, its initial value.")]
Clip = Annotated[float, Field(gt=0, description="Clip each gradient to this norm.")]
Warmup = Annotated[int, Field(ge=0, description="Steps of linear warm-up from 0 to the full rate.")]
Final = Annotated[float, Field(gt=0, le=1, description="Fraction of the rate left at the schedule's last step.")]
Decay = Annotated[
    float, Field(ge=0, description="Decoupled weight decay of matrices (AdamW): rate times this per step.")
]
L1 = Annotated[float, Field(ge=0, description="Only for ftrl: L1 penalty, which drives weights to exactly 0.")]


class OptimizerGroup(Closed):
    """An optimiser, its learning rate and schedule."""

    name: OptimizerName = "adam"
    learning_rate: Rate = 1e-3
    clip_norm: Clip | None = None
    schedule: ScheduleName = "constant"
    warmup_steps: Warmup = 0
    final: Final = 0.01
    weight_decay: Decay = 0.0
    l1: L1 = 0.0

    def check(self) -> None:
        """Raise ``ValueError`` naming an option that the optimiser does not support."""
        kind = OPTIMIZERS[self.name]
        if self.weight_decay and not kind.weight_decay:
            raise ValueError(f"weight_decay: {self.name} cannot be combined with it; set it to 0 in this group")
        if self.l1 and not kind.l1:
            able = ", ".join(name for name, other in OPTIMIZERS.items() if other.l1)
            raise ValueError(f"l1: only {able} has it, and this group uses {self.name}; set it to 0")


class TablesGroup(OptimizerGroup):
    """The embedding tables' optimiser: by default Adagrad with its own rate."""

    name: OptimizerName = "adagrad"
    learning_rate: Rate = 0.02

    @model_validator(mode="before")
    @classmethod
    def _rate_of_others(cls, given: Any) -> Any:
        if isinstance(given, Mapping) and given.get("name", "adagrad") != "adagrad":
            return {"learning_rate": OptimizerGroup.model_fields["learning_rate"].default, **given}
        return given


class GroupChanges(Closed):
    """A group's overrides; anything left out is inherited from ``dense``."""

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
    """Overrides for the trunk, interactions and poolings."""

    per_task: bool = Field(
        False, description="Keep moments per task; costs a backward pass through the trunk for each task."
    )


class TowersGroup(GroupChanges):
    """Overrides for the tasks' heads."""

    by_task: Mapping[str, GroupChanges] = Field(
        default_factory=dict,
        description="Overrides for single tasks with all their heads, or for single further heads such as "
        "rating.logit_2; the rest is inherited from `towers`.",
    )


class Optimizer(Closed):
    """Optimisers for the embedding tables and for everything else, with overrides for parts of it."""

    dense: OptimizerGroup = Field(OptimizerGroup(), description="All variables in no other group.")
    embeddings: TablesGroup = Field(TablesGroup(), description="The embedding tables: by default adagrad at 0.02.")
    shared: SharedGroup | None = Field(None, description="Trunk, interactions and poolings; as `dense` by default.")
    towers: TowersGroup | None = Field(None, description="The tasks' heads; as `dense` by default.")
    wide: GroupChanges | None = Field(None, description="The first-order weights of `fm`; as `dense` by default.")
    weighting: GroupChanges | None = Field(
        None, description="The balancing method's learned variables; as `dense` by default."
    )
    average: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="Validate and export a moving average of the weights with this decay per step.",
    )

    def groups(self) -> Iterator[tuple[str, OptimizerGroup]]:
        """Every configured group with all its options, by its path under ``optimizer``."""
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
        """Raise ``ValueError``, naming the option, for an unknown head or an option that does not apply."""
        groups = dict(self.groups())
        for path, group in groups.items():
            try:
                group.check()
            except ValueError as error:
                raise ValueError(f"{path}.{error}") from None
        if self.embeddings.weight_decay:
            raise ValueError(
                "embeddings.weight_decay: would shrink the rows of all ids at every step; use embedding.l2, which "
                "shrinks only those a batch looks up"
            )
        for task in self.towers.by_task if self.towers else ():
            if task not in heads:
                raise ValueError(f"towers.by_task.{task}: unknown task{alternatives(task, heads)}")
        if self.shared is not None and self.shared.per_task and not OPTIMIZERS[groups["shared"].name].per_task:
            able = ", ".join(name for name, kind in OPTIMIZERS.items() if kind.per_task)
            raise ValueError(f"shared.per_task: {groups['shared'].name} cannot keep moments per task; {able} can")
