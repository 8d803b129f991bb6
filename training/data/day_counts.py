"""Counts training rows by day, and refuses days far after all others: a wrong date would expire all ids."""

import numpy as np
from numpy.typing import NDArray

from ranker.log_files.log_reader import Chunk, DataError
from training.data.days import DayClock, Days, shown_day

GAP = 366
"""Days without a row after which a few rows are taken for wrong dates."""
FEW = 0.01
"""Fraction of the rows that are few; a single row is, too."""
PENDING = 100_000
"""Days that are counted together, so that counting takes little memory and time however many days there are."""


class DayCounts:
    """Rows of each day, and where the first row of the last day is."""

    def __init__(self, clock: DayClock) -> None:
        self._clock = clock
        self._days, self._rows = np.zeros((2, 0), dtype=np.int64)
        self._pending: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
        self._last: int | None = None
        self._where = ""

    def add(self, chunk: Chunk, kept: NDArray[np.bool_], days: NDArray[np.int64]) -> None:
        """Count the days [K] of the rows of a chunk where ``kept`` [N] is true."""
        if not len(days):
            return
        if self._last is None or days.max() > self._last:
            at = int(np.argmax(days))
            self._last, self._where = int(days[at]), self._described(chunk, int(np.flatnonzero(kept)[at]))
        self._pending.append(np.unique(days, return_counts=True))
        if sum(len(part) for part, _ in self._pending) > max(PENDING, len(self._days)):
            self._merge()

    def days(self) -> Days:
        """First and last day. Raises ``DataError`` for few rows that follow all others after a gap of years.

        These are at most 1 % of the rows, or a single one, after more than :data:`GAP` days without a row.
        """
        self._merge()
        days, rows, unit = self._days, self._rows, self._clock.unit
        assert unit is not None, "it has read a row"
        after = np.cumsum(rows[::-1])[::-1][1:]  # rows on the day after each gap, and later
        far = np.flatnonzero((np.diff(days) > GAP) & (after <= max(1.0, FEW * rows.sum())))
        if len(far) and unit != "fits":
            before, count = int(days[far[0]]), int(after[far[0]])
            raise DataError(
                f"{self._where} lies more than {GAP} days after {shown_day(before, unit)}, the last day of the other "
                f"training rows, as do {count:,} of {rows.sum():,} rows: a wrong date would make ids expire and label "
                "statistics fade. Correct or leave out such rows"
            )
        return Days(first=int(days[0]), last=int(days[-1]), column=self._clock.column, unit=unit)

    def _merge(self) -> None:
        parts = [(self._days, self._rows), *self._pending]
        self._days, places = np.unique(np.concatenate([days for days, _ in parts]), return_inverse=True)
        self._rows = np.zeros(len(self._days), dtype=np.int64)
        np.add.at(self._rows, places, np.concatenate([rows for _, rows in parts]))
        self._pending = []

    def _described(self, chunk: Chunk, row: int) -> str:
        value = self._clock.shown(chunk, row)
        return f"{chunk.source}, row {chunk.first + row}, column {self._clock.column!r}: {value}"
