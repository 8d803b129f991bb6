"""From a formula's name and a config's numbers to a checked fusion."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from ranker.fusion.base import FUSIONS, Floats, Formula, FusionError, Parameter
from ranker.registry import UnknownNameError, nearest

Given = Mapping[str, float | Mapping[str, float]]
"""Parameters as a config states them: a number, or for per-objective parameters also objective -> number."""

Numbers = tuple[float, ...]
"""The values of one parameter: T numbers for a per-objective one, a single number for any other."""


@dataclass(frozen=True)
class Fusion:
    """A formula with all of its parameters set, for named objectives; ``build_fusion`` makes and checks it.

    Attributes
    ----------
    name
        The formula's name in ``FUSIONS``.
    objectives
        Names of the T objectives, in the order of the columns of ``scores``.
    numbers
        One entry per parameter of the formula, in its order.
    """

    name: str
    objectives: tuple[str, ...]
    numbers: tuple[Numbers, ...]

    @property
    def formula(self) -> type[Formula]:
        """The formula itself."""
        return FUSIONS[self.name]

    @property
    def values(self) -> dict[str, float | dict[str, float]]:
        """Every parameter's value, defaults included, as a JSON-able dict of its own for each call."""
        return {
            parameter.name: dict(zip(self.objectives, numbers, strict=True)) if parameter.per_objective else numbers[0]
            for parameter, numbers in zip(self.formula.parameters, self.numbers, strict=True)
        }

    @cached_property
    def arrays(self) -> dict[str, Floats]:
        """Every parameter as the formula reads it: [T] or []."""
        return {
            parameter.name: np.array(numbers if parameter.per_objective else numbers[0], dtype=np.float64)
            for parameter, numbers in zip(self.formula.parameters, self.numbers, strict=True)
        }

    def fuse(self, scores: ArrayLike) -> Floats:
        """Scores [N, T] of one request's candidates -> fused scores [N], higher is better.

        Raises ``FusionError`` for another shape and for a score that is not finite.
        """
        scores = np.asarray(scores, dtype=np.float64)
        if scores.ndim != 2 or scores.shape[1] != len(self.objectives):
            raise FusionError(
                f"scores must be [candidates, {len(self.objectives)}], one column for each of "
                f"{', '.join(self.objectives)}; got shape {list(scores.shape)}"
            )
        finite = np.isfinite(scores)
        if not finite.all():
            row, column = np.argwhere(~finite)[0]
            objective, score = self.objectives[column], scores[row, column]
            raise FusionError(f"scores must be finite, got {score} for {objective!r} of candidate {row}")
        return self.formula.fuse(scores, self.arrays)

    def replaced(self, parameters: Given) -> "Fusion":
        """Return this fusion with some parameters set anew; what ``parameters`` leaves out stays as it is.

        Raises ``FusionError`` as ``build_fusion`` does.
        """
        return Fusion(self.name, self.objectives, _resolve(self.name, self.objectives, parameters, self.numbers))

    def to_dict(self) -> dict[str, object]:
        """Return ``{"name": ..., "parameters": ...}``, which ``build_fusion`` turns into an equal fusion."""
        return {"name": self.name, "parameters": self.values}


def build_fusion(name: str, objectives: Sequence[str], parameters: Given) -> Fusion:
    """Build the fusion that a config describes.

    Parameters
    ----------
    name
        A name in ``FUSIONS``.
    objectives
        Names of the T objectives, in the order of the columns of the scores to come.
    parameters
        Parameter name -> number, or, for a per-objective parameter, also objective -> number. Parameters and
        objectives not named keep the default.

    Raises
    ------
    FusionError
        For an unknown formula, parameter or objective, objectives that are empty or not distinct, and a value
        that is not a number, not finite, out of bounds, or not whole where it must be.
    """
    try:
        formula = FUSIONS[name]
    except UnknownNameError as error:
        raise FusionError(str(error)) from None
    if isinstance(objectives, str) or not objectives or len(set(objectives)) != len(objectives):
        raise FusionError(f"objectives must be one or more distinct names, got {objectives!r}")
    defaults = tuple(
        (parameter.default,) * (len(objectives) if parameter.per_objective else 1) for parameter in formula.parameters
    )
    return Fusion(name, tuple(objectives), _resolve(name, tuple(objectives), parameters, defaults))


def _resolve(name: str, objectives: tuple[str, ...], given: Given, current: tuple[Numbers, ...]) -> tuple[Numbers, ...]:
    """Check ``given`` against the formula and lay it over ``current``."""
    parameters = FUSIONS[name].parameters
    if not isinstance(given, Mapping):
        raise FusionError(f"fusion {name!r}: parameters must map names to numbers, got {given!r}")
    for key in given:
        _check_name(key, [parameter.name for parameter in parameters], f"fusion {name!r} has no parameter")
    return tuple(
        _numbers(name, parameter, objectives, given[parameter.name], numbers) if parameter.name in given else numbers
        for parameter, numbers in zip(parameters, current, strict=True)
    )


def _numbers(name: str, parameter: Parameter, objectives: tuple[str, ...], value: object, current: Numbers) -> Numbers:
    """Check one parameter's value; objectives that a mapping leaves out keep their ``current`` number."""
    owner = f"fusion {name!r}: parameter {parameter.name!r}"
    if not parameter.per_objective:
        return (parameter.checked(value, owner=f"{owner}, which is the same for all objectives,"),)
    if not isinstance(value, Mapping):
        return (parameter.checked(value, owner=f"{owner} for all objectives"),) * len(objectives)
    for key in value:
        _check_name(key, objectives, f"{owner} is given {value[key]!r} for an unknown objective")
    return tuple(
        parameter.checked(value[objective], owner=f"{owner} for objective {objective!r}")
        if objective in value
        else number
        for objective, number in zip(objectives, current, strict=True)
    )


def _check_name(name: object, known: Sequence[str], problem: str) -> None:
    if name not in known:
        hint = nearest(str(name), list(known))
        raise FusionError(f"{problem} {name!r}{'; ' + hint if hint else ''} (known: {', '.join(known)})")
