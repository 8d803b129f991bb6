"""The search loop: ask, measure, tell. Saved after each generation, so that an interrupted search resumes."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ranker.files import replacing
from training.config.experiment import ConfigError
from training.fusion_search.methods import METHODS, Points
from training.fusion_search.objective import Goal

Values = NDArray[np.float64]

Measure: TypeAlias = Callable[[Points], Values]
"""Maps points of the unit cube [n, D] to metrics [n, M]."""

Progress: TypeAlias = Callable[[int, float], None]
"""Called after each generation with the number of points tried so far and the best value."""


@dataclass(frozen=True, eq=False)
class History:
    """All points that a search tried, in order.

    Attributes
    ----------
    points
        Points of the unit cube [n, D]; the first one is the start.
    measured
        Their metrics [n, M].
    fitness
        The values told to the method [n]: the objective, with constraint violations penalised.
    generations
        Number of points tried by the end of each generation [g].
    """

    points: Points
    measured: Values
    fitness: Values
    generations: NDArray[np.intp]

    @property
    def best(self) -> int:
        """Index of the best point, the first of ties."""
        return int(np.argmax(self.fitness))


def search(
    method: str,
    start: Points,
    goal: Goal[Any],
    baseline: Values,
    measure: Measure,
    *,
    budget: int,
    seed: int,
    state: Path | None = None,
    key: str = "",
    progress: Progress | None = None,
) -> History:
    """Try up to ``budget`` points.

    Parameters
    ----------
    method
        A name in ``METHODS``.
    start
        The point of the current parameters [D].
    goal, baseline
        Objective and constraints; ``baseline`` [M] are the current metrics that constraints refer to.
    measure
        Computes the metrics of points.
    budget, seed
        Arguments of ``Method``.
    state
        File written after each generation. If it has the same ``key``, the search resumes from it: the method is told
        the saved results again, and nothing is measured twice.
    progress
        Called after each generation.

    Raises
    ------
    ConfigError
        If the method is unknown or does not support the budget or start.
    """
    try:
        searcher = METHODS[method](start, budget, seed, len(goal.terms))
    except (KeyError, ValueError) as error:
        raise ConfigError(f"--method {method}: {error}") from None
    saved, at = _load_state(state, key), 0
    points, measured = [np.empty((0, len(start)))], [np.empty((0, len(goal.metrics)))]
    ends: list[int] = []
    while at < budget:
        asked = searcher.ask()[: budget - at]
        if not len(asked):
            break
        known = saved[1][at : at + len(asked)] if saved is not None else measured[0]
        if saved is not None and len(known) == len(asked) and np.array_equal(saved[0][at : at + len(asked)], asked):
            metrics = known
        else:
            saved, metrics = None, measure(asked)
        points.append(asked)
        measured.append(metrics)
        searcher.tell(asked, goal.fitness(metrics, baseline), goal.front(metrics, baseline))
        at += len(asked)
        ends.append(at)
        if saved is None and state is not None:
            _save_state(state, key, np.concatenate(points), np.concatenate(measured))
        if progress is not None:
            progress(at, float(goal.fitness(np.concatenate(measured), baseline).max()))
    everything = np.concatenate(measured)
    return History(np.concatenate(points), everything, goal.fitness(everything, baseline), np.array(ends))


def _load_state(state: Path | None, key: str) -> tuple[Points, Values] | None:
    if state is None or not state.is_file():
        return None
    with np.load(state, allow_pickle=False) as arrays:
        return (arrays["points"], arrays["measured"]) if str(arrays["key"]) == key else None


def _save_state(state: Path, key: str, points: Points, measured: Values) -> None:
    with replacing(state) as partial, partial.open("wb") as file:
        np.savez(file, key=np.array(key), points=points, measured=measured)
