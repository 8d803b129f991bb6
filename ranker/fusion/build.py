"""Build a checked fusion from a formula's name and parameters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from pydantic import ValidationError

from ranker.fusion.base import Floats, FusionError, Parameter
from ranker.fusion.candidates import Candidates
from ranker.fusion.checks import LocatedError, at, find, require_known
from ranker.fusion.formula import FUSIONS, Formula, FormulaOptions, State
from ranker.fusion.requests import Requests

Given = Mapping[str, float | Mapping[str, float]]
"""Parameters as in a config: a number, or for per-objective parameters also objective -> number."""

Numbers = tuple[float, ...]
"""Values of one parameter: T numbers if per-objective, else one."""


@dataclass(frozen=True)
class Fusion:
    """A formula with all parameters set, for named objectives; created and checked by ``build_fusion``.

    Attributes
    ----------
    name
        The formula's name in ``FUSIONS``.
    objectives
        Names of the T objectives in the column order of ``scores``.
    numbers
        One entry per parameter of the formula, in order.
    options
        The formula's options besides its parameters.
    state
        Fitted state of a formula that needs it; ``None`` before fitting.
    formula
        The formula, built from objectives, options and state. It does not depend on the parameters, so that it can be
        reused with others.
    """

    name: str
    objectives: tuple[str, ...]
    numbers: tuple[Numbers, ...]
    options: FormulaOptions
    state: State | None
    formula: Formula = field(repr=False, compare=False)

    @property
    def values(self) -> dict[str, float | dict[str, float]]:
        """Values of all parameters, including defaults, as a new JSON-able dict."""
        return {
            parameter.name: dict(zip(self.objectives, numbers, strict=True)) if parameter.per_objective else numbers[0]
            for parameter, numbers in zip(self.formula.parameters, self.numbers, strict=True)
        }

    @cached_property
    def arrays(self) -> dict[str, Floats]:
        """All parameters as arrays for the formula: [T] or []."""
        return {
            parameter.name: np.array(numbers if parameter.per_objective else numbers[0], dtype=np.float64)
            for parameter, numbers in zip(self.formula.parameters, self.numbers, strict=True)
        }

    def fuse(
        self, scores: ArrayLike, requests: Requests | None = None, features: Mapping[str, ArrayLike] | None = None
    ) -> Floats:
        """Fuse scores [N, T] of candidates, by default of one request, to scores [N], higher is better.

        Raises ``FusionError`` as ``Candidates.of`` does, and for a formula that is not fitted.
        """
        self.require_fitted()
        return self.formula.fuse(Candidates.of(self.objectives, scores, requests, features), self.arrays)

    def require_fitted(self) -> None:
        """Raise ``FusionError`` if the formula needs fitting and is not fitted."""
        if self.formula.fitted and self.state is None:
            raise FusionError(
                f"fusion {self.name!r} must be fitted to a reference population, which export does for fusions of "
                "a config: name one of those"
            )

    def fit(self, candidates: Candidates, log: Mapping[str, Any] | None = None) -> "Fusion":
        """Return this fusion fitted to a reference population, for example a log.

        ``log`` has the columns that the formula reads, [N] each. Raises ``FusionError``.
        """
        if not self.formula.fitted:
            return self
        state = self.formula.fit(candidates, log or {})
        return replace(self, state=state, formula=type(self.formula)(self.objectives, self.options, state))

    def replaced(self, parameters: Given) -> "Fusion":
        """Return this fusion with some parameters replaced; others keep their values.

        Raises ``FusionError`` as ``build_fusion`` does.
        """
        numbers = _resolve(self.name, self.formula.parameters, self.objectives, parameters, self.numbers)
        return replace(self, numbers=numbers)


def build_fusion(
    name: str,
    objectives: Sequence[str],
    parameters: Given,
    options: Mapping[str, Any] | None = None,
    state: State | None = None,
) -> Fusion:
    """Build a fusion from a config.

    Parameters
    ----------
    name
        Name in ``FUSIONS``.
    objectives
        Names of the T objectives, in the column order of scores.
    parameters
        Parameter name -> number, or for a per-objective parameter also objective -> number. Parameters and objectives
        that are not named get the default.
    options
        Fields of the formula's ``Options``.
    state
        Fitted state from ``Fusion.fit``, for a formula that needs it.

    Raises
    ------
    FusionError
        For an unknown formula, option, parameter or objective, for empty or duplicate objectives, and for a value that
        is not a finite number in bounds, or not an integer where required.
    """
    formula = find(FUSIONS, name)
    if isinstance(objectives, str) or not objectives or len(set(objectives)) != len(objectives):
        raise FusionError(f"objectives must be one or more distinct names, got {objectives!r}")
    with at("options"):
        chosen = _options(formula, options or {})
        made = formula(tuple(objectives), chosen, state)
        declared = made.parameters
    numbers = tuple((one.default,) * (len(objectives) if one.per_objective else 1) for one in declared)
    return Fusion(name, tuple(objectives), numbers, chosen, state, made).replaced(parameters)


def _options(formula: type[Formula], given: Mapping[str, Any]) -> FormulaOptions:
    try:
        return formula.Options.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        text = "is required" if first["type"] == "missing" else first["msg"].removeprefix("Value error, ")
        problem = FusionError(text) if not first["loc"] else LocatedError(f"{'.'.join(map(str, first['loc']))}: {text}")
        raise problem from None


def _resolve(
    name: str,
    parameters: tuple[Parameter, ...],
    objectives: tuple[str, ...],
    given: Given,
    current: tuple[Numbers, ...],
) -> tuple[Numbers, ...]:
    """Check ``given`` against the formula's parameters and merge it into ``current``."""
    if not isinstance(given, Mapping):
        raise FusionError(f"fusion {name!r}: parameters must map names to numbers, got {given!r}")
    for key in given:
        require_known(key, [parameter.name for parameter in parameters], f"fusion {name!r} has no parameter {key!r}")
    return tuple(
        _numbers(name, parameter, objectives, given[parameter.name], numbers) if parameter.name in given else numbers
        for parameter, numbers in zip(parameters, current, strict=True)
    )


def _numbers(name: str, parameter: Parameter, objectives: tuple[str, ...], value: object, current: Numbers) -> Numbers:
    """Check one parameter's value; objectives missing from a mapping keep their ``current`` number."""
    owner = f"fusion {name!r}: parameter {parameter.name!r}"
    if not parameter.per_objective:
        return (parameter.checked(value, owner=f"{owner}, which is the same for all objectives,"),)
    if not isinstance(value, Mapping):
        return (parameter.checked(value, owner=f"{owner} for all objectives"),) * len(objectives)
    for key in value:
        require_known(key, objectives, f"{owner} is given {value[key]!r} for an unknown objective {key!r}")
    return tuple(
        parameter.checked(value[objective], owner=f"{owner} for objective {objective!r}")
        if objective in value
        else number
        for objective, number in zip(objectives, current, strict=True)
    )
