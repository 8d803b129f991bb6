"""The moments of an optimiser, by the names of their variables."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import NamedTuple

import tensorflow as tf

from ranker.layers.sharded_table import ShardedTable, Table, parts_of
from ranker.model import RankingModel
from ranker.optimizers.grouped import Group, GroupedOptimizer
from ranker.optimizers.per_task import PerTaskOptimizer


class Kept(NamedTuple):
    """An optimiser that keeps moments of a variable; ``name`` is the variable's, with the task's for one per task."""

    name: str
    variable: Table
    optimizer: tf.keras.optimizers.legacy.Optimizer

    @property
    def kind(self) -> str:
        """Name of the optimiser's class."""
        return type(self.optimizer).__name__

    def slots(self) -> dict[str, Table]:
        """The moments by name; none for an optimiser without any, or before the variable's first step."""
        found: dict[str, Table] = {}
        for slot in self.optimizer.get_slot_names():
            with suppress(KeyError):
                parts = [self.optimizer.get_slot(part, slot) for part in parts_of(self.variable)]
                of_table = isinstance(self.variable, ShardedTable)
                found[f"{self.name}|{slot}"] = ShardedTable(parts) if of_table else parts[0]
        return found

    def created(self) -> dict[str, Table]:
        """As :meth:`slots`, created if need be."""
        if not self.slots():
            self.optimizer._create_all_weights(parts_of(self.variable))
        return self.slots()


def kept_moments(model: RankingModel, names: Mapping[str, Table]) -> Iterator[Kept]:
    """Every variable's optimiser; of variables with moments per task, one for each task. A table's is that of all."""
    by_ref = {part.ref(): name for name, variable in names.items() for part in parts_of(variable)}
    for group in groups(model):
        for name in dict.fromkeys(by_ref[variable.ref()] for variable in group.variables):
            variable = names[name]
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
