"""The search space: which parameters of a fusion vary, and how far from their current values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ranker.fusion import Fusion, Parameter
from ranker.registry import alternatives
from training.config.experiment import ConfigError

Floats = NDArray[np.float64]
Sets = dict[str, Floats]
"""Parameters of P sets as a formula reads them: [P, T] for per-objective ones, [P] for others."""

DIGITS = 6


@dataclass(frozen=True)
class Dimension:
    """One number that is searched: a parameter, for one objective where it has a value for each."""

    parameter: str
    objective: str | None
    today: float
    low: float
    high: float
    integer: bool

    @property
    def name(self) -> str:
        """``power.click``, or ``buckets``."""
        return self.parameter if self.objective is None else f"{self.parameter}.{self.objective}"


@dataclass(frozen=True)
class Space:
    """The trust region: D dimensions around a fusion's present parameters; other parameters stay as they are."""

    fusion: Fusion
    dimensions: tuple[Dimension, ...]

    @property
    def start(self) -> Floats:
        """Today's point of the unit cube [D]."""
        return np.array([(d.today - d.low) / (d.high - d.low) for d in self.dimensions])

    def values(self, points: Floats) -> Floats:
        """Points of the unit cube [..., D] -> parameters [..., D], with the digits that a config shows."""
        low, high = (np.array([getattr(d, end) for d in self.dimensions]) for end in ("low", "high"))
        values = np.clip(low + points * (high - low), low, high)
        scale = 10.0 ** (DIGITS - 1 - np.floor(np.log10(np.maximum(np.abs([low, high]).max(axis=0), 1e-9))))
        whole = np.array([d.integer for d in self.dimensions])
        scale = np.where(whole, 1.0, scale)
        return np.asarray(np.clip(np.round(values * scale) / scale, low, high))

    def sets(self, points: Floats) -> Sets:
        """Points [P, D] -> all parameters of the formula."""
        values = self.values(points)
        found = {name: np.repeat(array[None], len(points), axis=0) for name, array in self.fusion.arrays.items()}
        for i, dimension in enumerate(self.dimensions):
            if dimension.objective is None:
                found[dimension.parameter][:] = values[:, i]
            else:
                found[dimension.parameter][:, self.fusion.objectives.index(dimension.objective)] = values[:, i]
        return found

    def at(self, point: Floats) -> Fusion:
        """The fusion at a point [D]."""
        given: dict[str, float | dict[str, float]] = {}
        for dimension, value in zip(self.dimensions, self.values(point).tolist(), strict=True):
            number = int(value) if dimension.integer else value
            if dimension.objective is None:
                given[dimension.parameter] = number
            else:
                of_objectives = given.setdefault(dimension.parameter, {})
                assert isinstance(of_objectives, dict)
                of_objectives[dimension.objective] = number
        return self.fusion.replaced(given)


def space(fusion: Fusion, vary: Sequence[str], trust: float) -> Space:
    """The trust region around a fusion's parameters.

    A parameter may move by ``trust`` times its size: the greater of its present value and its default, or a twentieth
    of its bounds where both are 0. It stays within the bounds that the formula declares, and what says how much
    an objective counts keeps its sign: a search turns no objective around.

    ``vary`` names parameters (``power``), single ones of an objective (``power.like``), and their region where it is
    another (``power.like=0:3``); without it all that affect the order are varied.

    Raises ``ConfigError`` for names that are not there, regions that leave out today's value or the bounds, and where
    nothing is left to vary.
    """
    if not 0.0 < trust < float("inf"):
        raise ConfigError(f"--trust {trust:g}: must be above 0; 1 lets a parameter go to 0 or to twice of what it is")
    known: dict[str, Dimension] = {}
    for parameter in fusion.formula.parameters:
        today = fusion.arrays[parameter.name]
        for i, objective in enumerate(fusion.objectives if parameter.per_objective else [None]):
            value = float(today[i] if objective is not None else today)
            turned = parameter.name == fusion.formula.direction
            dimension = _around(parameter, objective, value, trust, keeps_sign=turned)
            known[dimension.name] = dimension
    idle = {parameter.name for parameter in fusion.formula.parameters if not parameter.affects_order}
    if not vary:
        chosen = {name: d for name, d in known.items() if d.parameter not in idle and d.high > d.low}
    else:
        chosen = {}
        for text in vary:
            chosen |= _varied(text, fusion, known)
    if not chosen:
        raise ConfigError(
            f"fusion {fusion.name!r} has no parameter that affects the order, so there is nothing to search"
        )
    return Space(fusion, tuple(chosen.values()))


def _around(parameter: Parameter, objective: str | None, today: float, trust: float, *, keeps_sign: bool) -> Dimension:
    size = max(abs(today), abs(parameter.default)) or 0.05 * (parameter.high - parameter.low)
    low, high = max(today - trust * size, parameter.low), min(today + trust * size, parameter.high)
    if keeps_sign:
        low, high = (max(low, 0.0), high) if today >= 0 else (low, min(high, 0.0))
    if parameter.integer:
        low, high = float(np.ceil(low)), float(np.floor(high))
    return Dimension(parameter.name, objective, today, low, high, parameter.integer)


def _varied(text: str, fusion: Fusion, known: Mapping[str, Dimension]) -> dict[str, Dimension]:
    word, equals, region = text.partition("=")
    found = {name: d for name, d in known.items() if word in (name, d.parameter)}
    if not found:
        names = [*dict.fromkeys(name for d in known.values() for name in (d.parameter, d.name))]
        raise ConfigError(f"--vary {text}: fusion {fusion.name!r} has no parameter {word!r}{alternatives(word, names)}")
    if not equals:
        return found
    bounds = {parameter.name: parameter for parameter in fusion.formula.parameters}
    moved = {}
    for name, dimension in found.items():
        parameter = bounds[dimension.parameter]
        try:
            low, high = (float(end) for end in region.split(":"))
        except ValueError:
            raise ConfigError(f"--vary {text}: a region is LOW:HIGH, for example {word}=0:2") from None
        if not parameter.low <= low < high <= parameter.high:
            raise ConfigError(
                f"--vary {text}: a region of {name} is within [{parameter.low:g}, {parameter.high:g}], rising"
            )
        if not low <= dimension.today <= high:
            raise ConfigError(f"--vary {text}: the region leaves out the present {name}, {dimension.today:g}")
        moved[name] = Dimension(dimension.parameter, dimension.objective, dimension.today, low, high, parameter.integer)
    return moved
