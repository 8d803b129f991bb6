"""Starts a model from an earlier artifact's weights and moments, row by row where tables and inputs have changed."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ranker.encoding import Encoder
from ranker.encoding.row_moves import RowMoves, moved
from ranker.encoding.table_regions import TableRegion, table_regions
from ranker.layers.sharded_table import ShardedTable, Table, blocks, put_rows, rows_of
from ranker.model import RankingModel
from ranker.optimizers.grouped import GroupedOptimizer
from ranker.position.additive import CONTEXT
from training.config.experiment import Experiment
from training.data.array_files import Rows
from training.data.earlier import Arrays, Earlier, InputColumns, ParentRecord, StateFacts
from training.data.encode import Prepared
from training.trainer.input_axes import InputAxes, input_axes
from training.trainer.moments import kept_moments
from training.trainer.variable_names import (
    HEADS,
    POSITION,
    TABLES,
    TRUNK,
    WEIGHTING,
    input_columns,
    named_variables,
    set_names,
)

SHOWN = 5
Axes = Sequence[RowMoves]


def carry_on(
    model: RankingModel, experiment: Experiment, encoder: Encoder, earlier: Earlier, note: Callable[[str], None]
) -> None:
    """Assign the values and moments of the artifact's variables to those of the same names.

    Rows of tables follow their ids, rows of the first dense layers their inputs; whatever is new keeps its initial
    values. ``note`` is told what stays, comes and goes. Schedules and the moving average of weights start again.
    """
    saved, facts = earlier.variables, earlier.facts
    names = named_variables(model)
    axes = _Axes(model, experiment, encoder, earlier)
    moves: dict[str, Axes] = {}
    for name, variable in names.items():
        if name in saved and (found := axes.of(name, saved[name].shape, tuple(variable.shape))) is not None:
            moves[name] = found
            _take_over(variable, saved[name], found)
    steps: dict[int, int] = {}
    for kept in kept_moments(model, names):
        name = kept.name.partition("|")[0]
        if name not in moves or facts.optimizers.get(kept.name) != kept.kind:
            continue
        held = [
            slot for slot in saved if slot.startswith(f"{kept.name}|") and slot.count("|") == kept.name.count("|") + 1
        ]
        for slot, variable in kept.created().items() if held else ():
            if slot in held:
                _take_over(variable, saved[slot], moves[name])
        done = max(facts.iterations.get(kept.name, 0), steps.get(id(kept.optimizer), 0))
        steps[id(kept.optimizer)] = done
        kept.optimizer.iterations.assign(done)
    if isinstance(model.optimizer, GroupedOptimizer) and model.optimizer.average is not None:
        model.optimizer.average.restart()
    for line in (*_about_schema(experiment, earlier), *axes.lines, *_about_variables(names, moves, saved)):
        note(line)


def _take_over(variable: Table, saved: NDArray[Any], axes: Axes) -> None:
    """Assign the saved entries that move; to a table in shards, block by block."""
    if not isinstance(variable, ShardedTable):
        variable.assign(moved(saved, variable.numpy(), axes))
        return
    order = np.argsort(axes[0].targets)
    sources, targets = axes[0].sources[order], axes[0].targets[order]
    for start, end in blocks(int(variable.shape[0])):
        own = slice(*np.searchsorted(targets, [start, end]).tolist())
        if own.start < own.stop:
            near = RowMoves(np.arange(own.stop - own.start), targets[own] - start)
            put_rows(variable, start, moved(saved[sources[own]], rows_of(variable, start, end), [near, *axes[1:]]))


def state_of(
    model: RankingModel, prepared: Prepared, experiment: Experiment, parent: ParentRecord | None
) -> tuple[StateFacts, dict[str, Rows]]:
    """What a later fit needs of a trained model: its variables and their moments, by name, and what they are.

    Those of tables in shards are read block by block, as they are written.
    """
    names = named_variables(model)
    variables: dict[str, Table] = dict(names)
    optimizers, iterations = {}, {}
    for kept in kept_moments(model, names):
        variables |= kept.slots()
        optimizers[kept.name], iterations[kept.name] = kept.kind, int(kept.optimizer.iterations.numpy())
    days = prepared.days
    facts = StateFacts(
        fits=1 + (parent.fits if parent else 0),
        first_day=min(days.first, parent.first_day) if parent else days.first,
        day=max(days.last, parent.day) if parent else days.last,
        day_column=days.column,
        day_unit=days.unit,
        inputs=input_columns(prepared.encoder),
        sets=set_names(model),
        heads=model.architecture.tasks,
        weighting=experiment.weighting.name,
        optimizers=optimizers,
        iterations=iterations,
    )
    return facts, {name: _read(variable) for name, variable in variables.items()}


def _read(variable: Table) -> Rows:
    if not isinstance(variable, ShardedTable):
        value = variable.numpy()
        return Rows(value.shape, value.dtype, lambda: iter([value]))
    shape = tuple(variable.shape)
    return Rows(
        shape, np.dtype(np.float32), lambda: (rows_of(variable, start, end) for start, end in blocks(int(shape[0])))
    )


class _Region(NamedTuple):
    """A feature's rows in the old table, in the new one, and which of them move."""

    old: TableRegion
    new: TableRegion
    moves: RowMoves


