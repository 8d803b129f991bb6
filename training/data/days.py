"""The day of each row, by which ids expire, label statistics fade and folds are made when an artifact is carried on."""

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ranker.config.closed import Closed
from ranker.log_files.log_reader import Chunk, DataError
from training.config.data import SplitByTime
from training.config.experiment import Experiment
from training.data.split.time_column import SECOND, TimeColumn, Values, parse, shown
from training.data.split.time_split import DAY
from training.data.split.time_units import EPOCHS, unit_of

Unit: TypeAlias = Literal["times", "dates", "seconds", "milliseconds", "microseconds", "nanoseconds", "days", "fits"]
"""What days are counted by: times; numbers such as 20240109; numbers of a unit since 1970; days; the fits so far."""
DATES = "%Y%m%d"


class Days(Closed):
    """Days of the training rows, and what they were counted by."""

    first: int
    last: int
    column: str | None
    unit: Unit


class DayClock:
    """Days since 1970 of a time column, its own numbers if they are no times, or the number of the fit.

    The first chunk decides what the column's numbers are.

    Attributes
    ----------
    column
        The column, if any.
    unit
        What days are counted by; ``None`` before the first chunk.
    """

    def __init__(self, experiment: Experiment, fit: int) -> None:
        rule = experiment.data.split
        of_split = rule if isinstance(rule, SplitByTime) else None
        self.column = experiment.day_column
        self.unit: Unit | None = None if self.column else "fits"
        self._fit = fit
        form = of_split.format if of_split is not None and of_split.column == self.column else None
        self._times = TimeColumn(self.column, form) if self.column else None

    @property
    def columns(self) -> list[str]:
        """The columns that :meth:`of` reads."""
        return [self.column] if self.column else []

    def of(self, chunk: Chunk) -> NDArray[np.int64]:
        """Days [N] of a chunk. Raises ``DataError`` for a value that is no time."""
        if self._times is None or not chunk.rows:
            return np.full(chunk.rows, self._fit, dtype=np.int64)
        times = self._times.of(chunk)
        if self.unit is None:
            self.unit = _unit(times.values) if times.kind == "number" else "times"
        if self.unit == "days":
            return np.floor(times.values).astype(np.int64)
        instants = self._dates(times.values, chunk) if self.unit == "dates" else times.values
        return np.floor(instants / _per_day(self.unit)).astype(np.int64)

    def shown(self, chunk: Chunk, row: int) -> str:
        """The value in a row of a chunk as text; empty without a column."""
        if self._times is None:
            return ""
        times = self._times.of(chunk)
        return shown(times.values[row].item(), times.kind)

    def _dates(self, numbers: Values, chunk: Chunk) -> Values:
        """Instants [N] of numbers such as 20240109, integers or floats. Raises ``DataError`` for another one."""
        distinct, places = np.unique(numbers, return_inverse=True)
        instants, good = parse([f"{number:.15g}" for number in distinct.tolist()], DATES)
        if not good.all():
            row = int(np.argmin(good[places]))
            raise DataError(
                f"{chunk.source}, row {chunk.first + row}, column {self.column!r}: {numbers[row]} is not a date such "
                "as 20240109, as other values are"
            )
        return instants[places]


def shown_day(day: int, unit: Unit) -> str:
    """A day as text: a date, unless the numbers of the column are no times."""
    return str(day) if unit in ("days", "fits") else str(np.datetime64(day, "D"))


def _per_day(unit: Unit) -> float:
    if unit in ("times", "dates"):
        return float(DAY)
    return EPOCHS[unit] * DAY / SECOND


def _unit(values: Values) -> Unit:
    """What the numbers [N > 0] of a column are."""
    unit = unit_of(float(np.median(values)))
    if unit is not None:
        return next(known for known in ("seconds", "milliseconds", "microseconds", "nanoseconds") if known == unit)
    ends = [f"{end:.0f}" for end in (values.min(), values.max())]
    return "dates" if all(len(end) == 8 for end in ends) and parse(ends, DATES)[1].all() else "days"
