"""Differences of two models' mean AUC, paired by day and seed."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import t as student

Key = tuple[int, int]
"""Day, counted back from the last one, and seed."""
Scores = Mapping[Key, Mapping[str, float]]
"""AUC by task of each day and seed."""


def of_backtest(days: Sequence[Mapping[str, Any]]) -> dict[str, Scores]:
    """Scores by mode, from a backtest's ``results.json``; days are counted back from the last one, which is 0."""
    last = max(day["day"] for day in days)
    return {
        mode: {
            (day["day"] - last, day["seed"]): {
                task: report["auc"] for task, report in day["tasks"].items() if "auc" in report
            }
            for day in days
            if day["mode"] == mode
        }
        for mode in dict.fromkeys(day["mode"] for day in days)
    }


def paired(scores: Scores, first: Scores) -> tuple[float, float]:
    """Mean difference of the mean AUC, and half of its 95 % interval (Student's t over the days).

    Seeds of one day share its rows, so the days are the independent observations.
    """
    by_day: dict[int, list[float]] = {}
    for (day, seed), tasks in scores.items():
        other = first[day, seed]
        by_day.setdefault(day, []).append(float(np.mean([value - other[task] for task, value in tasks.items()])))
    means = np.array([np.mean(values) for values in by_day.values()])
    if len(means) < 2:
        return float(means.mean()), float("nan")
    error = means.std(ddof=1) / np.sqrt(len(means))
    return float(means.mean()), float(student.ppf(0.975, len(means) - 1) * error)
