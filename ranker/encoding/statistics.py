"""Smoothed label statistics: the count of a value and the mean of each label over its rows.

Micci-Barreca, "A preprocessing scheme for high-cardinality categorical attributes", 2001, with out-of-fold
means for the training rows so that no row sees its own label.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ranker.encoding.columns import Floats, Integers, Mask
from ranker.encoding.piecewise import fitted_edges, placed
from ranker.encoding.scaling import usable_deviation
from ranker.encoding.vocabulary import UNSEEN, Vocabulary

LEAST = 1e-6
"""Weight of the rows with a known label from which they give a mean."""


class Combination:
    """Codes of one or several features -> codes of their combinations seen in training."""

    def __init__(self, pairs: Sequence[Vocabulary]) -> None:
        self.pairs = tuple(pairs)

    def add(self, codes: Sequence[Integers]) -> Integers:
        """Codes [N] of the combination, adding new ones; ``codes`` has an array [N] per feature."""
        return self._joined(codes, grow=True)

    def codes(self, codes: Sequence[Integers]) -> Integers:
        """Codes [N] of the combination; :data:`UNSEEN` for one not seen in fitting."""
        return self._joined(codes, grow=False)

    def _joined(self, codes: Sequence[Integers], grow: bool) -> Integers:
        joined = codes[0]
        for vocabulary, other in zip(self.pairs, codes[1:], strict=True):
            # Codes are below 2^31, so a pair fits one 64-bit integer.
            keys = (joined << 32) | other
            joined = vocabulary.add(keys, "") if grow else vocabulary.codes(keys, "")
        return joined


class Sums(NamedTuple):
    """Counts [V], and per label the sum [V, L] over rows where it is known and their number [V, L]."""

    counts: Floats
    sums: Floats
    known: Floats


class Scaling(NamedTuple):
    """Mean of each label [L], then shift and scale [1 + L] that standardise the inputs over the rows."""

    priors: Floats
    shift: Floats
    scale: Floats


class Earlier(NamedTuple):
    """The sums of an earlier fit, and what its inputs were made with; NaN in these is fitted.

    ``shift`` and ``scale`` are [1 + L], and ``edges`` [1 + L, B + 1] if it had any.
    """

    totals: Sums
    shift: Floats
    scale: Floats
    edges: Floats | None = None

    def kept_edges(self, fitted: Floats) -> Floats:
        """The earlier edges, if there are as many as are ``fitted``."""
        if self.edges is None or self.edges.shape != fitted.shape:
            return fitted
        return np.where(np.isnan(self.edges), fitted, self.edges)


@dataclass(frozen=True)
class Statistics:
    """The sums of one key's V codes, and their conversion to inputs."""

    totals: Sums
    priors: Floats
    binary: Mask
    smoothing: float
    shift: Floats
    scale: Floats
    saved: NDArray[np.float32] | None = None
    """The inputs of all codes [V, W], if they were saved."""
    recent: tuple["Statistics", ...] = ()
    """The same over each span of past days, whose inputs follow."""
    edges: Floats | None = None
    """Edges [1 + L, B + 1] of bins of its own inputs, which are then places among them."""

    @property
    def width(self) -> int:
        """Number of inputs W: 1 + L for all days and as many for each span of past days."""
        return (1 + len(self.priors)) * (1 + len(self.recent))

    def encode(self, codes: Integers) -> NDArray[np.float32]:
        """Inputs [N, W]: log count and, per label, the logit of the smoothed mean (the mean of a non-rate)."""
        return self.inputs[codes]

    @cached_property
    def inputs(self) -> NDArray[np.float32]:
        """The inputs of all codes [V, W]."""
        if self.saved is not None:
            return self.saved
        scaling = Scaling(self.priors, self.shift, self.scale)
        own = scaled_inputs(self.totals, scaling, self.binary, self.smoothing)
        own = own if self.edges is None else placed(own, self.edges)
        return np.concatenate([own, *(span.inputs for span in self.recent)], axis=1) if self.recent else own


