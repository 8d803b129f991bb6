"""Generates evenly spread preferences over the tasks, one trial each."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from math import comb
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ranker.registry import alternatives
from ranker.weighting import WEIGHTINGS
from training.config.experiment import ConfigError, Experiment
from training.sweeps import Trial, checked

Points = NDArray[np.float64]

_CANDIDATES = 5000
_MOST = 500


@dataclass(frozen=True)
class Method:
    """A weighting's option that holds a preference, and the map from a simplex point [T] to its values."""

    option: str
    values: Callable[[Points, float], Points]


def _share(point: Points, total: float) -> Points:
    return total * point


def _mixed(point: Points, total: float) -> Points:
    """Weights with mean 1: the point mixed with equal weights, so that no task has weight 0."""
    return total * len(point) * point + (1.0 - total)


METHODS = {
    "pe_ltr": Method("bounds", _share),
    "static": Method("weights", _mixed),
    "smooth_tchebycheff": Method("preference", _mixed),
}


def spread(tasks: int, points: int) -> Points:
    """Evenly spread points [N, T] of the simplex: the centre, the corners, then the farthest remaining point.

    Farthest-point selection (Gonzalez 1985) on a simplex lattice (Scheffe 1958), ties by lattice order. The first N of
    M > N points are the same for all M, so that a larger front extends a smaller one.
    """
    lattice = _lattice(tasks)
    chosen = [np.full(tasks, 1.0 / tasks), *np.eye(tasks)][:points]
    distance = np.min([np.linalg.norm(lattice - point, axis=1) for point in chosen], axis=0)
    while len(chosen) < points:
        best = lattice[np.argmax(np.round(distance, 9))]  # rounded: equal distances differ in the last bit
        chosen.append(best)
        distance = np.minimum(distance, np.linalg.norm(lattice - best, axis=1))
    return np.array(chosen)


def expand(base: Experiment, points: int, total: float, methods: Sequence[str]) -> list[Trial]:
    """Trials of ``base`` with ``points`` preferences per method. Raises ``ConfigError``.

    For PE-LTR a simplex point p becomes the bounds ``total * p``; PE-LTR balances the remaining ``1 - total``. For
    ``static`` and ``smooth_tchebycheff`` it becomes weights of mean 1 proportional to ``total * p + (1 - total) / T``,
    which splits the remainder equally.
    """
    tasks = list(base.log_schema.tasks)
    if len(tasks) < 2:
        raise ConfigError(f"a front needs at least 2 tasks; the config has only {tasks[0]!r}")
    if not 0.0 < total <= 1.0:
        raise ConfigError(f"--total {total:g}: must be > 0 and at most 1; 0.8 leaves 0.2 for PE-LTR to balance")
    if not len(tasks) < points <= _MOST:
        raise ConfigError(
            f"--points {points}: {len(tasks)} tasks need at least {len(tasks) + 1} (equal bounds, and one point that "
            f"favours each task), at most {_MOST}"
        )
    trials, raw = [], base.model_dump(mode="json", by_alias=True)
    for method in methods:
        if method not in METHODS:
            raise ConfigError(f"--method {method}: unknown{alternatives(method, METHODS)}")
        if methods.count(method) > 1:
            raise ConfigError(f"--method {method}: is given twice")
        option, options = METHODS[method].option, WEIGHTINGS[method].Options
        common: Any = next(kind for kind in options.__mro__ if isinstance(base.weighting, kind))
        kept = {k: v for k, v in raw["weighting"].items() if k in common.model_fields}
        for point in spread(len(tasks), points):
            values = dict(zip(tasks, _tidy(METHODS[method].values(point, total)), strict=True))
            text = ", ".join(f"{task} {value:.3g}" for task, value in values.items() if value)
            chosen = checked(
                {**raw, "weighting": {**kept, "name": method, option: values}}, f"--method {method}, {option} {text}"
            )
            trials.append(Trial({"weighting": method, option: text}, base.training.seed, chosen))
    return trials


def _tidy(values: Points) -> list[float]:
    """Values rounded down to 6 digits, so that a sum of at most 1 stays at most 1."""
    return [float(value) for value in np.floor(values * 1e6 + 1e-3) / 1e6]


def _lattice(tasks: int) -> Points:
    """All simplex points with coordinates in multiples of 1/h, for the largest h with at most 5000 points."""
    finest = 1
    while comb(finest + tasks, tasks - 1) <= _CANDIDATES:
        finest += 1
    divisions = finest - finest % 12 or finest  # multiples of 12 contain halves, thirds and quarters
    return np.array(list(_compositions(divisions, tasks)), dtype=np.float64) / divisions


def _compositions(total: int, parts: int) -> Iterator[list[int]]:
    """All ways to write ``total`` as an ordered sum of ``parts`` numbers (stars and bars)."""
    for bars in combinations(range(total + parts - 1), parts - 1):
        edges = [-1, *bars, total + parts - 1]
        yield [right - left - 1 for left, right in pairwise(edges)]
