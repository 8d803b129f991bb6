"""Declarations of a fusion formula: its parameters and invariances."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]

Invariance = Literal["increasing_map", "translation", "scaling", "common_scaling"]
"""A change of all scores of a request that does not change the ranking.

``increasing_map``: a strictly increasing function per objective;
``translation``: a constant added per objective;
``scaling``: a positive factor per objective;
``common_scaling``: the same positive factor for all objectives.
"""

ORDER_ALONE: Mapping[Invariance, Mapping[str, float]] = {
    "increasing_map": {},
    "translation": {},
    "scaling": {},
    "common_scaling": {},
}
"""Invariances of a formula that depends only on the order of a request's candidates."""


class FusionError(ValueError):
    """An invalid fusion, or scores that it cannot fuse; the message says what would be right."""


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A parameter of a formula, which a config may set and a search may vary.

    Attributes
    ----------
    name
        Name in configs.
    default
        Value if the config does not set it, within the bounds.
    low, high
        Finite inclusive bounds.
    per_objective
        Whether there is one value per objective ([T]) or a single one.
    integer
        Whether values must be integers.
    affects_order
        False if the value changes fused scores but never the ranking, so that a search can skip it.
    description
        One sentence for users.
    """

    name: str
    default: float
    low: float
    high: float
    per_objective: bool
    integer: bool = False
    affects_order: bool = True
    description: str

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise FusionError(f"parameter {self.name!r}: bounds must be finite, low < high, got {self.valid}")
        self.checked(self.default, owner=f"default of parameter {self.name!r}")

    @property
    def valid(self) -> str:
        """The allowed values in words, such as ``a number in [-1, 1]``."""
        return f"a {'whole ' if self.integer else ''}number in [{self.low:g}, {self.high:g}]"

    def checked(self, value: object, *, owner: str) -> float:
        """Return ``value`` as a plain number, or raise a ``FusionError`` that begins with ``owner``."""
        # In Python a bool is an int; in a config it is always a mistake.
        if isinstance(value, bool) or not isinstance(value, Real):
            raise FusionError(f"{owner} must be {self.valid}, got {value!r}")
        try:
            number = float(value)
        except OverflowError:  # a whole number beyond floats, and so beyond all bounds
            number = math.inf
        whole = number.is_integer() or not self.integer
        if not (math.isfinite(number) and self.low <= number <= self.high and whole):
            raise FusionError(f"{owner} must be {self.valid}, got {number:g}")
        return int(number) if self.integer else number
