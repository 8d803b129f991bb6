"""Computes the time from which a split by time holds rows out."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ranker.log_files.log_reader import DataError, Log
from training.config.data import SplitByTime
from training.data.split.quantile import at_rank
from training.data.split.time_column import SECOND, Kind, TimeColumn, Values, holds, parse, shown, started
from training.data.split.time_units import EPOCHS, Units

DAY = 86_400 * SECOND
UNITS = {"hour": (3_600 * SECOND, 0), "day": (DAY, 0), "week": (7 * DAY, 3 * DAY)}
"""Length, and offset of the unit's start before 1970: weeks start on Mondays, 1970 on a Thursday."""


@dataclass(frozen=True)
class Window:
    """Range of a log's time column; rows before ``start`` are trained on, the others held out."""

    column: str
    kind: Kind
    low: float
    start: float
    high: float


@dataclass(frozen=True)
class _Survey:
    kind: Kind
    rows: int
    low: float
    high: float


def window(log: Log, rule: SplitByTime, column: TimeColumn) -> Window:
    """Apply a rule to a log, in a few passes over one column. Raises ``DataError`` if a side would be empty."""
    survey = _survey(log, column)
    here = f"column {rule.column!r} holds {holds(survey.kind, survey.low, survey.high)}"
    if rule.start is not None:
        start = started(rule.start, survey.kind, rule.format)
        if start is None:
            raise DataError(_other_kind(rule.start, survey, here))
    elif rule.last is not None:
        start = _last(log, rule, column, survey, here)
    else:
        start = _latest_share(log, rule, column, survey, here)
    asked = f"data.split.start {shown(start, survey.kind)}"
    if start <= survey.low:
        raise DataError(f"{asked} leaves no row to train on: {here}, in {survey.rows:,} rows")
    if start > survey.high:
        raise DataError(f"{asked} holds out no row to validate on: {here}, in {survey.rows:,} rows")
    return Window(rule.column, survey.kind, survey.low, start, survey.high)


def _survey(log: Log, column: TimeColumn) -> _Survey:
    kind: Kind = "number"
    rows, ends, units = 0, [], Units()
    for chunk in log.chunks([column.name]):
        if chunk.rows:
            times = column.of(chunk)
            kind, rows = times.kind, rows + chunk.rows
            ends.append((times.values.min().item(), times.values.max().item()))
            if kind == "number":
                units.add(chunk.source, times.values)
    if not rows:
        raise DataError("the log has no rows")
    units.check(column.name)
    low, high = min(end[0] for end in ends), max(end[1] for end in ends)
    if any(isinstance(end[0], float) for end in ends):  # if any file holds floats, all are compared as floats
        low, high = float(low), float(high)
    return _Survey(kind, rows, low, high)


def _values(log: Log, column: TimeColumn) -> Iterator[Values]:
    for chunk in log.chunks([column.name]):
        if chunk.rows:
            yield column.of(chunk).values


def _last(log: Log, rule: SplitByTime, column: TimeColumn, survey: _Survey, here: str) -> Any:
    """Start of the last distinct values, or of the last hours, days or weeks with rows."""
    size, before = 1, 0
    if rule.unit is not None:
        if survey.kind != "instant":
            raise DataError(f"data.split.unit: {rule.unit} needs dates or times; {here}")
        size, before = UNITS[rule.unit]
    latest: NDArray[Any] = np.zeros(0, dtype=np.int64)
    wanted = rule.last or 1
    for values in _values(log, column):
        steps = (values + before) // size if rule.unit else values
        latest = np.unique(np.concatenate([latest, steps]) if len(latest) else steps)[-wanted - 1 :]
    if len(latest) <= wanted:
        counted = f"{rule.unit}(s) with rows" if rule.unit else "distinct value(s)"
        raise DataError(
            f"data.split.last: {wanted} leaves no row to train on: {here}, only {len(latest)} {counted} "
            f"in {survey.rows:,} rows"
        )
    start = latest[-wanted].item()
    return start * size - before if rule.unit else start


def _latest_share(log: Log, rule: SplitByTime, column: TimeColumn, survey: _Survey, here: str) -> Any:
    """The value from which on at least ``fraction`` of the rows lie; rows with equal values stay together."""
    held_out = min(max(round((rule.fraction or 0.0) * survey.rows), 1), survey.rows)
    start = at_rank(lambda: _values(log, column), survey.rows - held_out, survey.low, survey.high)
    if start > survey.low:
        return start
    later = [values[values > start].min() for values in _values(log, column) if (values > start).any()]
    if not later:
        raise DataError(f"data.split.fraction: nothing can be held out: {here}, one value in {survey.rows:,} rows")
    return min(later).item()


def _other_kind(start: float | date | str, survey: _Survey, here: str) -> str:
    """Error message for a start of the wrong kind, with a correct value."""
    if survey.kind == "instant":
        reason = "is a number" if isinstance(start, int | float) else "is not a date or time in ISO form"
        return (
            f"data.split.start: {here}; {start!r} {reason}; write a date or time in ISO form, such as "
            f"{shown(survey.high, survey.kind)}"
        )
    instants, good = parse([str(start)])
    if not good[0]:
        return f"data.split.start: {start!r} is neither a number nor a date; {here}"
    text = f"data.split.start: {here}; {start} is a date"
    if parse([f"{survey.low:.0f}", f"{survey.high:.0f}"], "%Y%m%d")[1].all():
        day = shown(int(instants[0]), "instant")[:10].replace("-", "")
        return f"{text}; write start: {day}, or format: '%Y%m%d' to read such numbers as dates"
    for unit, per_second in EPOCHS.items():
        if 10**8 <= survey.high / per_second < 10**10:  # from 1973 to 2286
            return f"{text}; as {unit} since 1970 it is {int(instants[0]) * per_second // SECOND}"
    return f"{text}; write it like the column's numbers"
