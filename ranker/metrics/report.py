"""All metrics of one task, as JSON-able dicts."""

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ranker.metrics.base import Sample
from ranker.metrics.bootstrap import bootstrap_intervals
from ranker.metrics.checks import ratio
from ranker.metrics.table import METRICS, metrics_of
from ranker.tasks import Task


def report(
    task: Task,
    labels: ArrayLike,
    scores: ArrayLike,
    groups: ArrayLike | None,
    resamples: int,
    seed: int,
    no_group: int | str | None = None,
) -> dict[str, Any]:
    """Compute all metrics that apply to one task.

    Parameters
    ----------
    task
        Its traits determine the metrics and the valid labels and scores.
    labels, scores
        Known labels and predictions [N] in the same unit; probabilities for a probability task.
    groups
        Group key of each row [N], such as its user, for grouped metrics; ``None`` leaves those out.
    resamples, seed
        For bootstrap 95% intervals, over rows, or over groups for grouped metrics. With 0 resamples there are none.
    no_group
        Key of rows without a group, such as those without a user; grouped metrics leave them out.

    Returns
    -------
    dict
        Each metric under its name, ``None`` if undefined, and its interval [low, high] under ``.._interval``; ``rows``;
        ``positives`` of binary labels, ``mean`` of others; with groups also ``gauc_groups``, the number of groups with
        both classes, and ``gauc_rows_without_group``.

    Raises
    ------
    ValueError
        For unequal lengths and invalid values; the message names the row.
    """
    sample = Sample.checked(task, labels, scores, groups, no_group)
    measured = {m.name: m.measure(sample) for m in metrics_of(task, grouped=groups is not None)}
    results: dict[str, Any] = {}
    for name, metric in measured.items():
        results |= {name: _json(metric.statistic(np.ones(metric.units))), **metric.counts}
    for units in {metric.units for metric in measured.values()}:  # metrics over the same units share resamples
        drawn = {n: m.statistic for n, m in measured.items() if m.units == units and METRICS[n].interval}
        for name, ends in bootstrap_intervals(drawn, units, resamples, seed).items():
            results[f"{name}_interval"] = [_json(end) for end in ends]
    rows = len(sample.labels)
    if task.binary_labels:
        results["positives"] = int(sample.labels.sum())
    else:
        results["mean"] = _json(ratio(sample.labels.sum(), rows))
    return {**results, "rows": rows}


def _json(value: float) -> float | None:
    return value if math.isfinite(value) else None
