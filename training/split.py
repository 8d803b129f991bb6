"""Which rows of a log are held out for validation."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ranker.encoding import Text
from ranker.encoding.columns import Mask, microseconds, require_single
from ranker.encoding.text import splitmix64
from training.config import SplitAtRandom, SplitByFiles, SplitByTime
from training.log import Chunk, DataError, Log

HeldOut: TypeAlias = Callable[[Chunk], Mask]
BINS = 65_536


@dataclass(frozen=True)
class Split:
    """Training rows are those of ``log`` that are not held out; with ``other``, the validation rows are all of it."""

    log: Log
    held_out: HeldOut
    columns: tuple[str, ...] = ()
    other: Log | None = None

    def training(self, columns: list[str], optional: Sequence[str] = ()) -> Iterator[tuple[Chunk, Mask]]:
        """Chunks with the rows to train on."""
        for chunk in self.log.chunks(self._with_own(columns), optional):
            yield chunk, ~self.held_out(chunk)

    def validation(self, columns: list[str], optional: Sequence[str] = ()) -> Iterator[tuple[Chunk, Mask]]:
        """Chunks with the rows to validate on."""
        if self.other is not None:
            for chunk in self.other.chunks(columns, optional):
                yield chunk, np.ones(chunk.rows, dtype=bool)
            return
        for chunk in self.log.chunks(self._with_own(columns), optional):
            yield chunk, self.held_out(chunk)

    def _with_own(self, columns: list[str]) -> list[str]:
        return list(dict.fromkeys([*columns, *self.columns]))


def split(log: Log, rule: SplitByTime | SplitAtRandom | SplitByFiles, seed: int) -> Split:
    """Apply a rule to a log; splitting by time reads its column first. Raises ``DataError``."""
    if isinstance(rule, SplitByFiles):
        return Split(log, lambda chunk: np.zeros(chunk.rows, dtype=bool), other=_validation(log, rule))
    if isinstance(rule, SplitAtRandom):
        fraction = rule.fraction
        return Split(log, lambda chunk: uniform(chunk, seed) < fraction)
    log = log.typed({rule.column: "time"})
    start = _start(log, rule)
    column = rule.column
    return Split(log, lambda chunk: _times(chunk, column) >= start, columns=(column,))


def _validation(log: Log, rule: SplitByFiles) -> Log:
    """The log of the files to validate on. Raises ``DataError`` for one that is also trained on."""
    other = log.beside(rule.paths)
    for path in other.shared(log):
        raise DataError(f"{path}: is a file to train on and, by data.split.paths, to validate on")
    return other


def uniform(chunk: Chunk, seed: int) -> NDArray[np.float64]:
    """A number in [0, 1) for each row, by its place in the log and the seed alone."""
    places = np.arange(chunk.number, chunk.number + chunk.rows, dtype=np.uint64)
    salt = splitmix64(np.array([seed], dtype=np.uint64))
    return (splitmix64(places ^ salt) >> np.uint64(11)) / float(1 << 53)


def _start(log: Log, rule: SplitByTime) -> Any:
    """First value of the time column that is held out."""
    if rule.start is not None:
        return _comparable(log, rule.column, rule.start)
    if rule.last is not None:
        latest: NDArray[Any] | None = None
        for chunk in log.chunks([rule.column]):
            times = np.unique(_times(chunk, rule.column))
            latest = np.unique(times if latest is None else np.concatenate([latest, times]))[-rule.last - 1 :]
        if latest is None:
            raise DataError("the log has no rows")
        if len(latest) <= rule.last:
            raise DataError(
                f"data.split.last: {rule.last} leaves no row to train on: column {rule.column!r} has only "
                f"{len(latest)} distinct value(s)"
            )
        return latest[-rule.last]
    return _quantile(log, rule.column, 1.0 - (rule.fraction or 0.0))


def _comparable(log: Log, column: str, start: float | date | str) -> Any:
    """The start as the column's values are compared: a date in ISO form becomes microseconds for a timestamp."""
    first = next(log.chunks([column]), None)
    if first is None:
        raise DataError("the log has no rows")
    is_text = _times(first, column).dtype.kind == "U"
    if isinstance(start, int | float) and not is_text:
        return start
    try:
        return str(start) if is_text else int(np.datetime64(str(start), "us").astype(np.int64))
    except ValueError:
        raise DataError(f"data.split.start: {start!r} is no value of column {column!r}, nor a date") from None


def _quantile(log: Log, column: str, share: float) -> Any:
    """A value that about ``share`` of the rows lie below, found in bounded memory."""
    first = next(log.chunks([column]), None)
    if first is None:
        raise DataError("the log has no rows")
    if _times(first, column).dtype.kind == "U":
        counts: Counter[str] = Counter()
        for chunk in log.chunks([column]):
            counts.update(_times(chunk, column).tolist())
        values = sorted(counts)
        below = np.cumsum([counts[value] for value in values])
        return values[min(int(np.searchsorted(below, share * below[-1], side="left")) + 1, len(values) - 1)]
    ends = [(t.min(), t.max()) for t in (_times(chunk, column) for chunk in log.chunks([column]))]
    low, high = min(float(e[0]) for e in ends), max(float(e[1]) for e in ends)
    if low == high:
        raise DataError(f"data.split.fraction: column {column!r} has the one value {low:g}; nothing can be held out")
    histogram = np.zeros(BINS, dtype=np.int64)
    for chunk in log.chunks([column]):
        histogram += np.histogram(_times(chunk, column).astype(np.float64), bins=BINS, range=(low, high))[0]
    edges = np.linspace(low, high, BINS + 1)
    below = np.cumsum(histogram)
    return edges[min(int(np.searchsorted(below, share * below[-1], side="left")) + 1, BINS - 1)]


def _times(chunk: Chunk, name: str) -> NDArray[Any]:
    column = chunk.columns[name]
    with chunk.naming_rows():
        require_single(column, name, "one time a row")
    if isinstance(column, Text):
        column = np.array([*column.tolist(), None], dtype=object)[:-1]
    elif isinstance(column, np.ndarray) and column.dtype.kind == "M":
        column = np.ma.MaskedArray(microseconds(column), np.isnat(column))
    missing = np.ma.getmaskarray(column) if isinstance(column, np.ndarray) else np.ones(1, dtype=bool)
    values = np.asarray(column)
    if values.dtype.kind == "f":
        missing = np.isnan(values)
    elif values.dtype.kind == "O":
        missing = np.array([not isinstance(value, str) for value in values])
    if missing.any():
        row = chunk.first + int(np.argmax(missing))
        raise DataError(f"{chunk.source}, row {row}, column {name!r}: no value to split by time on")
    return values.astype(str) if values.dtype.kind == "O" else values
