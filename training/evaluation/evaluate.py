"""Computes every task's metrics from scores and labels."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ranker.fusion import Plan
from ranker.log_files.log_reader import DataError
from ranker.metrics import METRICS, report, sign_of
from ranker.outcomes import outcomes
from ranker.rank_losses import LISTS
from ranker.schema import Schema
from training.config.metric_names import Metric
from training.config.task_metrics import task_and_key
from training.data.batches import Batch
from training.data.encode import GROUP, NO_GROUP
from training.evaluation.rankings import task_rankings

Scorer = Callable[[Batch], NDArray[np.float32]]
"""Maps packed arrays of N rows to scores [N, T]."""


class UndefinedMetricError(ValueError):
    """A metric is undefined: the rows, or each group of them, have labels of one class, or there are no rows."""


@dataclass(frozen=True)
class Predictions:
    """Scores, labels and whether each label is known, [N, T]; group keys [N] if the rows have them."""

    scores: NDArray[np.float32]
    labels: NDArray[np.float32]
    known: NDArray[np.bool_]
    groups: NDArray[np.int64] | None

    def not_finite(self, tasks: Sequence[str]) -> list[str]:
        """The ``tasks`` [T] with a NaN or infinite score."""
        return [task for i, task in enumerate(tasks) if not np.isfinite(self.scores[:, i]).all()]


def predict(scorer: Scorer, chunks: Iterable[Batch], schema: Schema, batch_size: int = 8192) -> Predictions:
    """Score every row of the chunks; labels are what scores estimate of them. Raises ``DataError`` without rows."""
    scores, labels, known, groups = [], [], [], []
    for chunk in chunks:
        inputs = {name: a for name, a in chunk.items() if name not in ("labels", "known", GROUP, LISTS)}
        for start in range(0, len(chunk["labels"]), batch_size):
            scores.append(scorer({name: a[start : start + batch_size] for name, a in inputs.items()}))
        labels.append(outcomes(schema, chunk["labels"]))
        known.append(chunk["known"] > 0)
        groups.append(chunk.get(GROUP, np.empty(0, dtype=np.int64)))
    if not scores:
        raise DataError("there are no rows to score")
    grouped = np.concatenate(groups)
    return Predictions(
        np.concatenate(scores), np.concatenate(labels), np.concatenate(known), grouped if len(grouped) else None
    )


def measure(
    schema: Schema,
    predictions: Predictions,
    resamples: int,
    seed: int,
    lists: Sequence[Metric] = (),
    fusions: Mapping[str, Plan] | None = None,
) -> dict[str, Any]:
    """Metrics by task over the rows with a known label, and the mean AUC of the binary tasks.

    ``lists`` are metrics of the rankings within the groups, by the tasks' own scores or by fitted ``fusions``; the
    report of the task that they are measured against has them by key, such as ``ndcg@10`` and
    ``fused(default).ndcg@10``, with ``ndcg@10_interval`` and ``ndcg@10_lists``, the number of lists that define it.
    Raises ``DataError`` for a negative gain, and if a fusion fails.

    A task with ``given`` is evaluated on all impressions, as it is served; its label is 0 where the condition fails.
    """
    tasks: dict[str, Any] = {}
    for i, (name, task) in enumerate(schema.tasks.items()):
        rows = predictions.known[:, i]
        labels = predictions.labels[rows, i].astype(np.float64)
        scores = predictions.scores[rows, i].astype(np.float64)
        groups = predictions.groups[rows] if predictions.groups is not None else None
        tasks[name] = report(task, labels, scores, groups, resamples, seed, no_group=NO_GROUP)
    if lists and predictions.groups is not None:
        listed = predictions.groups != NO_GROUP
        arrays = (predictions.scores[listed], predictions.labels[listed], predictions.known[listed])
        keys = predictions.groups[listed]
        for metric, found in task_rankings(list(schema.tasks), lists, *arrays, keys, fusions or {}, resamples, seed):
            suffixes = {"value": "", "interval": "_interval", "lists": "_lists"}
            tasks[metric.column] |= {f"{metric.report_key}{suffixes[name]}": value for name, value in found.items()}
    aucs = [found["auc"] for found in tasks.values() if found.get("auc") is not None]
    return {"tasks": tasks, "mean_auc": float(np.mean(aucs)) if aucs else None}


def undefined(metrics: Mapping[str, Any]) -> list[str]:
    """One line per task whose metrics are undefined for lack of rows or because its labels have one class."""
    lines = []
    for name, task in metrics["tasks"].items():
        if not task["rows"]:
            lines.append(f"{name}: no label is known in these rows, so it has no metrics")
        elif one_class(task):
            ungrouped = [m for m in METRICS.values() if m.better is not None and not m.grouped and m.name in task]
            titles = " and ".join(metric.title for metric in ungrouped if task[metric.name] is None)
            if titles:
                label = 1 if task["positives"] else 0
                lines.append(f"{name}: every label in these rows is {label}, so its {titles} is undefined")
    return lines


def one_class(task: Mapping[str, Any]) -> bool:
    """Whether a task's labels are all 0 or all 1, from its report."""
    return task.get("positives") in (0, task["rows"])


def metric_value(metric: str, metrics: Mapping[str, Any]) -> float:
    """An early-stopping metric's value, signed so that higher is better. Raises ``UndefinedMetricError``."""
    if metric == "mean_auc":
        value, sign = metrics["mean_auc"], 1.0
    elif metric == "mean_loss":
        value, sign = metrics["mean_loss"], -1.0
    else:
        task, name = task_and_key(metric)
        value, sign = metrics["tasks"][task][name], sign_of(name)
    if value is None or not np.isfinite(value):
        raise UndefinedMetricError(metric)
    return sign * float(value)
