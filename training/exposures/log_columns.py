"""Columns of the training log that a config reads, from the columns of exposures and from files of items and users."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from ranker.exposures.columns import CANDIDATE, CONTEXT, ITEM
from ranker.log_files.log_reader import DataError
from training.config.experiment import Experiment
from training.data.experiment_log import kinds_of, required_columns
from training.exposures.lookup import Lookup
from training.exposures.time_forms import TimeForm

KEPT = ("request_id", "time", "propensity", "experiment", "group", "model", "version")
"""Columns of exposures that the log always has, unless a column of the config has the name."""
POSITION = "position"
_PREFIXES = {"context": (CONTEXT,), "candidate": (CANDIDATE,), "other": (CONTEXT, CANDIDATE)}
_SIDES = {"users": ("context", "other"), "items": ("candidate", "other")}
Found: TypeAlias = dict[str, dict[str, Any]]
"""What :meth:`Lookup.rows` gave for these rows, by file."""
Source: TypeAlias = Callable[[pa.Table, Found], Any]
"""Makes a column of the log from exposures."""


@dataclass(frozen=True)
class Needed:
    """Columns that a config reads: of the context, of candidates, and others, which are no labels."""

    context: tuple[str, ...]
    candidate: tuple[str, ...]
    other: tuple[str, ...]

    @classmethod
    def of(cls, experiment: Experiment, labels: Sequence[str]) -> "Needed":
        """The columns of a config, without those that are labels."""
        schema = experiment.log_schema
        context, candidate = (
            tuple(dict.fromkeys(schema.column(name) for name in side)) for side in (schema.context, schema.candidate)
        )
        known = {*context, *candidate, *labels}
        reads = dict.fromkeys([*kinds_of(experiment), *required_columns(experiment)])
        return cls(context, candidate, tuple(column for column in reads if column not in known))


class LogColumns:
    """Makes rows of the log from rows of exposures.

    Attributes
    ----------
    unknown
        Rows so far whose item or user was not in the file of these.
    """

    def __init__(
        self,
        experiment: Experiment,
        labels: Sequence[str],
        times: Mapping[str, TimeForm],
        items: Lookup | None = None,
        users: Lookup | None = None,
    ) -> None:
        """``times`` says how columns of times are written, as :func:`~training.exposures.time_forms.time_forms`."""
        schema = experiment.log_schema
        self.needed = Needed.of(experiment, labels)
        self.unknown = {"items": 0, "users": 0}
        self._known = dict.fromkeys((*self.needed.context, *self.needed.candidate), 0)
        self._items, self._users = items, users
        self._id = None if schema.candidate_id is None else schema.column(schema.candidate_id)
        self._position = POSITION if experiment.position is None else experiment.position.column
        self._times = dict(times)

    @property
    def taken(self) -> set[str]:
        """Columns that no event can give: those of features, and those that every log has."""
        return {*self.needed.context, *self.needed.candidate, self._position, *KEPT}

    @property
    def empty(self) -> list[str]:
        """Columns of features that have been null in all rows so far."""
        return [column for column, known in self._known.items() if not known]

    def check(self, present: Sequence[str], file: Path) -> None:
        """Raise ``DataError`` for a file of exposures that lacks columns which no other file has, naming all."""
        missing = {
            side: [column for column in getattr(self.needed, side) if self._source(side, column, present) is None]
            for side in ("context", "candidate", "other")
        }
        if not any(missing.values()):
            return
        parts = []
        for side, columns, option in (
            ("context", missing["context"], "--users"),
            ("candidate", missing["candidate"], "--items"),
        ):
            if columns:
                parts.append(
                    f"the {side} column(s) {', '.join(columns)} (have the service log them by its setting "
                    f"exposures_features, or take them from a file with {option})"
                )
        for column in missing["other"]:
            parts.append(f"the column {column!r}, which is no feature and no label (--label makes one of events)")
        raise DataError(f"{file} lacks {'; '.join(parts)}")

    def reads(self, present: Sequence[str]) -> list[str]:
        """Columns of exposures that :meth:`table` reads."""
        wanted = [*KEPT, "place", "returned", "unit", ITEM]
        for column in (*self.needed.context, *self.needed.candidate, *self.needed.other):
            wanted += [name for name in (CONTEXT + column, CANDIDATE + column) if name in present]
        return list(dict.fromkeys(wanted))

    def table(self, rows: pa.Table, labels: Mapping[str, pa.Array]) -> pa.Table:
        """The log's columns [N] of exposures [N] and their labels, each [N]."""
        columns: dict[str, Any] = {"request_id": rows["request_id"]}
        present = rows.column_names
        if self._id is not None:
            columns[self._id] = rows[ITEM]
        found: Found = {}
        for side in ("context", "candidate", "other"):
            for column in getattr(self.needed, side):
                source = self._source(side, column, present)
                assert source is not None, "check was called"
                columns[column] = source(rows, found)
                if side != "other":
                    self._known[column] += rows.num_rows - columns[column].null_count
        for name in ("items", "users"):
            if name in found:
                self.unknown[name] += int(found[name]["unknown"])
        columns = {**columns, **labels}
        columns.setdefault(self._position, rows["place"])
        for name in KEPT:
            columns.setdefault(name, rows[name])
        return pa.table(columns)

    def _source(self, side: str, column: str, present: Sequence[str]) -> Source | None:
        """How a column is made; ``None`` if it cannot be."""
        if column == self._id:
            return lambda rows, _: rows[ITEM]
        logged = next((prefix + column for prefix in _PREFIXES[side] if prefix + column in present), None)
        stored = self._stored(side, column)
        if logged is not None and stored is not None:  # such as of candidates that were sent as ids alone
            return lambda rows, found: _filled(rows[logged], stored(rows, found))
        if logged is not None:
            return lambda rows, _: rows[logged]
        if side == "other":
            if column in self._times:
                return lambda rows, _: self._times[column](rows["time"])
            if column == self._position:
                return lambda rows, _: rows["place"]
            if column in KEPT or column == "place":
                return lambda rows, _: rows[column]
        return stored

    def _stored(self, side: str, column: str) -> Source | None:
        """How a column is taken from a file of users or items; ``None`` if neither has it."""
        for name, lookup, key in (("users", self._users, "unit"), ("items", self._items, ITEM)):
            if lookup is not None and column in lookup.columns and side in _SIDES[name]:

                def taken(rows: pa.Table, found: Found, name: str = name, key: str = key, of: Lookup = lookup) -> Any:
                    if name not in found:
                        found[name] = of.rows(rows[key])
                    return found[name]["table"][column]

                return taken
        return None


def _filled(logged: Any, stored: Any) -> Any:
    """Logged values [N], and stored ones where these are null."""
    if not logged.null_count:
        return logged
    logged, stored = _plain(logged), _plain(stored)
    return pc.if_else(logged.is_valid(), logged, stored.cast(logged.type))


def _plain(column: Any) -> Any:
    """One array without a dictionary."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return array.cast(array.type.value_type) if pa.types.is_dictionary(array.type) else array
