"""Chooses the early-stopping metric, and checks that the validation rows define it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ranker.log_files.log_reader import DataError
from ranker.metrics import METRICS
from training.config.experiment import Experiment
from training.config.task_metrics import task_and_key
from training.data.batches import Batch, EncodedRows
from training.evaluation.evaluate import UndefinedMetricError, measure, metric_value, one_class, predict, undefined


def stopping_metric(experiment: Experiment, validation: EncodedRows) -> tuple[str | None, list[str]]:
    """The metric (None without early stopping), and warnings about metrics undefined on the validation rows.

    Whether a metric is defined depends only on labels and groups, so it is known before training. Raises ``DataError``
    if the config names a metric that is undefined; if it names none, ``mean_loss`` replaces an undefined ``mean_auc``.
    """
    metrics = _of_constant_scores(experiment, validation)
    reports = metrics["tasks"]
    cautions = [f"validation: {line}" for line in undefined(metrics)]
    if not any(report["rows"] for report in reports.values()):
        raise DataError("validation: no task has a known label in the held-out rows; see data.split in the config")
    stopping = experiment.early_stopping
    if stopping is None:
        return None, cautions
    metric = stopping.metric or experiment.default_metric
    try:
        metric_value(metric, metrics)
    except UndefinedMetricError:
        if stopping.metric is not None:
            raise DataError(f"early_stopping.metric: {metric} is undefined: {_why(metric, reports)}") from None
        return "mean_loss", [*cautions, "validation: no task has an AUC, so early stopping uses mean_loss"]
    undefined_aucs = [name for name, report in reports.items() if "auc" in report and report["auc"] is None]
    if metric == "mean_auc" and undefined_aucs:
        cautions.append(f"early stopping: mean_auc is over the other tasks, without {', '.join(undefined_aucs)}")
    return metric, cautions


def _of_constant_scores(experiment: Experiment, rows: EncodedRows) -> dict[str, Any]:
    """Metrics of a constant score; those that are None are undefined for any model."""
    tasks = len(experiment.log_schema.tasks)

    def constant(batch: Batch) -> NDArray[np.float32]:
        return np.full((len(next(iter(batch.values()))), tasks), 0.5, dtype=np.float32)

    lists = experiment.list_metrics  # whether fused rankings define a metric depends on labels and lists alone, too
    own = [replace(metric, fusion=None) for metric in lists if metric.key not in METRICS]
    metrics = measure(experiment.log_schema, predict(constant, rows.chunks(), experiment.log_schema), 0, 0, own)
    for metric in lists:
        report = metrics["tasks"][metric.column]
        report[metric.report_key] = report[metric.key]
    return {**metrics, "mean_loss": 0.0}


def _why(metric: str, reports: Mapping[str, Any]) -> str:
    if metric == "mean_auc":
        return "no binary task has labels of both 0 and 1 in the validation rows"
    task, name = task_and_key(metric)
    report = reports[task]
    if not report["rows"]:
        return f"no validation row has a known label of {task}"
    if one_class(report):
        return f"every validation label of {task} is {1 if report['positives'] else 0}"
    if name not in METRICS:
        return f"no list of evaluation.group_by has a validation label of {task} above 0"
    if METRICS[name].grouped:
        return f"no group of evaluation.group_by has both 0 and 1 among its validation labels of {task}"
    return f"the validation labels of {task} define no {METRICS[name].title}"
