"""The moments of an optimiser, by the names of their variables."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import NamedTuple

import tensorflow as tf

from ranker.model import RankingModel
from ranker.optimizers.grouped import Group, GroupedOptimizer
from ranker.optimizers.per_task import PerTaskOptimizer


class Kept(NamedTuple):
    """An optimiser that keeps moments of a variable; ``name`` is the variable's, with the task's for one per task."""

    name: str
    variable: tf.Variable
    optimizer: tf.keras.optimizers.legacy.Optimizer

    @property
    def kind(self) -> str:
        """Name of the optimiser's class."""
        return type(self.optimizer).__name__

    def slots(self) -> dict[str, tf.Variable]:
        """The moments by name; none for an optimiser without any, or before the variable's first step."""
        found = {}
        for slot in self.optimizer.get_slot_names():
            with suppress(KeyError):
                found[f"{self.name}|{slot}"] = self.optimizer.get_slot(self.variable, slot)
        return found

    def created(self) -> dict[str, tf.Variable]:
        """As :meth:`slots`, created if need be."""
        if not self.slots():
            self.optimizer._create_all_weights([self.variable])
        return self.slots()


def kept_moments(model: RankingModel, names: Mapping[str, tf.Variable]) -> Iterator[Kept]:
    """Every variable's optimiser; of variables with moments per task, one for each task."""
    by_ref = {variable.ref(): name for name, variable in names.items()}
    for group in groups(model):
        for variable in group.variables:
            name = by_ref[variable.ref()]
            if isinstance(group.optimizer, PerTaskOptimizer):
                for task, optimizer in zip(model.tasks, group.optimizer.of_tasks, strict=True):
                    yield Kept(f"{name}|task:{task}", variable, optimizer)
            else:
                yield Kept(name, variable, group.optimizer)


def groups(model: RankingModel) -> list[Group]:
    """The groups of a compiled model's optimiser."""
    optimizer = model.optimizer
    assert isinstance(optimizer, GroupedOptimizer), "build_model compiles with one"
    return optimizer.groups
