"""Measures rankings of rows within lists: by the tasks' own scores, or by fusions."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ranker.fusion import Candidates, FusionError, Plan, Requests
from ranker.log_files.errors import DataError
from ranker.metrics import Groups, PreparedMetric, Relevance, bootstrap_intervals
from training.config.metric_names import Metric

Floats = NDArray[np.float64]


def relevance_of(
    metric: Metric,
    tasks: Sequence[str],
    labels: NDArray[np.floating],
    known: NDArray[np.bool_],
    columns: Mapping[str, NDArray[Any]],
) -> Relevance:
    """What rows are worth to a metric: labels of its task, of T tasks [N, T], or else its column [N] in ``columns``.

    A metric of items reads which values its column holds. Raises ``DataError`` for another metric's column that does
    not hold finite numbers.
    """
    if metric.column in tasks:
        i = list(tasks).index(metric.column)
        return Relevance(np.where(known[:, i], labels[:, i].astype(np.float64), 0.0), known[:, i])
    if metric.definition.of_items:
        return Relevance.of_items(columns[metric.column])
    if columns[metric.column].ndim == 2:
        raise DataError(f"column {metric.column!r} must hold numbers to be used in a metric; it holds lists")
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
    scores: Callable[[str], Floats],
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
        Maps the name of a ranking to finite scores [N]; higher ranks first.
    wanted
        Pairs of a ranking's name and a metric. Pairs of one ranking should follow one another: its scores and their
        order are computed once for these.
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
    ready: dict[tuple[str, str], PreparedMetric] = {}
    for name, members in groupby(wanted, key=itemgetter(0)):
        ranked_by = scores(name)
        ranking = groups.ranking(ranked_by)
        for _, metric in members:
            key = metric.column, metric.key
            if key not in ready:
                ready[key] = prepared(metric, groups, relevance(metric))
            measured = ready[key].measured(ranked_by, ranking)
            found: dict[str, Any] = {"value": _json(measured.statistic(np.ones(measured.units)))}
            if resamples:
                ends = bootstrap_intervals({"": measured.statistic}, measured.units, resamples, seed)[""]
                found["interval"] = [_json(end) for end in ends]
            yield metric, {**found, **measured.counts}


def task_rankings(
    tasks: Sequence[str],
    metrics: Sequence[Metric],
    scores: NDArray[np.floating],
    labels: NDArray[np.floating],
    known: NDArray[np.bool_],
    keys: NDArray[np.int64],
    fusions: Mapping[str, Plan],
    resamples: int,
    seed: int,
) -> Iterator[tuple[Metric, dict[str, Any]]]:
    """Measure rankings by the own scores of T tasks [N, T] and by fusions, within lists of equal keys [N].

    ``fusions`` are fitted and read no feature. Yields and raises as :func:`measure_rankings`. Without rows, metrics are
    ``None`` and no list defines them.
    """
    if not len(keys):
        nothing: dict[str, Any] = {"value": None, "lists": 0}
        yield from ((metric, {**nothing, "interval": [None, None]} if resamples else nothing) for metric in metrics)
        return
    groups = Groups(keys)

    def ranked_by(ranking: str) -> Floats:
        if ranking in tasks:
            return scores[:, list(tasks).index(ranking)].astype(np.float64)
        fusion = ranking.removeprefix("fused(").removesuffix(")")
        return fused_keys(fusion, fusions[fusion], scores, Requests(groups.codes, groups.count), {})

    yield from measure_rankings(
        ranked_by,
        sorted(((metric.ranking, metric) for metric in metrics), key=itemgetter(0)),
        lambda metric: relevance_of(metric, tasks, labels, known, {}),
        groups,
        resamples,
        seed,
    )


def fused_keys(
    name: str, plan: Plan, scores: NDArray[np.floating], lists: Requests, features: Mapping[str, NDArray[Any]]
) -> Floats:
    """Numbers [N] that order rows within their lists as a fusion orders candidates, from T scores [N, T].

    Raises ``DataError`` if the fusion fails.
    """
    try:
        read = {feature: features[feature] for feature in plan.features}
        return plan.rank(Candidates.of(plan.objectives, scores, lists, read)).sort_keys()
    except FusionError as error:
        raise DataError(f"fusion {name!r}: {error}") from None


def _json(value: float) -> float | None:
    return value if np.isfinite(value) else None
