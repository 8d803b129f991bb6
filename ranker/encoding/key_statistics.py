"""Fits the label statistics of one key: those of all days or all past days, then those of each span of past days."""

from collections.abc import Mapping
from copy import copy
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ranker.encoding.columns import Floats, Integers, Mask
from ranker.encoding.daily_sums import Daily
from ranker.encoding.kinds.base import Arrays
from ranker.encoding.layout import Span
from ranker.encoding.past_statistics import CarriedPast, PastFitter
from ranker.encoding.statistics import Earlier, OutOfFold, Statistics, StatisticsFitter
from ranker.schema import LabelStatistics


class CarriedKey(NamedTuple):
    """An earlier fit's sums of a key, as of the end of its last ``day``.

    ``recent`` are those of each of the last days, and ``spans`` the totals of each span of past days.
    """

    day: int
    all_days: Earlier
    recent: Daily
    spans: Mapping[Span, Earlier]

    def past(self, options: LabelStatistics) -> CarriedPast:
        """What the spans of past days carry on."""
        spans = [self.spans.get(span) for span in options.recent_spans]
        return CarriedPast(self.day, self.recent, [self.all_days, *spans] if options.past_only else spans)


class KeyFitter:
    """Sums the labels of one key in one pass.

    Out of fold, the statistics of all days are those of :class:`StatisticsFitter`; under ``past_only`` they are a
    span of past days like the others.
    """

    def __init__(
        self,
        options: LabelStatistics,
        labels: int,
        carried: CarriedKey | None = None,
        refit_scales: bool = False,
        mutes: bool = False,
    ) -> None:
        self._all_days: StatisticsFitter | None = None
        self._past: PastFitter | None = None
        if not options.past_only:
            earlier = carried.all_days if carried else None
            self._all_days = StatisticsFitter(
                labels,
                options.folds,
                options.half_life,
                earlier,
                carried.day if carried else None,
                refit_scales,
                mutes,
                options.fitted_bins,
            )
        if options.past_spans:
            past = carried.past(options) if carried else None
            self._past = PastFitter(labels, options.past_spans, past, refit_scales, options.fitted_bins)
        self._held_out: OutOfFold | None = None

    def add(self, codes: Integers, folds: Integers, labels: Floats, known: Mask, days: Integers | None) -> None:
        """Add one chunk: codes [N], folds [N], labels [N, L], whether each is known [N, L], and days [N]."""
        if self._all_days is not None:
            self._all_days.add(codes, folds, labels, known, days)
        if self._past is not None:
            self._past.add(codes, labels, known, days)

    def fitted(self, codes: int, binary: Mask, smoothing: float) -> Statistics:
        """The statistics of ``codes`` codes that are served."""
        fitted = self._past.fitted(codes, binary, smoothing) if self._past is not None else []
        if self._all_days is not None:
            fitted.insert(0, self._all_days.fitted(codes, binary, smoothing))
            self._held_out = self._all_days.out_of_fold(fitted[0])
        return replace(fitted[0], recent=tuple(fitted[1:]))

    def for_rows(self) -> "KeyFitter":
        """A copy for :meth:`encode` alone."""
        slim = copy(self)
        slim._all_days = None
        return slim

    def encode(self, codes: Integers, folds: Integers, days: Integers | None) -> NDArray[np.float32]:
        """Inputs [N, W] of training rows, without labels of their own fold, and of past days alone."""
        parts = [self._held_out.encode(codes, folds)] if self._held_out is not None else []
        if self._past is not None:
            if days is None:
                raise ValueError("label_statistics: windows, half_lives and past_only need the day of each row")
            parts.append(self._past.encode(codes, days))
        return np.concatenate(parts, axis=1) if len(parts) > 1 else parts[0]

    def facts(self) -> Arrays:
        """What a later fit needs besides the statistics."""
        return self._past.facts() if self._past is not None else {}
