"""All metrics of one objective, as JSON-able dicts."""

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ranker.metrics.auc import auc_statistic
from ranker.metrics.bootstrap import bootstrap_intervals
from ranker.metrics.calibration import calibration_error, calibration_statistic
from ranker.metrics.checks import (
    Statistic,
    checked_groups,
    checked_labels,
    checked_numbers,
    checked_probabilities,
    ratio,
)
from ranker.metrics.gauc import gauc_statistic, group_aucs
from ranker.metrics.log_loss import log_loss_statistic
from ranker.metrics.regression import mae_statistic, rmse_statistic


def binary_report(
    labels: ArrayLike,
    scores: ArrayLike,
    groups: ArrayLike | None,
    resamples: int,
    seed: int,
    no_group: int | str | None = None,
) -> dict[str, Any]:
    """Measure predicted probabilities of one objective.

    Parameters
    ----------
    labels, scores
        Labels in {0, 1} and probabilities [N].
    groups
        The key of each row's group [N], such as its user, for the grouped AUC; ``None`` leaves that out.
    resamples, seed
        Of the bootstrap behind the 95% intervals: over rows, and over groups for the grouped AUC. 0 resamples give no
        intervals.
    no_group
        The key of rows that belong to no group, such as those without a user; the grouped AUC leaves them out.

    Returns
    -------
    dict
        ``auc``, ``log_loss``, ``calibration`` (mean score over mean label), each with ``.._interval`` [low, high];
        ``calibration_error``; ``positives`` and ``rows``; with groups also ``gauc``, ``gauc_interval``,
        ``gauc_groups``, the number of groups that have both classes, and ``gauc_rows_without_group``. ``None`` where
        a metric is undefined.

    Raises
    ------
    ValueError
        For unequal lengths, and for a bad value, with its row.
    """
    labels = checked_labels(labels)
    scores = checked_probabilities(scores, len(labels))
    statistics = {
        "auc": auc_statistic(labels, scores),
        "log_loss": log_loss_statistic(labels, scores),
        "calibration": calibration_statistic(labels, scores),
    }
    report = _with_intervals(statistics, len(labels), resamples, seed)
    if groups is not None:
        codes = checked_groups(groups, len(labels))
        grouped = np.asarray(groups) != no_group if no_group is not None else np.ones(len(labels), dtype=bool)
        found = group_aucs(labels[grouped], scores[grouped], codes[grouped])
        report |= _with_intervals({"gauc": gauc_statistic(found)}, len(found.rows), resamples, seed)
        report["gauc_groups"] = len(found.rows)
        report["gauc_rows_without_group"] = len(labels) - int(grouped.sum())
    report["calibration_error"] = _json(calibration_error(labels, scores))
    report["positives"] = int(labels.sum())
    report["rows"] = len(labels)
    return report


def regression_report(labels: ArrayLike, predictions: ArrayLike, resamples: int, seed: int) -> dict[str, Any]:
    """Measure predicted amounts of one objective.

    Parameters
    ----------
    labels, predictions
        What happened and what was predicted [N], in one unit.
    resamples, seed
        Of the bootstrap over rows behind the 95% intervals; 0 resamples give none.

    Returns
    -------
    dict
        ``mae``, ``rmse``, ``calibration`` (mean prediction over mean label), each with ``.._interval`` [low, high];
        ``mean`` of the labels, and ``rows``. ``None`` where a metric is undefined.

    Raises
    ------
    ValueError
        For unequal lengths, and for a value that is not finite, with its row.
    """
    labels = checked_numbers("labels", labels)
    predictions = checked_numbers("predictions", predictions, len(labels))
    statistics = {
        "mae": mae_statistic(labels, predictions),
        "rmse": rmse_statistic(labels, predictions),
        "calibration": calibration_statistic(labels, predictions),
    }
    report = _with_intervals(statistics, len(labels), resamples, seed)
    report["mean"] = _json(ratio(labels.sum(), len(labels)))
    report["rows"] = len(labels)
    return report


def _with_intervals(statistics: dict[str, Statistic], units: int, resamples: int, seed: int) -> dict[str, Any]:
    report: dict[str, Any] = {}
    intervals = bootstrap_intervals(statistics, units, resamples, seed)
    for name, statistic in statistics.items():
        report[name] = _json(statistic(np.ones(units)))
        report[f"{name}_interval"] = [_json(end) for end in intervals[name]]
    return report


def _json(value: float) -> float | None:
    return value if math.isfinite(value) else None