class _Axes:
    """Which entries of each variable come from the artifact's, by axis.

    Attributes
    ----------
    lines
        How many rows of each vocabulary stay, are new, and leave.
    """

    def __init__(self, model: RankingModel, experiment: Experiment, encoder: Encoder, earlier: Earlier) -> None:
        facts = earlier.facts
        self._model, self._experiment = model, experiment
        self._embeds_otherwise = _embedded(encoder) != _embedded(earlier.artifact.encoder)
        self._sets, self._new_sets = facts.sets, set_names(model)
        self._inputs, self._new_inputs = facts.inputs, input_columns(encoder)
        heads = model.architecture.tasks
        self._same_heads = facts.heads == heads
        self._renamed = not self._same_heads and len(facts.heads) == len(heads)
        self._balances_alike = self._same_heads and facts.weighting == experiment.weighting.name
        self._regions = list(_regions(earlier.artifact.encoder, encoder))
        self.lines = [_counted(region) for region in self._regions]

    def of(self, name: str, old: Sequence[int], new: Sequence[int]) -> Axes | None:
        """The moves of each axis of a variable of the shapes ``old`` and ``new``; ``None`` if it starts fresh."""
        if len(old) != len(new):
            return None
        if name.startswith(f"{TABLES}/"):
            return self._of_table(int(name.rpartition("/")[2]))
        if name.startswith(f"{POSITION}/") and CONTEXT in name:
            return self._of_values(name.rpartition(CONTEXT)[2], old[1:], new[1:])
        if name.startswith(f"{WEIGHTING}/") and not self._balances_alike:
            return None
        if self._renamed and name.startswith((f"{TRUNK}/", f"{HEADS}/")) and ("gate" in name or "stitch" in name):
            return None  # an axis of experts or tasks, whose names have changed
        found = [self._of_axis(name, axis, *sizes) for axis, sizes in enumerate(zip(old, new, strict=True))]
        return None if any(moves is None for moves in found) else [moves for moves in found if moves is not None]

    def _of_table(self, width: int) -> Axes:
        parts = [(r.old.offset, r.new.offset, r.moves) for r in self._regions if r.new.dimension == width]
        sets = RowMoves.between(
            [(name, place) for name in self._sets for place in range(width)],
            [(name, place) for name in self._new_sets for place in range(width)],
        )
        return [RowMoves.joined(parts), sets]

    def _of_values(self, feature: str, old: Sequence[int], new: Sequence[int]) -> Axes | None:
        """The moves of rows by the feature's vocabulary, whose other axes must be as before."""
        regions = (r for r in self._regions if any(field.feature == feature for _, field in r.new.fields))
        region = next(regions, None)
        return None if region is None or old != new else [region.moves, *map(RowMoves.identity, new)]

    def _of_axis(self, name: str, axis: int, old: int, new: int) -> RowMoves | None:
        """The moves of one axis; ``None`` if it has input columns that changed and cannot be told by name."""
        growth = self._growth(name, axis)
        if growth == 0:
            return RowMoves.identity(old) if old == new else None
        for before, now, grown, more in self._candidates(name, axis):
            if (old, new, growth) == (len(before) + more, len(now) + more, grown):
                return RowMoves.between([*before, *range(more)], [*now, *range(more)])
        return None

    def _growth(self, name: str, axis: int) -> int:
        """By how much the axis grows with the input columns; 0 if these are the same as before, -1 if unknown."""
        if self._inputs == self._new_inputs:
            return 0
        found = self._input_axes.growth.get(name)
        return -1 if found is None else found[axis]

    def _candidates(self, name: str, axis: int) -> Iterator[tuple[tuple[str, ...], tuple[str, ...], int, int]]:
        """Old and new columns that an axis may have, its growth then, and how many others follow them."""
        before, now, axes = self._inputs, self._new_inputs, self._input_axes
        if name.endswith("/kernel_context") and axis == 0:
            yield before.context, now.context, axes.context, 0
        elif name.endswith("/kernel_candidate") and axis == 0:
            yield before.candidate, now.candidate, axes.candidate, 0
            yield before.candidate, now.candidate, axes.candidate, axes.crossed
        elif name.startswith("interactions/"):
            yield _both(before), _both(now), axes.context + axes.candidate, 0

    @cached_property
    def _input_axes(self) -> InputAxes:
        return input_axes(self._model, self._experiment, self._embeds_otherwise)


