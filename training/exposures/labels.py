"""Labels of an exposure, added up from its events."""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from ranker.registry import alternatives
from ranker.schema import Schema
from training.exposures.spill import Spill

Values: TypeAlias = npt.NDArray[np.float64]
Starts: TypeAlias = npt.NDArray[np.intp]


class Kind(NamedTuple):
    """How the values of an exposure's events become one.

    Attributes
    ----------
    of
        From values [E] by exposure and time, and the first event of each exposure [R]: a value for each [R].
    default
        Value of an exposure without an event; NaN for null.
    """

    of: Callable[[Values, Starts], Values]
    default: float


def _any(values: Values, starts: Starts) -> Values:
    del values
    return np.ones(starts.size)


LABEL_KINDS: dict[str, Kind] = {
    "any": Kind(_any, 0.0),
    "count": Kind(lambda values, starts: np.diff(starts, append=values.size).astype(np.float64), 0.0),
    "sum": Kind(lambda values, starts: np.add.reduceat(values, starts), 0.0),
    "max": Kind(lambda values, starts: np.maximum.reduceat(values, starts), np.nan),
    "last": Kind(lambda values, starts: values[np.append(starts[1:], values.size) - 1], np.nan),
}
"""any: 1 if there is an event, else 0; count: how many; sum, max, last: of their values, the last by time."""
RANGE = 2**18
"""Rows whose labels are added up at once."""
MATCHED = [("row", "i8"), ("time", "i8"), ("code", "i2"), ("value", "f8"), ("identity", "u8")]
"""An event that counts, and the number of its row."""
_FORM = re.compile(r"(?P<column>[^=]+)=(?P<event>[^:]+):(?P<kind>\w+)")


class Label(NamedTuple):
    """A column of the training log, and the kind of events that it is made of."""

    column: str
    event: str
    kind: str

    def __str__(self) -> str:
        return f"{self.column}={self.event}:{self.kind}"


def label(text: str) -> Label:
    """Read ``click=click:any``. Raises ``ValueError``."""
    found = _FORM.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"--label {text!r}: must be COLUMN=EVENT:KIND, such as watch_time=watch:sum")
    if found["kind"] not in LABEL_KINDS:
        raise ValueError(
            f"--label {text!r}: no kind of label is named {found['kind']!r}{alternatives(found['kind'], LABEL_KINDS)}"
        )
    return Label(found["column"].strip(), found["event"].strip(), found["kind"])


def labels_of(schema: Schema) -> list[Label]:
    """The labels that a schema's tasks read, each of the events named like its column.

    A column is ``any`` if it is the label of a task with labels 0 and 1, ``sum`` if it is an amount, and else ``last``.
    Columns of formulas are ``sum``: where an event occurs once and has no value, that is 1.
    """
    found: dict[str, Label] = {}
    for name, task in schema.tasks.items():
        for column in task.label_columns(name):
            if column == task.mask:
                continue
            plain = task.label is None
            kind = "any" if plain and task.binary_labels else "last" if plain and "amount" not in task.traits else "sum"
            known = found.get(column)
            found[column] = Label(column, column, kind) if known is None or known.kind == "sum" else known
    return list(found.values())


def check_labels(labels: Sequence[Label]) -> None:
    """Raise ``ValueError`` for a column that is given twice."""
    seen: set[str] = set()
    for each in labels:
        if each.column in seen:
            raise ValueError(f"--label {each}: the column {each.column!r} has another label already")
        seen.add(each.column)


def added_up(
    labels: Sequence[Label],
    rows: int,
    row: npt.NDArray[np.int64],
    time: npt.NDArray[np.int64],
    event: Sequence[str],
    code: npt.NDArray[np.integer],
    value: Values,
    identity: npt.NDArray[np.uint64],
) -> dict[str, Values]:
    """Labels by column, each [rows], from events [E]: their exposure, time, code of their name in ``event``, value.

    Events of an exposure count in the order of time, and of ``identity`` where that is equal, so that the result does
    not depend on the order in which they are given.
    """
    order = np.lexsort((identity, time, row))
    row, code, value = row[order], code[order], value[order]
    found = {}
    for each in labels:
        kind = LABEL_KINDS[each.kind]
        column = np.full(rows, kind.default)
        its = code == (event.index(each.event) if each.event in event else -1)
        starts = np.flatnonzero(np.diff(row[its], prepend=-1))
        if starts.size:
            column[row[its][starts]] = kind.of(value[its], starts)
        found[each.column] = column
    return found


class RowLabels:
    """Labels of rows by number, added up range by range from matched events on disk.

    ``matched`` has records of ``MATCHED``, in parts of ``RANGE`` rows each; ``events`` are the names of their codes.
    """

    def __init__(self, matched: Spill, labels: Sequence[Label], events: Sequence[str]) -> None:
        self._matched, self._labels, self._events = matched, labels, events
        self._range = -1
        self._found: dict[str, Values] = {}

    def of(self, numbers: npt.NDArray[np.int64]) -> dict[str, Values]:
        """Labels by column, each [N], of rows with ascending numbers [N]."""
        ranges = numbers // RANGE
        pieces = [
            self._of_range(each, numbers[ranges == each] % RANGE) for each in range(int(ranges[0]), int(ranges[-1]) + 1)
        ]
        return {label.column: np.concatenate([piece[label.column] for piece in pieces]) for label in self._labels}

    def _of_range(self, number: int, places: npt.NDArray[np.int64]) -> dict[str, Values]:
        if number != self._range:
            some = self._matched.read(number)
            self._found = added_up(
                self._labels, RANGE, some["row"] % RANGE, some["time"], self._events, some["code"], some["value"],
                some["identity"],
            )  # fmt: skip
            self._range = number
        return {name: values[places] for name, values in self._found.items()}
