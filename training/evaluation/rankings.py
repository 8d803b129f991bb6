"""Measures rankings of rows within lists: by the tasks' own scores, or by fusions."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ranker.metrics import Groups, PreparedMetric, Relevance, bootstrap_intervals
from training.config.metric_names import Metric
from training.data.errors import DataError

Floats = NDArray[np.float64]


def relevance_of(
    metric: Metric,
    tasks: Sequence[str],
    labels: NDArray[np.floating],
    known: NDArray[np.bool_],
    columns: Mapping[str, NDArray[Any]],
) -> Relevance:
    """What rows are worth to a metric: labels of its task, of T tasks [N, T], or else its column [N] in ``columns``.

    Raises ``DataError`` for a column that does not hold finite numbers.
    """
    if metric.column in tasks:
        i = list(tasks).index(metric.column)
        return Relevance(np.where(known[:, i], labels[:, i], 0.0), known[:, i])
    try:
        values = columns[metric.column].astype(np.float64)
    except (TypeError, ValueError):
        raise DataError(f"column {metric.column!r} must hold numbers to be used in a metric") from None
    if not np.isfinite(values).all():
        raise DataError(f"column {metric.column!r} has rows without a finite number")
    return Relevance(values, np.ones(len(values), dtype=bool))


def prepared(metric: Metric, groups: Groups, relevance: Relevance) -> PreparedMetric:
    """Prepare a metric for rows in lists. Raises ``DataError`` for a negative gain."""
    try:
        return metric.definition.prepared(groups, relevance, metric.k)
    except ValueError as error:
        raise DataError(f"{metric.name}: {error}, in column {metric.column!r}") from None


def measure_rankings(
    scores: Mapping[str, Floats],
    wanted: Sequence[tuple[str, Metric]],
    relevance: Callable[[Metric], Relevance],
    groups: Groups,
    resamples: int,
    seed: int,
) -> Iterator[tuple[Metric, dict[str, Any]]]:
    """Measure rankings of N rows within lists, one metric at a time.

    Parameters
    ----------
    scores
        Finite scores [N] by ranking; higher ranks first.
    wanted
        Pairs of a ranking and a metric of it; those of one ranking should follow one another, as each ranking's lists
        are sorted once.
    relevance
        What the rows are worth to a metric.
    groups
        The lists of the rows.
    resamples, seed
        For bootstrap 95 % intervals over lists; none with 0 resamples.

    Yields
    ------
    Each metric with its ``value``, ``None`` if undefined, ``interval`` if there are resamples, and ``lists``, the
    number of lists that define it.

    Raises
    ------
    DataError
        For a negative gain.
    """
    sorted_by, ranking = "", None
    ready: dict[tuple[str, str], PreparedMetric] = {}
    for name, metric in wanted:
        key = metric.column, metric.key
        if key not in ready:
            ready[key] = prepared(metric, groups, relevance(metric))
        if ready[key].of_lists is not None and (ranking is None or sorted_by != name):
            sorted_by, ranking = name, groups.ranking(scores[name])
        measured = ready[key].measured(scores[name], ranking)
        found: dict[str, Any] = {"value": _json(measured.statistic(np.ones(measured.units)))}
        if resamples:
            ends = bootstrap_intervals({"": measured.statistic}, measured.units, resamples, seed)[""]
            found["interval"] = [_json(end) for end in ends]
        yield metric, {**found, **measured.counts}


def _json(value: float) -> float | None:
    return value if np.isfinite(value) else None
