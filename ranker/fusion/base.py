"""What a fusion formula declares: its parameters, and what its ranking does not depend on."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]

Invariance = Literal["increasing_map", "translation", "scaling", "common_scaling"]
"""A change of the scores of a whole request that leaves the ranking as it was.

``increasing_map``: each objective's scores through a strictly increasing function of its own;
``translation``: a constant of its own added to each objective;
``scaling``: each objective times a positive constant of its own;
``common_scaling``: all objectives times the same positive constant.
"""

ORDER_ALONE: Mapping[Invariance, Mapping[str, float]] = {
    "increasing_map": {},
    "translation": {},
    "scaling": {},
    "common_scaling": {},
}
"""Invariances of a formula that reads nothing but the order of a request's candidates."""


class FusionError(ValueError):
    """A fusion that cannot be built, or scores that it cannot fuse; the text says what would be right."""


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A parameter that a formula declares: what a config may set and a search may vary.

    Attributes
    ----------
    name
        The word that configs use.
    default
        The value where a config says nothing, within the bounds.
    low, high
        Finite bounds, both allowed.
    per_objective
        Whether there is one value per objective ([T]) or one in all.
    integer
        Whether only whole numbers are allowed.
    affects_order
        False where the value changes the fused scores but never the ranking: a search can leave it alone.
    description
        One sentence for people.
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
        # A bool is an int to Python, and in a config always a mistake.
        if isinstance(value, bool) or not isinstance(value, Real):
            raise FusionError(f"{owner} must be {self.valid}, got {value!r}")
        number = float(value)
        whole = number.is_integer() or not self.integer
        if not (math.isfinite(number) and self.low <= number <= self.high and whole):
            raise FusionError(f"{owner} must be {self.valid}, got {number:g}")
        return int(number) if self.integer else number
