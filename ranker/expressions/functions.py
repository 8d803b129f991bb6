"""Functions of formulas, and operators that handle nulls."""

from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any, NamedTuple

import numpy as np


class Function(NamedTuple):
    """An array function and its number of arguments; ``most`` None means any number."""

    compute: Callable[..., Any]
    least: int = 1
    most: int | None = 1


def where(condition: Any, then: Any, otherwise: Any) -> Any:
    """``then`` where the condition is true (not 0), else ``otherwise``; null where it is null."""
    chosen = np.where(condition != 0, then, otherwise)
    return np.where(np.isnan(condition), np.nan, chosen)


def _sigmoid(x: Any) -> Any:
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1.0 / (1.0 + small), small / (1.0 + small))


def _coalesce(*values: Any) -> Any:
    return reduce(lambda first, second: np.where(np.isnan(first), second, first), values)


FUNCTIONS: Mapping[str, Function] = {
    "abs": Function(np.abs),
    "ceil": Function(np.ceil),
    "clip": Function(lambda x, low, high: np.minimum(np.maximum(x, low), high), 3, 3),
    "coalesce": Function(_coalesce, 2, None),
    "exp": Function(np.exp),
    "expm1": Function(np.expm1),
    "floor": Function(np.floor),
    "is_null": Function(lambda x: np.isnan(x).astype(np.float64)),
    "log": Function(np.log),
    "log1p": Function(np.log1p),
    "max": Function(lambda *values: reduce(np.maximum, values), 2, None),
    "min": Function(lambda *values: reduce(np.minimum, values), 2, None),
    "sigmoid": Function(_sigmoid),
    "sqrt": Function(np.sqrt),
    "tanh": Function(np.tanh),
    "where": Function(where, 3, 3),
}
"""Functions by name. ``coalesce`` returns its first argument that is not null; ``min`` and ``max`` are elementwise."""


def known(result: Any, *operands: Any) -> Any:
    """Result of a comparison: 1 or 0, NaN where an operand is NaN."""
    return np.where(reduce(np.logical_or, [np.isnan(x) for x in operands]), np.nan, result)


def power(base: Any, exponent: Any) -> Any:
    """``base ** exponent`` with nulls kept; NumPy gives 1 for NaN ** 0."""
    return known(np.power(base, exponent), base, exponent)


def truth(x: Any) -> Any:
    """0 for 0, else 1; NaN stays NaN."""
    return known(x != 0, x)


def both(a: Any, b: Any) -> Any:
    """Three-valued ``and`` of 1, 0 and null: 0 where either is 0."""
    return np.where((a == 0) | (b == 0), 0.0, a * b)


def either(a: Any, b: Any) -> Any:
    """Three-valued ``or`` of 1, 0 and null: 1 where either is 1."""
    return np.where((a == 1) | (b == 1), 1.0, np.maximum(a, b))
