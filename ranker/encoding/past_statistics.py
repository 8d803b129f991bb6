"""Label statistics of the days before each row: all of them, the last few, or with weights that fade.

A training row of a day gets what serving would have had on that day: sums and means over earlier days alone.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ranker.encoding.columns import Floats, Integers, Mask
from ranker.encoding.daily_sums import Daily, DailyCollector, Running, summed
from ranker.encoding.kinds.base import Arrays
from ranker.encoding.layout import Span
from ranker.encoding.piecewise import SAMPLE, fitted_edges, placed
from ranker.encoding.scaling import usable_deviation
from ranker.encoding.statistics import LEAST, Earlier, Scaling, Statistics, Sums, raw_inputs, scaled_inputs

BLOCK = 1 << 17
"""Codes and days whose inputs are computed at a time."""


class CarriedPast(NamedTuple):
    """What an earlier fit left, as of the end of its last ``day``.

    ``recent`` are the sums of the last days, of ``1 + 2 L`` columns. ``spans`` has the totals of each span, or ``None``
    if the earlier fit had no such span.
    """

    day: int
    recent: Daily
    spans: Sequence[Earlier | None]


class PastFitter:
    """Sums the labels of one key by code and day in one pass, for statistics of the days before each row's day.

    Takes ``16 + 8 (1 + 2 L)`` bytes per code and day with rows, and once fitted ``8 (2 + 2 L)`` more for all windows
    together and for each other span.
    """

    def __init__(
        self,
        labels: int,
        spans: Sequence[Span],
        carried: CarriedPast | None = None,
        refit_scales: bool = False,
        bins: int | None = None,
    ) -> None:
        self._spans, self._carried, self._refits, self._bins = spans, carried, refit_scales, bins
        self._rows = DailyCollector(1 + 2 * labels)
        self._views: list[_View] = []

    def add(self, codes: Integers, labels: Floats, known: Mask, days: Integers | None) -> None:
        """Add one chunk: codes [N], labels [N, L], whether each is known [N, L], and days [N]."""
        if days is None:
            raise ValueError("label_statistics: windows, half_lives and past_only need the day of each row, got none")
        values = np.column_stack([np.ones(len(codes)), np.where(known, labels, 0.0), known])
        self._rows.add(Daily(codes, days, values))

    def fitted(self, codes: int, binary: Mask, smoothing: float) -> list[Statistics]:
        """The statistics of each span for ``codes`` codes, as of the day after the last one."""
        rows, carried = self._rows.total(), self._carried
        day = 1 + self._last(rows)
        windows: _Past | None = None
        self._views, fitted = [], []
        for place, span in enumerate(self._spans):
            earlier = carried.spans[place] if carried else None
            if span.window is not None:
                past = windows = windows or _Past(summed([rows, carried.recent]) if carried else rows)
            else:
                parts = [rows, _as_daily(earlier.totals, carried.day)] if carried and earlier else [rows]
                past = _Past(summed(parts), span.half_life)
            view = _View(span, past, binary, smoothing)
            shift, scale = view.moments(rows)
            if earlier is not None and not self._refits:
                shift, scale = (
                    np.where(np.isnan(kept), now, kept) for kept, now in zip(earlier[1:3], (shift, scale), strict=True)
                )
            sums, priors = view.sums(np.arange(codes), np.full(codes, day))
            prior = priors[0] if codes else np.full(len(binary), np.nan)
            view = view._replace(scaling=(shift, scale))
            if self._bins is not None:
                edges = view.fitted_edges(rows, self._bins)
                view = view._replace(edges=edges if earlier is None or self._refits else earlier.kept_edges(edges))
            fitted.append(Statistics(sums, prior, binary, smoothing, shift, scale, edges=view.edges))
            self._views.append(view)
        return fitted

    def encode(self, codes: Integers, days: Integers) -> NDArray[np.float32]:
        """Inputs [N, S (1 + L)] of training rows: for each span, log count and smoothed means before the row's day."""
        return np.concatenate([view.encode(codes, days) for view in self._views], axis=1)

    def facts(self) -> Arrays:
        """The sums of the last days, which the windows of a later fit need."""
        longest = max((span.window for span in self._spans if span.window is not None), default=0)
        if not longest:
            return {}
        rows = self._rows.total()
        daily = summed([rows, self._carried.recent]) if self._carried else rows
        return daily.at(np.flatnonzero(daily.days > self._last(rows) - longest))._asdict()

    def _last(self, rows: Daily) -> int:
        """The last day of all fits."""
        days = [int(rows.days.max())] if len(rows.days) else []
        return max([*days, *([self._carried.day] if self._carried else [])], default=0)


