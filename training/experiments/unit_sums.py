"""Sums by unit: what the statistics of an experiment are computed from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ranker.registry import alternatives

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RatioSums:
    """Numerator and denominator of a metric by unit; the metric of a group is the ratio of their totals.

    A mean over units is a ratio whose denominators are 1.

    Attributes
    ----------
    numerator, denominator
        Sums by unit [U]; 0 for a unit without events.
    before
        Numerator and denominator [U] of a covariate that groups cannot have changed, such as the same metric before the
        experiment; 0 for units without one. ``None``: no covariate.
    """

    numerator: Floats
    denominator: Floats
    before: tuple[Floats, Floats] | None = None


@dataclass(frozen=True, eq=False)
class UnitSums:
    """Units of an experiment, their groups, and the sums of each metric.

    Attributes
    ----------
    groups
        Names of the groups.
    group
        The group of each unit, as its index in ``groups`` [U].
    metrics
        Sums by metric. Raises ``ValueError`` for arrays of other shapes, and numbers that are not finite.
    """

    groups: Sequence[str]
    group: NDArray[np.intp]
    metrics: Mapping[str, RatioSums]

    def __post_init__(self) -> None:
        """Check shapes and numbers."""
        if len(set(self.groups)) != len(self.groups):
            raise ValueError(f"groups must have different names, got {', '.join(self.groups)}")
        if self.group.ndim != 1 or self.group.dtype.kind not in "iu":
            raise ValueError(f"group must be integers [units], got {self.group.dtype} {list(self.group.shape)}")
        if len(self.group) and not 0 <= self.group.min() <= self.group.max() < len(self.groups):
            raise ValueError(f"group must be from 0 to {len(self.groups) - 1}, got {self.group.max()}")
        for name, sums in self.metrics.items():
            for part in (sums.numerator, sums.denominator, *(sums.before or ())):
                if part.shape != self.group.shape:
                    raise ValueError(f"{name} must have {len(self.group)} units, got shape {list(part.shape)}")
                if not np.isfinite(part).all():
                    raise ValueError(f"{name} must be finite, got {part[~np.isfinite(part)][0]} of a unit")

    def index(self, group: str) -> int:
        """Index of a group. Raises ``ValueError`` for an unknown one."""
        if group not in self.groups:
            raise ValueError(f"no group {group!r}{alternatives(group, self.groups, 'groups')}")
        return list(self.groups).index(group)

    def counts(self) -> dict[str, int]:
        """Number of units by group."""
        found = np.bincount(self.group, minlength=len(self.groups))
        return dict(zip(self.groups, found.tolist(), strict=True))
