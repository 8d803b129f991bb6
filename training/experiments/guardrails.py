"""Guardrails: bounds of how far a group may fall behind the control, tested by non-inferiority."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from training.experiments.difference import Difference
from training.experiments.metrics import Better, Metric, MetricError, metric_of

State: TypeAlias = Literal["holds", "broken", "undecided"]
_FORM = re.compile(
    r"(?P<metric>.+)(?P<sign>[<>]=)\s*(?P<bound>[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?)\s*(?P<percent>%?)\s*"
)


@dataclass(frozen=True)
class Guardrail:
    """A bound of the difference between a group and the control.

    Attributes
    ----------
    text
        As it is written: ``watch.value / users >= -1%``.
    metric
        The metric; ``better`` is ``more`` for ``>=`` and ``less`` for ``<=``.
    bound
        The least or largest acceptable difference.
    relative
        Whether the bound is of the relative difference: 0.01 is 1 % of the control's value.
    """

    text: str
    metric: Metric
    bound: float
    relative: bool


@dataclass(frozen=True)
class Check:
    """A guardrail, tested for one group.

    Attributes
    ----------
    guardrail, group
        What is tested.
    value, low, high
        The difference, relative if the bound is, and the interval that the state rests on; ``None`` if undefined, and
        where the control's value may be 0 and the bound is relative.
    state
        Whether the data shows that it ``holds``, or is ``broken``, or neither.
    undefined
        Why there is no interval; ``None`` if there is one.
    """

    guardrail: Guardrail
    group: str
    value: float | None
    low: float | None
    high: float | None
    state: State
    undefined: str | None

    def __str__(self) -> str:
        """One line."""
        if self.undefined is not None:
            return f"guardrail {self.guardrail.text}: cannot be checked: {self.undefined}"
        if self.low is None or self.high is None or self.value is None:
            return f"guardrail {self.guardrail.text}: {self.state}, though the control's value may be 0"
        shown = [
            f"{100 * number:+.3g} %" if self.guardrail.relative else f"{number:+.4g}"
            for number in (self.value, self.low, self.high)
        ]
        return f"guardrail {self.guardrail.text}: {self.state}, {shown[0]} [{shown[1]}, {shown[2]}]"

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return {
            "guardrail": self.guardrail.text,
            "metric": self.guardrail.metric.name,
            "group": self.group,
            "bound": self.guardrail.bound,
            "relative": self.guardrail.relative,
            "value": self.value,
            "low": self.low,
            "high": self.high,
            "state": self.state,
            "undefined": self.undefined,
        }


def guardrail_of(text: str, kinds: Collection[str]) -> Guardrail:
    """Parse ``METRIC >= BOUND`` or ``METRIC <= BOUND``; a bound with ``%`` is relative. Raises ``MetricError``."""
    found = _FORM.fullmatch(text)
    if found is None:
        raise MetricError(
            f"guardrail {text!r}: write METRIC >= BOUND or METRIC <= BOUND, such as watch.value / users >= -1%"
        )
    better: Better = "more" if found["sign"] == ">=" else "less"
    relative = bool(found["percent"])
    metric = metric_of(found["metric"], kinds, better)
    return Guardrail(" ".join(text.split()), metric, float(found["bound"]) / (100 if relative else 1), relative)


def checked(guardrails: Sequence[tuple[Guardrail, Sequence[Difference]]], level: float) -> list[Check]:
    """Test each guardrail for the groups of its differences.

    One that holds for all groups is called broken anywhere with a probability of at most ``level``: each test has
    ``level / M`` (Bonferroni). One that is broken is called held with a probability of at most ``level``: all must
    hold, so their number needs no correction (Berger 1982, intersection-union tests).
    """
    count = sum(len(differences) for _, differences in guardrails)
    return [_checked(one, difference, level, count) for one, differences in guardrails for difference in differences]


def _checked(guardrail: Guardrail, difference: Difference, level: float, count: int) -> Check:
    """The ends beyond which the bound must lie are those of one-sided tests."""
    narrow, wide = (difference.at(2 * tail) for tail in (level, level / count))
    good = 1 if guardrail.metric.better == "more" else -1
    state: State = "undecided"
    if _side(guardrail, wide) == -good:
        state = "broken"
    elif _side(guardrail, narrow) == good:
        state = "holds"
    ends = _ends(guardrail, wide if state == "broken" else narrow)
    if state == "undecided" and (ends is None or narrow.bound == float("inf")):
        why = "the control's value may be 0, so a relative bound cannot be tested"
        why = difference.undefined or ("too little is known yet" if narrow.bound == float("inf") else why)
        return Check(guardrail, difference.group, None, None, None, state, why)
    value = difference.relative if guardrail.relative else difference.difference
    low, high = ends or (None, None)
    return Check(guardrail, difference.group, value, low, high, state, None)


def _side(guardrail: Guardrail, difference: Difference) -> int:
    """1 if the data shows a difference above the bound, -1 if it shows one below."""
    if guardrail.relative:
        return difference.side_of(guardrail.bound)
    low, high = difference.interval or (float("-inf"), float("inf"))
    return int(low > guardrail.bound) - int(high < guardrail.bound)


def _ends(guardrail: Guardrail, difference: Difference) -> tuple[float, float] | None:
    return difference.relative_interval if guardrail.relative else difference.interval
