"""A parsed formula and its evaluation."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Evaluator: TypeAlias = Callable[[Mapping[str, Any]], Any]


class ExpressionError(ValueError):
    """An invalid formula; the message quotes it and says where and why."""


@dataclass(frozen=True)
class Expression:
    """A parsed formula: ``names`` in order of appearance; those in ``texts`` are compared with text."""

    text: str
    names: tuple[str, ...]
    texts: frozenset[str]
    _evaluator: Evaluator = field(repr=False, compare=False)

    def evaluate(self, values: Mapping[str, Any]) -> Floats:
        """Evaluate on values by name, numbers or arrays that broadcast; return an array of the broadcast shape.

        Names in ``texts`` take strings, ``None`` for null. Divisions by zero, logarithms of negative numbers and the
        like give infinity or NaN without a warning. A formula without names gives shape []. Raises ``ValueError`` for
        a name without a value, or a value that is not a number.
        """
        given = {name: self._value(name, values) for name in self.names}
        with np.errstate(all="ignore"):
            return np.asarray(self._evaluator(given), dtype=np.float64)

    def _value(self, name: str, values: Mapping[str, Any]) -> Any:
        if name not in values:
            raise ExpressionError(f"{self.text!r} needs a value for {name!r}")
        value = values[name]
        if name in self.texts:
            return np.asarray(value, dtype=object)
        try:
            if isinstance(value, np.ma.MaskedArray):
                return np.ma.filled(value.astype(np.float64), np.nan)
            return np.asarray(value, dtype=np.float64)
        except (TypeError, ValueError):
            raise ExpressionError(f"{self.text!r} needs numbers for {name!r}, got {value!r:.80}") from None
