"""All metrics, in display order; to add one, add a file and a row here."""

from collections.abc import Mapping
from typing import Any

from ranker.metrics.auc import auc_statistic
from ranker.metrics.base import Metric, by_rows, unweighted
from ranker.metrics.calibration import calibration_error, calibration_statistic
from ranker.metrics.gauc import measured_groups
from ranker.metrics.gini import normalised_gini_statistic
from ranker.metrics.graded_ndcg import exponential_ndcg_of_lists, measured_lists
from ranker.metrics.lists import (
    RankingMetric,
    auc_of_lists,
    coverage_over_lists,
    hit_of_lists,
    intra_list_distance_of_lists,
    map_of_lists,
    mean_of_lists,
    ndcg_of_lists,
    precision_of_lists,
    recall_of_lists,
    reciprocal_rank_of_lists,
)
from ranker.metrics.log_loss import log_loss_statistic
from ranker.metrics.regression import mae_statistic, rmse_statistic
from ranker.metrics.xauc import checked_xauc
from ranker.tasks import TASK_KINDS, Task, Trait

BINARY = frozenset[Trait]({"binary_labels"})
BINARY_PROBABILITY = frozenset[Trait]({"binary_labels", "probability"})
EXPECTED_VALUE = frozenset[Trait]({"expected_value"})
AMOUNT = frozenset[Trait]({"amount"})
ORDER_ONLY = frozenset[Trait]({"order_only"})

_ROWS = (
    Metric("auc", "AUC", "more", BINARY, by_rows(auc_statistic)),
    Metric("gauc", "GAUC", "more", BINARY, measured_groups, grouped=True),
    Metric("log_loss", "log loss", "less", BINARY_PROBABILITY, by_rows(log_loss_statistic)),
    Metric(
        *("calibration", "mean score / mean label", None, EXPECTED_VALUE, by_rows(calibration_statistic)),
        abbreviation="calib.",
        front=False,
    ),
    Metric(
        *("calibration_error", "calibration error", "less", BINARY_PROBABILITY, unweighted(calibration_error)),
        in_terminal=False,
        interval=False,
        front=False,  # a constant score equal to the mean label has error 0
    ),
    Metric("mae", "MAE", "less", AMOUNT, by_rows(mae_statistic)),
    Metric("rmse", "RMSE", "less", AMOUNT, by_rows(rmse_statistic)),
    Metric("graded_ndcg", "NDCG of grades", "more", ORDER_ONLY, measured_lists, grouped=True),
    Metric("xauc", "XAUC", "more", AMOUNT, unweighted(checked_xauc), interval=False),
    Metric(
        *("normalised_gini", "normalised Gini", "more", AMOUNT, by_rows(normalised_gini_statistic)),
        abbreviation="Gini",
    ),
)
METRICS: Mapping[str, Metric] = {metric.name: metric for metric in _ROWS}
"""Metrics of a task's scores, by name."""


_RANKING_ROWS = (
    RankingMetric("auc", METRICS["auc"].title, BINARY, None),
    RankingMetric("gauc", METRICS["gauc"].title, BINARY, auc_of_lists, by_rows=True),
    RankingMetric("map", "MAP", BINARY, map_of_lists, "required"),
    RankingMetric("mrr", "MRR", BINARY, reciprocal_rank_of_lists, "optional"),
    RankingMetric("hit", "hit rate", BINARY, hit_of_lists, "required"),
    RankingMetric("recall", "recall", BINARY, recall_of_lists, "required"),
    RankingMetric("precision", "precision", BINARY, precision_of_lists, "required"),
    RankingMetric("ndcg", "NDCG", frozenset(), ndcg_of_lists, "required"),
    RankingMetric("graded_ndcg", METRICS["graded_ndcg"].title, ORDER_ONLY, exponential_ndcg_of_lists, "optional"),
    RankingMetric("mean", "mean", frozenset(), mean_of_lists, "required"),
    RankingMetric(
        "intra_list_distance", "distance", frozenset(), intra_list_distance_of_lists, "required", of_items=True
    ),
    RankingMetric("coverage", "coverage", frozenset(), None, "required", of_items=True, over_lists=coverage_over_lists),
)
RANKING_METRICS: Mapping[str, RankingMetric] = {metric.name: metric for metric in _RANKING_ROWS}
"""Metrics of a ranking of rows, by name; those without ``needs`` also accept columns that are no task's."""


def metrics_of(task: Task, *, grouped: bool = True) -> list[Metric]:
    """Metrics that apply to a task, in table order; ``grouped`` says whether rows have groups."""
    return [metric for metric in METRICS.values() if metric.fits(task, grouped=grouped)]


def choosable(task: Task, *, grouped: bool = True) -> list[Metric]:
    """Metrics of a task that have a better direction, for choosing between models."""
    return [metric for metric in metrics_of(task, grouped=grouped) if metric.better is not None]


def in_lists(report: Mapping[str, Any]) -> list[str]:
    """Keys of a task's report that are metrics of rankings within lists, in their order.

    Such as ``ndcg@10``, and ``fused(default).ndcg@10`` of a fused ranking.
    """
    return [key for key in report if _within_lists(key)]


def title_of(key: str) -> str:
    """Display name of a metric in a task's report: ``AUC`` of ``auc``, ``fused(x) NDCG@10`` of ``fused(x).ndcg@10``."""
    ranking, _, metric = key.rpartition(".")
    name, at, k = metric.partition("@")
    title = METRICS[name].title if name in METRICS else f"{RANKING_METRICS[name].title}{at}{k}"
    return f"{ranking} {title}" if ranking else title


def sign_of(key: str) -> float:
    """-1 if less of a metric in a task's report is better, else 1."""
    return METRICS[key].sign if key in METRICS else 1.0


def _within_lists(key: str) -> bool:
    ranking, _, rest = key.rpartition(".")
    name, at, k = rest.partition("@")
    metric = None if name in METRICS and not ranking else RANKING_METRICS.get(name)
    return metric is not None and (k.isdecimal() if at else metric.cutoff != "required")


def headline(report: Mapping[str, Any]) -> Metric | None:
    """The metric of a report to show if there is room for only one: the default of the task's kind.

    A report does not contain the kind, so this is the first metric in the table that is the default of some kind, or
    else the first in the report; ``None`` for a report without any, as of a task of kind relevance without lists.
    """
    defaults = {kind.default_metric for kind in TASK_KINDS.values()}
    available = [metric for name, metric in METRICS.items() if name in report]
    return next((metric for metric in available if metric.name in defaults), next(iter(available), None))