class _Past:
    """Running sums of each code, and of all codes together for the means that statistics are smoothed to."""

    def __init__(self, daily: Daily, half_life: float | None = None) -> None:
        self._by_code, self._overall = Running(daily, half_life), Running(daily.of_all_codes(), half_life)

    def sums(self, span: Span, codes: Integers, days: Integers) -> tuple[Sums, Floats]:
        """Sums of codes [N] over the span before ``days`` [N], and means [N, L] over all codes, NaN without rows."""
        dates, places = np.unique(days, return_inverse=True)
        of_codes = _split(_over(span, self._by_code, codes, days))
        of_dates = _split(_over(span, self._overall, np.zeros_like(dates), dates))
        known = of_dates.known > LEAST
        means = np.where(known, of_dates.sums / np.where(known, of_dates.known, 1.0), np.nan)
        return of_codes, means[places]


class _View(NamedTuple):
    """The statistics of one span, before each day."""

    span: Span
    past: _Past
    binary: Mask
    smoothing: float
    scaling: tuple[Floats, Floats] = (np.zeros(0), np.zeros(0))
    edges: Floats | None = None

    def sums(self, codes: Integers, days: Integers) -> tuple[Sums, Floats]:
        """Sums of codes [N] before ``days`` [N], and means [N, L] over all codes."""
        return self.past.sums(self.span, codes, days)

    def encode(self, codes: Integers, days: Integers) -> NDArray[np.float32]:
        """Inputs [N, 1 + L]: standardised, or places among the edges."""
        sums, priors = self.sums(codes, days)
        inputs = scaled_inputs(sums, Scaling(priors, *self.scaling), self.binary, self.smoothing)
        return inputs if self.edges is None else placed(inputs, self.edges)

    def fitted_edges(self, rows: Daily, bins: int) -> Floats:
        """Edges [1 + L, bins + 1] of the inputs of the training rows."""
        if len(rows.codes) > SAMPLE:
            rows = rows.at(np.random.default_rng(0).choice(len(rows.codes), SAMPLE, replace=False))
        return fitted_edges(self.encode(rows.codes, rows.days), rows.sums[:, 0], bins)

    def moments(self, rows: Daily) -> tuple[Floats, Floats]:
        """Shift and scale [1 + L] that standardise the inputs of the training rows; 0 if these are constant.

        Rows of days without an earlier one do not count. An input that is constant in training is 0 in serving, too,
        since its weights are not trained.
        """
        shape = 1 + len(self.binary)
        weight, mean, squares = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        for start in range(0, len(rows.codes), BLOCK):  # Chan, Golub and LeVeque 1983
            block = rows.at(slice(start, start + BLOCK))
            sums, priors = self.sums(block.codes, block.days)
            raw = raw_inputs(sums, priors, self.binary, self.smoothing)
            counts = block.sums[:, :1] * ~np.isnan(raw)
            raw = np.where(np.isnan(raw), 0.0, raw)
            own = counts.sum(axis=0)
            total = np.maximum(weight + own, 1.0)
            middle = (counts * raw).sum(axis=0) / np.maximum(own, 1.0)
            squares += (counts * (raw - middle) ** 2).sum(axis=0) + (middle - mean) ** 2 * weight * own / total
            mean += (middle - mean) * own / total
            weight += own
        deviation = np.sqrt(squares / np.maximum(weight, 1.0))
        moves = usable_deviation(deviation, mean) == deviation
        return np.where(moves, mean, 0.0), np.where(moves, 1.0 / np.where(moves, deviation, 1.0), 0.0)


def _over(span: Span, running: Running, codes: Integers, days: Integers) -> Floats:
    sums = running.before(codes, days)
    return sums if span.window is None else sums - running.before(codes, days - span.window)


def _split(sums: Floats) -> Sums:
    labels = sums.shape[1] // 2
    return Sums(sums[:, 0], sums[:, 1 : 1 + labels], sums[:, 1 + labels :])


def _as_daily(totals: Sums, day: int) -> Daily:
    """Totals [V] as sums of one day."""
    sums = np.column_stack([totals.counts, totals.sums, totals.known])
    codes = np.flatnonzero(totals.counts)
    return Daily(codes, np.full(len(codes), day), sums[codes])
