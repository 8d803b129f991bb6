"""The verdict: which bounds the data shows to be broken, at one level of false alarms over all of them.

A new version that meets all bounds is refused with a probability of at most ``level``, whatever the number of bounds,
objectives and slices: each of the m tests has the level ``level / m`` (Bonferroni). A bound that must be met for
``certain`` is tested the other way round: a version that breaks it is promoted with a probability of at most ``level``.
All such bounds must be shown to be met, so their number needs no correction (Berger 1982, intersection-union tests).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from training.config.promotion import Bounds, LimitName
from training.promotion.resampling import Drawn, Estimate, gain, log_ratio, new_value, old_value

LARGEST = 700.0
"""Logarithm of the largest ratio that is told."""
Ends = tuple[float, float]
State: TypeAlias = Literal["met", "broken", "open", "undefined"]


class Limit(NamedTuple):
    """How a limit is tested: on a quantity, whose interval shows that the bound is broken or met."""

    quantity: Callable[[Drawn], Estimate]
    shown: Callable[[float], float]
    """Maps the quantity to the unit of the bound."""
    broken: Callable[[Ends, float], bool]
    met: Callable[[Ends, float], bool]


def _same(value: float) -> float:
    return value


def _exponential(value: float) -> float:
    return float(np.exp(min(value, LARGEST)))


TESTS: Mapping[LimitName, Limit] = {
    "least": Limit(gain, _same, lambda ends, bound: ends[1] < bound, lambda ends, bound: ends[0] >= bound),
    "most": Limit(
        *(log_ratio, _exponential),
        lambda ends, bound: ends[0] > bound,
        lambda ends, bound: ends[1] <= bound,
    ),
    "within": Limit(
        *(new_value, _same),
        lambda ends, bound: ends[0] > 1 + bound or ends[1] < 1 - bound,
        lambda ends, bound: ends[0] >= 1 - bound and ends[1] <= 1 + bound,
    ),
}


@dataclass(frozen=True)
class Check:
    """One limit, tested on all rows or on a slice.

    Attributes
    ----------
    measure, slice
        What is bounded, and on which rows; ``None``: on all.
    limit, bound
        The limit's name and value.
    certain
        Whether the data must show that it is met.
    value, low, high
        The bounded quantity and its interval; ``None`` if undefined on these rows.
    state
        What the data shows: that the bound is ``met``, or ``broken``; ``open``: neither; ``undefined`` on these rows.
    """

    measure: str
    slice: str | None
    limit: LimitName
    bound: float
    certain: bool
    value: float | None
    low: float | None
    high: float | None
    state: State

    @property
    def refuses(self) -> bool:
        """Whether it speaks against a promotion."""
        return self.state != "met" if self.certain else self.state == "broken"

    def __str__(self) -> str:
        """One line: the measure, the bound, and what was measured."""
        where = "" if self.slice is None else f" where {self.slice}"
        if self.value is None or self.low is None or self.high is None:
            return (
                f"{self.measure}{where}: {self.limit} {self.bound:g} cannot be checked: it is undefined on these rows"
            )
        number = f"{self.value:.5g} [{self.low:.5g}, {self.high:.5g}]"
        what = {"least": f"gain {number}", "most": f"ratio {number}", "within": number}[self.limit]
        return f"{self.measure}{where}: {what}, {self.limit} {self.bound:g}{' for certain' if self.certain else ''}"


def count_tests(bounds: Bounds, whole: Sequence[Drawn], slices: Sequence[Sequence[Drawn]]) -> int:
    """Number m >= 1 of tests that can raise a false alarm, from the measures of all rows and of each slice.

    Those are the limits that need not be met for certain, all limits on slices, and one test for reversed scores per
    AUC.
    """
    of_whole = sum(
        len(list(bounds[one.name].limits())) for one in whole if one.name in bounds and not bounds[one.name].certain
    )
    of_slices = sum(len(list(bounds[one.name].limits())) for part in slices for one in part if one.name in bounds)
    return max(of_whole + of_slices + len(_aucs(whole)), 1)


def _aucs(measures: Sequence[Drawn]) -> list[Drawn]:
    return [one for one in measures if one.name.endswith(".auc")]


def judged(
    bounds: Bounds, measures: Sequence[Drawn], level: float, tests: int, where: str | None = None
) -> list[Check]:
    """Test all limits of the measures of all rows, or of the slice ``where``; in the order of the bounds.

    On a slice no bound must be met for certain: few rows could show it.
    """
    by_name = {one.name: one for one in measures}
    checks = []
    for name, bound in bounds.items():
        certain = bound.certain and where is None
        for limit, value in bound.limits():
            if name in by_name:
                tail = level if certain else level / tests
                checks.append(_checked(by_name[name], limit, value, certain, tail, where))
            elif where is None:
                checks.append(Check(name, where, limit, value, certain, None, None, None, "undefined"))
    return checks


def reversed_scores(measures: Sequence[Drawn], tail: float) -> list[str]:
    """Names of AUCs that are below 0.5 where the old version's are above, both by their intervals."""
    ends = {one.name: (new_value(one).ends(tail), old_value(one).ends(tail)) for one in _aucs(measures)}
    return [name for name, (new, old) in ends.items() if new[1] < 0.5 < old[0]]


def _checked(drawn: Drawn, name: LimitName, bound: float, certain: bool, tail: float, where: str | None) -> Check:
    limit = TESTS[name]
    estimate = limit.quantity(drawn)
    if not np.isfinite(estimate.value) or not np.isfinite(estimate.error):
        return Check(drawn.name, where, name, bound, certain, None, None, None, "undefined")
    low, high = (limit.shown(end) for end in estimate.ends(tail))
    state: State = "open"
    if limit.broken((low, high), bound):
        state = "broken"
    elif limit.met((low, high), bound):
        state = "met"
    return Check(drawn.name, where, name, bound, certain, limit.shown(estimate.value), low, high, state)
