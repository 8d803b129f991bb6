"""The loop of a search: ask, measure, tell; kept after each generation, so that a stopped search goes on."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ranker.files import replacing
from training.config.experiment import ConfigError
from training.fusion_search.methods import METHODS, Points
from training.fusion_search.objective import Goal

Values = NDArray[np.float64]

Measure: TypeAlias = Callable[[Points], Values]
"""Points of the unit cube [n, D] -> metrics [n, M]."""

Progress: TypeAlias = Callable[[int, float], None]
"""Called after each generation with the number of points tried so far and the best value."""


@dataclass(frozen=True, eq=False)
class History:
    """All points that a search tried, in order.

    Attributes
    ----------
    points
        Of the unit cube [n, D]; the first one is the start.
    measured
        Their metrics [n, M].
    worth
        What the method was told [n].
    generations
        How many points had been tried at the end of each generation [g].
    """

    points: Points
    measured: Values
    worth: Values
    generations: NDArray[np.intp]

    @property
    def best(self) -> int:
        """Index of the best point; of equal ones the first."""
        return int(np.argmax(self.worth))


def search(
    method: str,
    start: Points,
    goal: Goal,
    today: Values,
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
        Today's point [D].
    goal, today
        What the metrics are worth; ``today`` [M] are those that constraints refer to.
    measure
        Measures points.
    budget, seed
        As ``Method`` takes them.
    state
        A file that is written after each generation. If it is of the same ``key``, the search goes on after it: the
        method is told everything again, and nothing is measured twice.
    progress
        Called after each generation.

    Raises
    ------
    ConfigError
        For an unknown method, and a budget or start that it cannot work with.
    """
    try:
        searcher = METHODS[method](start, budget, seed, len(goal.terms))
    except (KeyError, ValueError) as error:
        raise ConfigError(f"--method {method}: {error}") from None
    kept, at = _kept(state, key), 0
    points, measured = [np.empty((0, len(start)))], [np.empty((0, len(goal.metrics)))]
    ends: list[int] = []
    while at < budget:
        asked = searcher.ask()[: budget - at]
        if not len(asked):
            break
        known = kept[1][at : at + len(asked)] if kept is not None else measured[0]
        if kept is not None and len(known) == len(asked) and np.array_equal(kept[0][at : at + len(asked)], asked):
            found = known
        else:
            kept, found = None, measure(asked)
        points.append(asked)
        measured.append(found)
        searcher.tell(asked, goal.worth(found, today), goal.front(found, today))
        at += len(asked)
        ends.append(at)
        if kept is None and state is not None:
            _keep(state, key, np.concatenate(points), np.concatenate(measured))
        if progress is not None:
            progress(at, float(goal.worth(np.concatenate(measured), today).max()))
    everything = np.concatenate(measured)
    return History(np.concatenate(points), everything, goal.worth(everything, today), np.array(ends))


def _kept(state: Path | None, key: str) -> tuple[Points, Values] | None:
    if state is None or not state.is_file():
        return None
    with np.load(state, allow_pickle=False) as saved:
        return (saved["points"], saved["measured"]) if str(saved["key"]) == key else None


def _keep(state: Path, key: str, points: Points, measured: Values) -> None:
    with replacing(state) as partial, partial.open("wb") as file:
        np.savez(file, key=np.array(key), points=points, measured=measured)