@dataclass(frozen=True)
class OutOfFold:
    """Out-of-fold statistics: those of a training row in fold f are fitted on all other folds.

    This includes the means for smoothing and scaling, so that a row's own label has no influence.
    ``own`` holds the sums of each code and fold, [V, F] and [V, F, L]; ``scaling`` has a leading axis of folds.
    """

    served: Statistics
    own: Sums
    scaling: Scaling

    def encode(self, codes: Integers, folds: Integers) -> NDArray[np.float32]:
        """Inputs [N, 1 + L] of rows [N], as :meth:`Statistics.encode` but excluding each row's own fold [N]."""
        others = Sums(*(t[codes] - o[codes, folds] for t, o in zip(self.served.totals, self.own, strict=True)))
        scaling = Scaling(*(part[folds] for part in self.scaling))
        inputs = scaled_inputs(others, scaling, self.served.binary, self.served.smoothing)
        return inputs if self.served.edges is None else placed(inputs, self.served.edges)


class StatisticsFitter:
    """Sums labels per code and fold of one key, in one pass. Takes 8 (1 + 2 L) bytes per code and fold.

    ``earlier`` are the sums of an earlier fit, as of ``day``, which belong to no fold; its shift, scale and edges stay
    those of the inputs. With ``bins``, inputs are places among as many bins. With ``half_life``, a row of an earlier
    day weighs ``0.5 ** (days since / half_life)``. ``mutes`` keeps an input at 0 in serving, too, if no training row
    can have any statistics of its label, because all are of one fold: its weights are still the initial ones.
    """

    def __init__(
        self,
        labels: int,
        folds: int,
        half_life: float | None = None,
        earlier: Earlier | None = None,
        day: int | None = None,
        refit_scales: bool = False,
        mutes: bool = False,
        bins: int | None = None,
    ) -> None:
        self.folds, self._half_life, self._day, self._mutes, self._bins = folds, half_life, day, mutes, bins
        self._earlier = None if earlier is None else earlier.totals
        self._kept = None if refit_scales else earlier
        self._counts = np.zeros((0, folds))
        self._sums = np.zeros((0, folds, labels))
        self._known = np.zeros((0, folds, labels))

    def add(self, codes: Integers, folds: Integers, labels: Floats, known: Mask, days: Integers | None = None) -> None:
        """Add one chunk: codes [N], folds [N], labels [N, L], whether each is known [N, L], and days [N].

        Only a half-life needs the days.
        """
        self._reserve(int(codes.max(initial=UNSEEN)) + 1)
        weights = np.ones(len(codes)) if self._half_life is None else self._weights(days)
        at = codes * self.folds + folds
        np.add.at(self._counts.reshape(-1), at, weights)
        for label in range(labels.shape[1]):
            mask = known[:, label]
            place = at[mask] * labels.shape[1] + label
            np.add.at(self._sums.reshape(-1), place, labels[mask, label] * weights[mask])
            np.add.at(self._known.reshape(-1), place, weights[mask])

    def _weights(self, days: Integers | None) -> Floats:
        """Weights [N] of rows as of the latest day so far, to which the sums are brought."""
        if days is None or self._half_life is None:
            raise ValueError("label_statistics.half_life: needs the day of each row, got none")
        latest = int(days.max(initial=self._day if self._day is not None else np.iinfo(np.int64).min))
        faded = 1.0 if self._day is None else 0.5 ** ((latest - self._day) / self._half_life)
        if faded != 1.0:
            for array in (self._counts, self._sums, self._known, *(self._earlier or ())):
                array *= faded
        if len(days):
            self._day = latest
        weights: Floats = 0.5 ** ((latest - days) / self._half_life)
        return weights

    def fitted(self, codes: int, binary: Mask, smoothing: float) -> Statistics:
        """Return the statistics over all folds for ``codes`` codes, standardised over the rows seen."""
        totals = Sums(*(array.sum(axis=1) for array in self._by_fold(codes)))
        if self._earlier is not None:
            totals = Sums(*(_sum(now, before) for now, before in zip(totals, self._earlier, strict=True)))
        scaling = self._scaling(totals, binary, smoothing)
        if self._mutes:
            scaling = scaling._replace(scale=np.where(self._muted(), 0.0, scaling.scale))
        fitted = Statistics(totals, binary=binary, smoothing=smoothing, **scaling._asdict())
        if self._bins is None:
            return fitted
        edges = fitted_edges(fitted.inputs, totals.counts, self._bins)
        return replace(fitted, edges=self._kept.kept_edges(edges) if self._kept else edges)

    def out_of_fold(self, served: Statistics) -> OutOfFold:
        """Return the out-of-fold statistics of the training rows that match ``served``."""
        own = self._by_fold(len(served.totals.counts))
        scalings = []
        for fold in range(self.folds):
            others = Sums(*(t - o[:, fold] for t, o in zip(served.totals, own, strict=True)))
            scalings.append(self._scaling(others, served.binary, served.smoothing))
        return OutOfFold(served, own, Scaling(*(np.stack(parts) for parts in zip(*scalings, strict=True))))

    def _scaling(self, totals: Sums, binary: Mask, smoothing: float) -> Scaling:
        fitted = _scaling(totals, binary, smoothing)
        if self._kept is None:
            return fitted
        shift, scale = (np.where(np.isnan(k), f, k) for k, f in zip(self._kept[1:3], fitted[1:], strict=True))
        return Scaling(fitted.priors, shift, scale)

    def _muted(self) -> Mask:
        """Whether the count [0] and each label's mean [1 + L] are of one fold alone, without an earlier fit's."""
        own = np.column_stack([self._counts.sum(axis=0), self._known.sum(axis=0)]) > 0
        before = np.zeros(own.shape[1])
        if self._earlier is not None:
            before = np.append(self._earlier.counts.sum(), self._earlier.known.sum(axis=0))
        muted: Mask = (own.sum(axis=0) <= 1) & (before == 0)
        return muted

    def _by_fold(self, codes: int) -> Sums:
        self._reserve(codes)
        return Sums(self._counts[:codes], self._sums[:codes], self._known[:codes])

    def _reserve(self, codes: int) -> None:
        if codes > len(self._counts):
            size = max(codes, 2 * len(self._counts))
            self._counts, self._sums, self._known = (
                np.concatenate([a, np.zeros((size - len(a), *a.shape[1:]))])
                for a in (self._counts, self._sums, self._known)
            )


