"""Reads a column as comparable times: instants, or plain numbers.

An instant is a timestamp, a date, or text in ISO 8601 or the format ``data.split.format``; times without a time zone
are UTC. A number is an integer or a float in any unit, or text of digits. A column must hold the same kind in all
files.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ranker.encoding import Ragged
from ranker.encoding.columns import Mask
from ranker.encoding.text import Text
from ranker.log_files.iso_text import is_iso, plain
from ranker.log_files.log_reader import Chunk, DataError
from training.data.split.missing import missing

Kind: TypeAlias = Literal["instant", "number"]
Values: TypeAlias = NDArray[np.int64] | NDArray[np.float64]

DIGITS = r"^\d{1,18}$"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = 1_000_000


@dataclass(frozen=True)
class Times:
    """Values [N] of one kind: UTC microseconds since 1970 for instants, int64 or float64 for numbers."""

    kind: Kind
    values: Values


class TimeColumn:
    """Reads one column over all chunks of a log. ``form`` is the ``strptime`` format of its text and whole numbers."""

    def __init__(self, name: str, form: str | None = None) -> None:
        self.name, self._format = name, form
        self._first: tuple[str, Kind] | None = None

    def of(self, chunk: Chunk) -> Times:
        """Times [N] of a chunk. Raises ``DataError`` naming the file, and the row and value if one is invalid."""
        found = self._read(chunk)
        first, kind = self._first or (chunk.source, found.kind)
        self._first = (first, kind)
        if kind != found.kind:
            raise DataError(
                f"column {self.name!r} holds {_PLURAL[kind]} in {first} and {_PLURAL[found.kind]} in {chunk.source}; "
                f"times can be compared only where all files hold the same"
            )
        return found

    def _read(self, chunk: Chunk) -> Times:
        column = chunk.columns[self.name]
        if isinstance(column, Ragged):
            raise self._of_type(chunk, "lists")
        if isinstance(column, np.ndarray) and column.dtype.kind == "b":
            raise self._of_type(chunk, "booleans")
        lacking = missing(column)
        if lacking.any():
            row = chunk.first + int(np.argmax(lacking))
            raise DataError(f"{chunk.source}, row {row}, column {self.name!r}: no value to split by time on")
        if not isinstance(column, np.ndarray) or column.dtype.kind in "OUT":
            return self._parsed(*_distinct(column), chunk)
        values = np.asarray(column)
        if values.dtype.kind == "M":
            return Times("instant", values.astype("datetime64[us]").view(np.int64))
        if self._format is not None and values.dtype.kind in "iu":
            numbers, indices = np.unique(values, return_inverse=True)
            return self._parsed(numbers.astype(str).tolist(), indices, chunk)
        self._require(np.isfinite(values), values, chunk, "a finite number")
        if values.dtype.kind == "f":
            return Times("number", values.astype(np.float64))
        if values.dtype == np.uint64:
            self._require(values < 2**63, values, chunk, "a time: numbers go to 2**63 - 1")
        return Times("number", values.astype(np.int64))

    def _parsed(self, texts: list[str], indices: NDArray[np.intp], chunk: Chunk) -> Times:
        """Times of distinct texts, gathered at indices [N]."""
        if self._format is not None:
            instants, good = parse(texts, self._format)
            self._require(
                good[indices], texts, chunk, f"a time in the format data.split.format {self._format!r}", indices
            )
            return Times("instant", instants[indices])
        array = pa.array(texts, pa.string())
        digits = pc.match_substring_regex(array, DIGITS).to_numpy(zero_copy_only=False)
        if len(digits) and digits.all():
            return Times("number", np.array(texts, dtype=np.int64)[indices])
        instants, good = parse(texts)
        expected = (
            "a date or time in ISO form such as 2024-01-09 or 2024-01-09T18:30:00Z; set data.split.format, for "
            "example format: '%m/%d/%Y'"
        )
        self._require((good | digits)[indices], texts, chunk, expected, indices)
        self._require(
            good[indices], texts, chunk, "a date or time in ISO form, like other values of the column", indices
        )
        return Times("instant", instants[indices])

    def _of_type(self, chunk: Chunk, kind: str) -> DataError:
        return DataError(
            f"{chunk.source}, column {self.name!r}: holds {kind}; a split by time needs one timestamp, date, number "
            "or text per row"
        )

    def _require(
        self, fits: Mask, values: Any, chunk: Chunk, expected: str, indices: NDArray[np.intp] | None = None
    ) -> None:
        if not fits.all():
            row = int(np.argmin(fits))
            value = values[row if indices is None else int(indices[row])]
            shown = repr(value.item() if isinstance(value, np.generic) else value)
            raise DataError(f"{chunk.source}, row {chunk.first + row}, column {self.name!r}: {shown} is not {expected}")


def parse(texts: list[str], form: str | None = None) -> tuple[NDArray[np.int64], Mask]:
    """Parse ISO or ``strptime`` texts: UTC microseconds since 1970 [K], and a mask [K] of valid ones."""
    array = pa.array(texts, pa.string())
    if form is None:
        array = plain(pc.if_else(is_iso(array), array, None))
    found = pd.to_datetime(array.to_pandas(), format=form or "ISO8601", utc=True, errors="coerce")
    instants = pd.DatetimeIndex(found).as_unit("us").tz_localize(None).to_numpy()
    return instants.view(np.int64), ~np.isnat(instants)


def started(start: float | date | str, kind: Kind, form: str | None = None) -> float | None:
    """Convert ``start`` to the values of a column of that kind; ``None`` if it is of the other kind."""
    if isinstance(start, datetime):
        instant = start if start.tzinfo else start.replace(tzinfo=UTC)
        return (instant - EPOCH) // timedelta(microseconds=1) if kind == "instant" else None
    if isinstance(start, date):
        start = start.isoformat()
    if isinstance(start, int | float) and (form is None or isinstance(start, float)):
        return start if kind == "number" else None
    text = str(start).strip()
    if kind == "number":
        return int(text) if text.isascii() and text.isdigit() else None
    for written in dict.fromkeys([form, None]):
        instants, good = parse([text], written)
        if good[0]:
            return int(instants[0])
    return None


def shown(value: float, kind: Kind) -> str:
    """Format a value of a column."""
    if kind == "number":
        return str(value)
    text = str(np.datetime64(int(value), "us"))
    return text[: -len("T00:00:00.000000")] if text.endswith("T00:00:00.000000") else text.removesuffix(".000000") + "Z"


def holds(kind: Kind, low: float, high: float) -> str:
    """Describe the range of a column."""
    return f"{_PLURAL[kind]} from {shown(low, kind)} to {shown(high, kind)}"


_PLURAL: dict[Kind, str] = {"instant": "dates or times", "number": "numbers"}


def _distinct(column: "NDArray[Any] | Text | Sequence[Any]") -> tuple[list[str], NDArray[np.intp]]:
    """Distinct stripped texts [K], and the index of each row's text among them [N]."""
    if isinstance(column, Text):
        used, indices = np.unique(column.rows, return_inverse=True)
        return [text.strip() for text in column.strings(used)], indices
    indices, texts = pd.factorize(np.array(column, dtype=object))
    return [str(text).strip() for text in texts], indices
