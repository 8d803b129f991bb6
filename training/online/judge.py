"""Gains of the sets of a round over control, by the statistics of experiments."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.config.online import REWARD, Guardrail
from training.experiments.critical import FIXED, Critical
from training.experiments.difference import FEWEST_ACTIVE, Difference
from training.experiments.statistics import compare
from training.experiments.unit_sums import Floats
from training.online.observed import Observed
from training.online.state import CONTROL, Gain

Told = tuple[float | None, float | None, float | None]
"""What a method is told of a set: gain, error of its own reward, error of control's; ``None`` if not known."""
NOTHING: Told = (None, None, None)


def gains(
    observed: Observed, metric: str, level: float, method: Critical = FIXED, guardrail: Guardrail | None = None
) -> dict[str, Gain]:
    """Gain of each set in a metric, and whether it breaks the metric's guardrail."""
    return {one.group: _gain(one, guardrail) for one in compare(observed.sums, metric, CONTROL, level, method)}


def told(observed: Observed) -> dict[str, Told]:
    """What a method is told of each set, by one round."""
    return {
        one.group: NOTHING
        if one.undefined or one.difference is None
        else _told(one.difference, float(np.sqrt(one.new.variance)), float(np.sqrt(one.old.variance)))
        for one in compare(observed.sums, REWARD, CONTROL)
    }


def told_over_rounds(rounds: Sequence[Observed]) -> dict[str, Told]:
    """The same by several rounds in which a unit may have been seen more than once, by set of the last round.

    A set's gain is the mean of its gains over the control of the same round, so that a reward that drifts from round to
    round cancels out, weighted by ``n m / (n + m)`` for n units of the set and m of control. Errors add up what a unit
    contributes over all rounds before they are squared, because its behaviour in one is like that in another.
    """
    found = {}
    for name in rounds[-1].sums.groups:
        if name == CONTROL:
            continue
        parts = [(one, one.sums.counts()) for one in rounds if name in one.sums.groups]
        weights = np.array([_weight(counts[name], counts[CONTROL]) for _, counts in parts])
        active = sum(_active(one, group) for one, _ in parts for group in (name, CONTROL))
        if not weights.sum() > 0 or active < FEWEST_ACTIVE:
            found[name] = NOTHING
            continue
        weights = weights / weights.sum()
        used = [(one, weight) for (one, _), weight in zip(parts, weights.tolist(), strict=True) if weight > 0]
        own, control = (_mean([(one, group, weight) for one, weight in used]) for group in (name, CONTROL))
        found[name] = _told(own[0] - control[0], own[1], control[1])
    return found


def _told(gain: float, own: float, control: float) -> Told:
    """Units that are all alike, as if none had clicked, are not known without an error: they get the other group's."""
    if not max(own, control) > 0:
        return NOTHING
    return gain, own or control, control or own


def _gain(one: Difference, guardrail: Guardrail | None) -> Gain:
    low, high = one.relative_interval or (None, None)
    absolute = one.interval or (None, None)
    return Gain(
        value=one.value,
        control=one.control_value,
        difference=one.difference,
        difference_low=_finite(absolute[0]),
        difference_high=_finite(absolute[1]),
        error=one.error,
        relative=one.relative,
        low=_finite(low),
        high=_finite(high),
        undefined=one.undefined,
        broken=guardrail is not None and _breaks(one, guardrail),
    )


def _breaks(one: Difference, guardrail: Guardrail) -> bool:
    """Whether the whole interval of the relative difference is worse than the accepted loss."""
    worse = -1 if guardrail.better == "more" else 1
    return one.side_of(worse * guardrail.most_loss) == worse


def _finite(value: float | None) -> float | None:
    return value if value is not None and np.isfinite(value) else None


def _weight(units: int, control: int) -> float:
    return units * control / (units + control) if min(units, control) >= 2 else 0.0


def _active(one: Observed, group: str) -> int:
    rows = one.sums.group == one.sums.index(group)
    return int(np.count_nonzero(one.sums.metrics[REWARD].numerator[rows]))


def _mean(parts: Sequence[tuple[Observed, str, float]]) -> tuple[float, float]:
    """Weighted mean of a group's reward over rounds, and its standard error clustered by unit."""
    total = 0.0
    keys: list[NDArray[Any]] = []
    shares: list[Floats] = []
    for one, group, weight in parts:
        rows = one.sums.group == one.sums.index(group)
        sums = one.sums.metrics[REWARD]
        numerator, denominator = sums.numerator[rows], sums.denominator[rows]
        ratio = numerator.sum() / denominator.sum() if denominator.sum() > 0 else np.nan
        total += weight * float(ratio)
        keys.append(one.keys[rows])
        shares.append(weight * (numerator - ratio * denominator) / denominator.sum())
    _, codes = np.unique(np.concatenate(keys), return_inverse=True)
    by_unit = np.bincount(codes, np.concatenate(shares))
    count = len(by_unit)
    return total, float(np.sqrt((by_unit**2).sum() * count / max(count - 1, 1)))
