"""Sample ratio mismatch: whether the groups have as many units as their shares say."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import chdtrc, gammaln

from ranker.config.file import ConfigError, document
from ranker.registry import alternatives

LEAST_EXPECTED = 5
"""Fewest expected units of a group for the chi-square test. Cochran 1954."""
WEIGHT = 1000.0
"""Units that the prior of the sequential test counts for: it is quickest to see shifts of one or two points."""


@dataclass(frozen=True)
class Mismatch:
    """A test of the numbers of units against shares.

    Attributes
    ----------
    units, expected
        Numbers by group.
    p, level
        P-value, and the level below which assignment or logging is at fault; ``None``: too few units.
    """

    units: dict[str, int]
    expected: dict[str, float]
    p: float | None
    level: float

    @property
    def failed(self) -> bool:
        """Whether chance does not explain the numbers."""
        return self.p is not None and self.p < self.level

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return {**asdict(self), "failed": self.failed}


def mismatch(units: Mapping[str, int], shares: Mapping[str, float], level: float, *, sequential: bool) -> Mismatch:
    """Test numbers of units by group against shares, which are scaled to sum to 1.

    A chi-square test (Fabijan et al. 2019), or one that may be repeated at any time: the likelihood ratio of shares
    drawn from a Dirichlet distribution around the expected ones (Lindon & Malek 2022). Raises ``ValueError`` for a
    group without a share, or with units and a share of 0.
    """
    for name, count in units.items():
        if name not in shares:
            raise ValueError(f"the group {name!r} has no share{alternatives(name, shares, 'shares')}")
        if count and not shares[name] > 0:
            raise ValueError(f"the group {name!r} has {count:,} units, though its share is {shares[name]:g}")
    names = [name for name, share in shares.items() if share > 0]
    counts = np.array([units.get(name, 0) for name in names], dtype=np.float64)
    share = np.array([shares[name] for name in names]) / sum(shares[name] for name in names)
    expected = counts.sum() * share
    p = None
    if len(names) > 1 and (sequential or expected.min() >= LEAST_EXPECTED):
        p = _at_all_times(counts, share) if sequential else _chi_square(counts, expected)
    return Mismatch(
        units=dict(zip(names, map(int, counts), strict=True)),
        expected=dict(zip(names, expected.tolist(), strict=True)),
        p=p,
        level=level,
    )


def _chi_square(counts: Any, expected: Any) -> float:
    return float(chdtrc(len(counts) - 1, ((counts - expected) ** 2 / expected).sum()))


def _at_all_times(counts: Any, share: Any) -> float:
    """Inverse of the likelihood ratio, at most 1."""
    prior, total = WEIGHT * share, counts.sum()
    ratio = gammaln(WEIGHT) - gammaln(WEIGHT + total) + (gammaln(prior + counts) - gammaln(prior)).sum()
    return float(min(1.0, np.exp(min((counts * np.log(share)).sum() - ratio, 0.0))))


def shares_of(texts: str) -> dict[str, float]:
    """Shares from ``control=0.5,bold=0.5``. Raises ``ConfigError``."""
    found: dict[str, float] = {}
    for part in texts.split(","):
        name, equals, number = part.rpartition("=")
        try:
            share = float(number)
        except ValueError:
            share = float("nan")
        if not equals or not name.strip() or not 0 <= share < float("inf"):
            raise ConfigError(f"--shares: {part.strip()!r} is no GROUP=SHARE, such as control=0.5,bold=0.5")
        if name.strip() in found:
            raise ConfigError(f"--shares: names {name.strip()!r} twice")
        found[name.strip()] = share
    return _some(found, "--shares")


def shares_in(path: Path, experiment: str) -> dict[str, float]:
    """Shares of the experiment in a models file of ``ranker-serve``. Raises ``ConfigError``."""
    content = document(path).data
    section = content.get("experiment")
    groups = section.get("groups") if isinstance(section, dict) else None
    if not isinstance(section, dict) or not isinstance(groups, dict):
        raise ConfigError(f"{path}: has no experiment with groups")
    if section.get("name") != experiment:
        raise ConfigError(f"{path}: the experiment there is {section.get('name')!r:.80}, and not {experiment!r}")
    found = {}
    for name, group in groups.items():
        share = group.get("share") if isinstance(group, dict) else None
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share < float("inf"):
            raise ConfigError(f"{path}: experiment.groups.{name}.share must be a number from 0, got {share!r:.80}")
        found[str(name)] = float(share)
    return _some(found, f"{path}: experiment.groups")


def _some(shares: dict[str, float], where: str) -> dict[str, float]:
    total = sum(shares.values())
    if not 0 < total < float("inf"):
        raise ConfigError(f"{where}: the shares sum to {total:g}")
    return shares
