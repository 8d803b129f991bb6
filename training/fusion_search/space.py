"""The search space: which parameters of a fusion vary, and how far from their current values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ranker.fusion import Fusion, FusionError, Parameter, Plan
from ranker.registry import alternatives
from training.config.experiment import ConfigError

Floats = NDArray[np.float64]
Sets = dict[str, Floats]
"""Parameters of P sets: as a formula reads them, [P, T] for per-objective ones and [P] for others; of steps [P]."""

DIGITS = 6
RERANK = "rerank"
"""Prefix of the names of parameters of re-ranking steps."""


@dataclass(frozen=True)
class Dimension:
    """One searched number: a parameter of the formula, its value for one objective, or a re-ranking step's parameter.

    ``today`` is the current value, ``step`` the name of the step.
    """

    parameter: str
    objective: str | None
    today: float
    low: float
    high: float
    integer: bool
    step: str | None = None

    @property
    def name(self) -> str:
        """Name such as ``power.click``, ``buckets`` or ``rerank.diverse.lambda``."""
        if self.step is not None:
            return step_parameter(self.step, self.parameter)
        return self.parameter if self.objective is None else f"{self.parameter}.{self.objective}"


@dataclass(frozen=True)
class Space:
    """The search space: D dimensions around a plan's current parameters; other parameters stay fixed."""

    plan: Plan
    dimensions: tuple[Dimension, ...]

    @property
    def fusion(self) -> Fusion:
        """The plan's formula with its parameters."""
        return self.plan.fusion

    @property
    def start(self) -> Floats:
        """The current parameters as a point of the unit cube [D]."""
        return np.array([(d.today - d.low) / (d.high - d.low) for d in self.dimensions])

    def values(self, points: Floats) -> Floats:
        """Map points of the unit cube [..., D] to parameters [..., D], rounded to the digits written to the config."""
        low, high = (np.array([getattr(d, end) for d in self.dimensions]) for end in ("low", "high"))
        values = np.clip(low + points * (high - low), low, high)
        scale = 10.0 ** (DIGITS - 1 - np.floor(np.log10(np.maximum(np.abs([low, high]).max(axis=0), 1e-9))))
        whole = np.array([d.integer for d in self.dimensions])
        scale = np.where(whole, 1.0, scale)
        return np.asarray(np.clip(np.round(values * scale) / scale, low, high))

    def sets(self, points: Floats) -> Sets:
        """Map points [P, D] to all parameters of the formula, and those of steps that vary."""
        values = self.values(points)
        sets = {name: np.repeat(array[None], len(points), axis=0) for name, array in self.fusion.arrays.items()}
        for i, dimension in enumerate(self.dimensions):
            if dimension.step is not None:
                sets[dimension.name] = values[:, i]
            elif dimension.objective is None:
                sets[dimension.parameter][:] = values[:, i]
            else:
                sets[dimension.parameter][:, self.fusion.objectives.index(dimension.objective)] = values[:, i]
        return sets

    def at(self, point: Floats) -> Plan:
        """The plan at a point [D]."""
        changes = self.changes(point)
        return self.plan.replaced(changes.get("parameters", {})).with_rerank(changes.get(RERANK, {}))

    def changes(self, point: Floats) -> dict[str, dict[str, Any]]:
        """The parameters at a point [D], as a request's ``fusion`` has them: ``parameters`` and ``rerank``, if any."""
        changes: dict[str, dict[str, Any]] = {}
        for dimension, value in zip(self.dimensions, self.values(point).tolist(), strict=True):
            number = int(value) if dimension.integer else value
            if dimension.step is not None:
                changes.setdefault(RERANK, {}).setdefault(dimension.step, {})[dimension.parameter] = number
            elif dimension.objective is None:
                changes.setdefault("parameters", {})[dimension.parameter] = number
            else:
                of_objectives = changes.setdefault("parameters", {}).setdefault(dimension.parameter, {})
                of_objectives[dimension.objective] = number
        return changes


def step_parameter(step: str, parameter: str) -> str:
    """Name of a parameter of a re-ranking step: ``rerank.diverse.lambda``."""
    return f"{RERANK}.{step}.{parameter}"