def _embedded(encoder: Encoder) -> list[list[tuple[str, int]]]:
    return [[(field.feature, field.dimension) for field in side.ids] for _, side in encoder.layout.sides()]


def _both(inputs: InputColumns) -> tuple[str, ...]:
    return (*inputs.context, *inputs.candidate)


def _regions(old: Encoder, new: Encoder) -> Iterator[_Region]:
    before = {region.feature: region for region in table_regions(old.layout)}
    for region in table_regions(new.layout):
        earlier = before.get(region.feature)
        if earlier is None or earlier.dimension != region.dimension:
            continue
        moves = new.encodings[region.feature].row_moves(old.encodings[region.feature])
        if moves is not None:
            yield _Region(earlier, region, moves)


def _counted(region: _Region) -> str:
    stay = len(region.moves.targets)
    return (
        f"embedding rows of {region.new.feature}: {stay:,} stay, {region.new.rows - stay:,} are new, "
        f"{region.old.rows - stay:,} leave"
    )


def _about_schema(experiment: Experiment, earlier: Earlier) -> Iterator[str]:
    """Lines about tasks and features that are new, and those that are gone."""
    old, new = earlier.artifact.schema, experiment.log_schema
    for kind, before, now in (("tasks", old.tasks, new.tasks), ("features", old.features, new.features)):
        for what, names in (
            ("new", [n for n in now if n not in before]),
            ("gone", [n for n in before if n not in now]),
        ):
            if names:
                yield f"{what} {kind}: {', '.join(names)}"


def _about_variables(names: Mapping[str, object], moves: Mapping[str, Axes], saved: Arrays) -> Iterator[str]:
    """Lines about variables that start fresh, and about rows of others that do."""
    fresh = [name for name in names if name not in moves]
    if fresh:
        more = f" and {len(fresh) - SHOWN} more" if len(fresh) > SHOWN else ""
        yield f"{len(fresh)} of {len(names)} variables start fresh: {', '.join(fresh[:SHOWN])}{more}"
    parts = [
        name
        for name in moves
        if not name.startswith(TABLES)
        and any(not m.is_identity(size, size) for m, size in zip(moves[name], saved[name].shape, strict=True))
    ]
    if parts:
        yield f"inputs have changed: {len(parts)} variables keep the rows of inputs that are still there"
