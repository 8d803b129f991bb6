"""Bootstrap intervals for the gain of a parameter set over the baseline; groups are resampled, not rows."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ranker.metrics.bootstrap import Interval, bootstrap_intervals
from training.fusion_search.measurer import Measurer, Statistics
from training.fusion_search.objective import Goal
from training.fusion_search.space import Sets

Floats = NDArray[np.float64]

OBJECTIVE = "objective"


def gains(
    goal: Goal[Any],
    baseline: tuple[Measurer, Sets],
    best: tuple[Measurer, Sets],
    resamples: int,
    seed: int,
) -> Mapping[str, Interval]:
    """95 % intervals of the gain of ``best`` over ``baseline``, for the objective and each metric.

    Both are measured on the same resampled groups (a paired bootstrap), so that variation between groups cancels.
    """
    before, after = (_Cached(measurer.statistics(one)) for measurer, one in (baseline, best))

    def gain(i: int) -> Callable[[Floats], float]:
        return lambda counts: float(after(counts)[i] - before(counts)[i])

    def of_objective(counts: Floats) -> float:
        return float(goal.objective(after(counts)) - goal.objective(before(counts)))

    wanted = {OBJECTIVE: of_objective} | {metric.name: gain(i) for i, metric in enumerate(goal.metrics)}
    return bootstrap_intervals(wanted, best[0].group_count, resamples, seed)


class _Cached:
    """Caches the last result, because every metric asks for each resample in turn."""

    def __init__(self, statistic: Statistics) -> None:
        self._statistic = statistic
        self._counts: Floats | None = None
        self._result: Floats = np.empty(0)

    def __call__(self, counts: Floats) -> Floats:
        if counts is not self._counts:
            self._counts, self._result = counts, self._statistic(counts)
        return self._result