def _sum(now: Floats, before: Floats) -> Floats:
    """The sum of ``now`` [V, ...] and ``before``, which has the first codes only."""
    total = now.copy()
    total[: len(before)] += before
    return total


def _scaling(totals: Sums, binary: Mask, smoothing: float) -> Scaling:
    # With a half-life, all rows together may weigh far less than one; what is below LEAST is rounding.
    priors = totals.sums.sum(axis=0) / np.maximum(totals.known.sum(axis=0), LEAST)
    raw = raw_inputs(totals, priors, binary, smoothing)
    rows = totals.counts.sum()
    if not rows:
        none = Sums(np.zeros(1), np.zeros((1, len(priors))), np.zeros((1, len(priors))))
        return Scaling(priors, raw_inputs(none, priors, binary, smoothing)[0], np.ones(1 + len(priors)))
    weights = totals.counts / rows
    mean = weights @ raw
    deviation = np.sqrt(weights @ (raw - mean) ** 2)
    return Scaling(priors, mean, 1.0 / usable_deviation(deviation, mean))


def scaled_inputs(sums: Sums, scaling: Scaling, binary: Mask, smoothing: float) -> NDArray[np.float32]:
    """Standardised inputs [N, 1 + L] of sums [N, L]; 0 where a label's prior is NaN, since it has no rows."""
    raw = raw_inputs(sums, scaling.priors, binary, smoothing)
    scaled: NDArray[np.float32] = ((raw - scaling.shift) * scaling.scale).astype(np.float32)
    scaled[np.isnan(scaled)] = 0.0
    return scaled


def raw_inputs(sums: Sums, priors: Floats, binary: Mask, smoothing: float) -> Floats:
    """Log count and smoothed means or their logits [N, 1 + L] of sums [N, L]; ``priors`` are [L] or [N, L]."""
    means = (sums.sums + smoothing * priors) / (sums.known + smoothing)
    rates = np.clip(means, 1e-6, 1 - 1e-6)
    values = np.where(binary, np.log(rates) - np.log1p(-rates), means)
    return np.concatenate([np.log1p(sums.counts)[:, None], values], axis=1)
