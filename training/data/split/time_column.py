"""A column of a log as times that compare: instants, or plain numbers.

An instant is a timestamp, a date, text in ISO 8601 or in the form that ``data.split.format`` gives; times without a
zone are UTC. A number is an integer or a float of any unit, or text of digits alone. One column holds one of the two
in all files.
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
from training.data.files.iso_text import is_iso, plain
from training.data.log_reader import Chunk, DataError
from training.data.split.missing import missing

Kind: TypeAlias = Literal["instant", "number"]
Values: TypeAlias = NDArray[np.int64] | NDArray[np.float64]

DIGITS = r"^\d{1,18}$"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = 1_000_000


@dataclass(frozen=True)
class Times:
    """Values [N] of one kind: microseconds of UTC since 1970 for instants, int64 or float64 for numbers."""

    kind: Kind
    values: Values


class TimeColumn:
    """Reads one column of all chunks of a log. ``form`` is how ``strptime`` reads its text and whole numbers."""

    def __init__(self, name: str, form: str | None = None) -> None:
        self.name, self._format = name, form
        self._first: tuple[str, Kind] | None = None

    def of(self, chunk: Chunk) -> Times:
        """Times [N] of a chunk. Raises ``DataError`` naming the file, and the row and value where one is to blame."""
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
            numbers, places = np.unique(values, return_inverse=True)
            return self._parsed(numbers.astype(str).tolist(), places, chunk)
        self._require(np.isfinite(values), values, chunk, "a finite number")
        if values.dtype.kind == "f":
            return Times("number", values.astype(np.float64))
        if values.dtype == np.uint64:
            self._require(values < 2**63, values, chunk, "a time: numbers go to 2**63 - 1")
        return Times("number", values.astype(np.int64))

    def _parsed(self, texts: list[str], places: NDArray[np.intp], chunk: Chunk) -> Times:
        """Times of distinct texts, taken at places [N]."""
        if self._format is not None:
            instants, good = parse(texts, self._format)
            self._require(good[places], texts, chunk, f"a time as data.split.format {self._format!r} says", places)
            return Times("instant", instants[places])
        array = pa.array(texts, pa.string())
        digits = pc.match_substring_regex(array, DIGITS).to_numpy(zero_copy_only=False)
        if len(digits) and digits.all():
            return Times("number", np.array(texts, dtype=np.int64)[places])
        instants, good = parse(texts)
        expected = (
            "a date or time in ISO form such as 2024-01-09 or 2024-01-09T18:30:00Z; say how it is written by "
            "data.split.format, for example format: '%m/%d/%Y'"
        )
        self._require((good | digits)[places], texts, chunk, expected, places)
        self._require(good[places], texts, chunk, "a date or time in ISO form, as other values of the column", places)
        return Times("instant", instants[places])

    def _of_type(self, chunk: Chunk, kind: str) -> DataError:
        return DataError(
            f"{chunk.source}, column {self.name!r}: holds {kind}; a split by time needs one timestamp, date, number "
            "or text a row"
        )

    def _require(
        self, fits: Mask, values: Any, chunk: Chunk, expected: str, places: NDArray[np.intp] | None = None
    ) -> None:
        if not fits.all():
            row = int(np.argmin(fits))
            value = values[row if places is None else int(places[row])]
            shown = repr(value.item() if isinstance(value, np.generic) else value)
            raise DataError(f"{chunk.source}, row {chunk.first + row}, column {self.name!r}: {shown} is not {expected}")


def parse(texts: list[str], form: str | None = None) -> tuple[NDArray[np.int64], Mask]:
    """Microseconds of UTC since 1970 [K] of texts in ISO form, or in a ``strptime`` form, and which [K] can be read."""
    array = pa.array(texts, pa.string())
    if form is None:
        array = plain(pc.if_else(is_iso(array), array, None))
    found = pd.to_datetime(array.to_pandas(), format=form or "ISO8601", utc=True, errors="coerce")
    instants = pd.DatetimeIndex(found).as_unit("us").tz_localize(None).to_numpy()
    return instants.view(np.int64), ~np.isnat(instants)


def started(start: float | date | str, kind: Kind, form: str | None = None) -> float | None:
    """A ``start`` as a column of that kind holds its values, or ``None`` where it is of the other kind."""
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
    """A value of a column as a person writes it."""
    if kind == "number":
        return str(value)
    text = str(np.datetime64(int(value), "us"))
    return text[: -len("T00:00:00.000000")] if text.endswith("T00:00:00.000000") else text.removesuffix(".000000") + "Z"


def holds(kind: Kind, low: float, high: float) -> str:
    """The range of a column in words."""
    return f"{_PLURAL[kind]} from {shown(low, kind)} to {shown(high, kind)}"


_PLURAL: dict[Kind, str] = {"instant": "dates or times", "number": "numbers"}


def _distinct(column: "NDArray[Any] | Text | Sequence[Any]") -> tuple[list[str], NDArray[np.intp]]:
    """Distinct texts [K], stripped of spaces, and the place of each row's among them [N]."""
    if isinstance(column, Text):
        used, places = np.unique(column.rows, return_inverse=True)
        return [text.strip() for text in column.strings(used)], places
    places, texts = pd.factorize(np.array(column, dtype=object))
    return [str(text).strip() for text in texts], places
