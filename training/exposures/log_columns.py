"""Columns of the training log that a config reads, from the columns of exposures and from files of items and users."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from ranker.exposures.columns import CANDIDATE, CONTEXT, ITEM
from ranker.log_files.log_reader import DataError
from ranker.registry import suggestion
from training.config.experiment import Experiment
from training.data.experiment_log import kinds_of, required_columns
from training.exposures.lookup import Lookup
from training.exposures.time_forms import TimeForm

KEPT = ("request_id", "time", "propensity", "experiment", "group", "model", "version")
"""Columns of exposures that the log always has, unless a column of the config has the name."""
POSITION = "position"
_PLACES = {**dict.fromkeys(KEPT), "place": None}


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
        self._items, self._users = items, users
        self._id = None if schema.candidate_id is None else schema.column(schema.candidate_id)
        self._position = POSITION if experiment.position is None else experiment.position.column
        self._times = dict(times)

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
            near = suggestion(column, [*KEPT, POSITION])
            parts.append(f"the column {column!r}{near}, which is no feature and no label (--label makes one of events)")
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
        found: dict[str, dict[str, Any]] = {}
        for side in ("context", "candidate", "other"):
            for column in getattr(self.needed, side):
                source = self._source(side, column, present)
                assert source is not None, "check was called"
                columns[column] = source(rows, found)
        for name in ("items", "users"):
            if name in found:
                self.unknown[name] += int(found[name]["unknown"])
        columns = {**columns, **labels}
        columns.setdefault(self._position, rows["place"])
        for name in KEPT:
            columns.setdefault(name, rows[name])
        return pa.table(columns)

    def _source(
        self, side: str, column: str, present: Sequence[str]
    ) -> Callable[[pa.Table, dict[str, dict[str, Any]]], Any] | None:
        """How a column is made; ``None`` if it cannot be."""
        if column == self._id:
            return lambda rows, _: rows[ITEM]
        sides = {"context": (CONTEXT,), "candidate": (CANDIDATE,), "other": (CONTEXT, CANDIDATE)}[side]
        for prefix in sides:
            if prefix + column in present:
                return lambda rows, _, name=prefix + column: rows[name]  # type: ignore[misc]
        if side == "other":
            if column in self._times:
                return lambda rows, _: self._times[column](rows["time"])
            if column == self._position:
                return lambda rows, _: rows["place"]
            if column in _PLACES:
                return lambda rows, _: rows[column]
        for name, lookup, key in (("users", self._users, "unit"), ("items", self._items, ITEM)):
            if lookup is not None and column in lookup.columns and side in (*_SIDES[name], "other"):
                return lambda rows, found, name=name, lookup=lookup, key=key: _taken(  # type: ignore[misc]
                    found, name, lookup, rows[key], column
                )
        return None


_SIDES = {"users": ("context",), "items": ("candidate",)}


def _taken(found: dict[str, dict[str, Any]], name: str, lookup: Lookup, ids: Any, column: str) -> Any:
    if name not in found:
        found[name] = lookup.rows(ids)
    return found[name]["table"][column]