def space(plan: Plan, vary: Sequence[str], trust: float) -> Space:
    """The search space around a plan's parameters.

    Each parameter's search radius is ``trust`` times its size: the larger of its current value and its default, or 5 %
    of its bounds if both are 0. The range is clipped to the formula's bounds, and an objective's strength keeps its
    sign, so that a search never reverses an objective.

    ``vary`` names parameters (``power``), one objective's value (``power.like``), or one with its range
    (``power.like=0:3``); by default all parameters of the formula that affect the order vary. Those of re-ranking steps
    vary if they are named: ``rerank.diverse.lambda``.

    Raises ``ConfigError`` for unknown names, for ranges outside the bounds or without the current value, and if nothing
    is left to vary.
    """
    if not 0.0 < trust < float("inf"):
        raise ConfigError(f"--trust {trust:g}: must be > 0; 1 searches from 0 to twice the current value")
    fusion = plan.fusion
    known: dict[str, Dimension] = {}
    bounds = {parameter.name: parameter for parameter in fusion.formula.parameters}
    for parameter in fusion.formula.parameters:
        current = fusion.arrays[parameter.name]
        for i, objective in enumerate(fusion.objectives if parameter.per_objective else [None]):
            value = float(current[i] if objective is not None else current)
            turned = parameter.name == fusion.formula.direction
            dimension = _around(parameter, objective, value, trust, keeps_sign=turned)
            known[dimension.name] = dimension
    idle = {parameter.name for parameter in fusion.formula.parameters if not parameter.affects_order}
    of_formula = list(known)
    for name, step in plan.options.rerank.items():
        for parameter in step.parameters:
            if parameter.name in step.numbers and parameter.affects_order:
                around = _around(parameter, None, step.numbers[parameter.name], trust, keeps_sign=False)
                dimension = replace(around, step=name)
                known[dimension.name], bounds[dimension.name] = dimension, parameter
    if not vary:
        chosen = {name: known[name] for name in of_formula if known[name].parameter not in idle}
        chosen = {name: dimension for name, dimension in chosen.items() if dimension.high > dimension.low}
    else:
        chosen = {}
        for text in vary:
            chosen |= _varied(text, fusion, known, bounds)
    if not chosen:
        raise ConfigError(
            f"fusion {fusion.name!r} has no parameter that affects the order, so there is nothing to search"
        )
    found = Space(plan, tuple(chosen.values()))
    _require_no_contradiction(found)
    return found


def _require_no_contradiction(found: Space) -> None:
    """Raise ``ConfigError`` if parameters of a step exclude each other at the ends of their ranges."""
    for step in dict.fromkeys(dimension.step for dimension in found.dimensions if dimension.step is not None):
        ends = {
            dimension.parameter: [int(end) if dimension.integer else end for end in (dimension.low, dimension.high)]
            for dimension in found.dimensions
            if dimension.step == step
        }
        for values in product(*ends.values()):
            try:
                found.plan.with_rerank({step: dict(zip(ends, values, strict=True))})
            except FusionError as error:  # such as at_least and of_first
                raise ConfigError(
                    f"--vary: rerank.{error}; give ranges, such as {step_parameter(step, next(iter(ends)))}=LOW:HIGH, "
                    "that do not contradict each other or the other parameters of the step"
                ) from None


def _around(
    parameter: Parameter, objective: str | None, current: float, trust: float, *, keeps_sign: bool
) -> Dimension:
    size = max(abs(current), abs(parameter.default)) or 0.05 * (parameter.high - parameter.low)
    low, high = max(current - trust * size, parameter.low), min(current + trust * size, parameter.high)
    if keeps_sign:
        low, high = (max(low, 0.0), high) if current >= 0 else (low, min(high, 0.0))
    if parameter.integer:
        low, high = float(np.ceil(low)), float(np.floor(high))
    return Dimension(parameter.name, objective, current, low, high, parameter.integer)


def _varied(
    text: str, fusion: Fusion, known: Mapping[str, Dimension], parameters: Mapping[str, Parameter]
) -> dict[str, Dimension]:
    word, equals, bounds_text = text.partition("=")
    found = {name: d for name, d in known.items() if word == name or (d.step is None and word == d.parameter)}
    if not found:
        names = [*dict.fromkeys(name for d in known.values() for name in (d.name if d.step else d.parameter, d.name))]
        raise ConfigError(f"--vary {text}: fusion {fusion.name!r} has no parameter {word!r}{alternatives(word, names)}")
    if not equals:
        return found
    moved = {}
    for name, dimension in found.items():
        parameter = parameters[dimension.parameter if dimension.step is None else name]
        try:
            low, high = (float(end) for end in bounds_text.split(":"))
        except ValueError:
            raise ConfigError(f"--vary {text}: a range must be LOW:HIGH, for example {word}=0:2") from None
        if not parameter.low <= low < high <= parameter.high:
            raise ConfigError(
                f"--vary {text}: the range of {name} must be increasing, within [{parameter.low:g}, {parameter.high:g}]"
            )
        if not low <= dimension.today <= high:
            raise ConfigError(f"--vary {text}: the range does not include the current {name}, {dimension.today:g}")
        moved[name] = replace(dimension, low=low, high=high)
    return moved
