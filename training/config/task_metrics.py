"""Metrics of tasks by their own scores, as early stopping, comparisons and fronts name them."""

import re
from collections.abc import Sequence

from ranker.config.file import ConfigError
from ranker.metrics import METRICS, RANKING_METRICS, choosable
from ranker.registry import suggestion
from ranker.schema import Task
from training.config.metric_names import METRIC, Metric, Tasks, metric_of


def has_auc(tasks: Tasks) -> bool:
    """Whether any task has an AUC, and so ``mean_auc`` is defined."""
    return any(METRICS["auc"].fits(task) for task in tasks.values())


def check_metric(option: str, metric: str, tasks: Tasks, *, grouped: bool) -> None:
    """Raise ``ConfigError`` listing the valid names for a metric that validation does not report."""
    if list_metric(option, metric, tasks, grouped=grouped) is not None:
        return
    valid = ["mean_loss", *(["mean_auc"] if has_auc(tasks) else [])]
    for name, task in tasks.items():
        valid += [f"{name}.{each.name}" for each in choosable(task, grouped=grouped)]
    examples = [name for task in tasks for name in list_metric_examples(task, tasks[task])] if grouped else []
    if metric not in valid:
        more = f"; within lists: {', '.join(examples)}, with any cutoff" if examples else ""
        raise ConfigError(f"{option}: no metric {metric!r} (valid: {', '.join(valid)}{more})")


def list_metrics(option: str, names: Sequence[str], tasks: Tasks, *, grouped: bool) -> tuple[Metric, ...]:
    """Metrics within lists by name, without repeats. Raises ``ConfigError`` for any other name."""
    found: dict[str, Metric] = {}
    for name in names:
        metric = list_metric(option, name, tasks, grouped=grouped)
        if metric is None:
            examples = [example for task in tasks for example in list_metric_examples(task, tasks[task])]
            reported = name.rpartition(".")[2] in METRICS
            why = "is reported anyway, where it applies" if reported else f"is unknown{suggestion(name, examples)}"
            raise ConfigError(f"{option}: {name!r} {why}; name metrics within lists, such as {', '.join(examples)}")
        found[metric.name] = metric
    return tuple(found.values())


def list_metric(option: str, name: str, tasks: Tasks, *, grouped: bool) -> Metric | None:
    """A metric of the ranking by a task's own score within lists, such as ``click.ndcg@10``; ``None`` for other names.

    Metrics that every report of a task has, such as ``click.gauc``, are other names. Raises ``ConfigError`` for a
    metric that the task's labels do not have, and without lists.
    """
    found = re.fullmatch(METRIC, name)
    if found is None or found["kind"] not in RANKING_METRICS or found["kind"] in METRICS:
        return None
    if found["fusion"] is not None or found["of"] is not None or found["word"] not in tasks:
        raise ConfigError(
            f"{option}: {name} is not the ranking of a task by its own score; write TASK.METRIC@K, such as "
            f"{next(iter(tasks))}.ndcg@10 (tasks: {', '.join(tasks)}). Fused rankings: `ranker-train evaluate --fusion`"
        )
    if not grouped:
        raise ConfigError(f"{option}: {name} needs evaluation.group_by, the column whose equal values are one list")
    return metric_of(option, found, tasks)


def list_metric_examples(task: str, of: Task) -> list[str]:
    """Names of the metrics of a task's ranking within lists, with a cutoff of 10 where they take one."""
    return [
        f"{task}.{name}" + ("" if metric.cutoff == "none" else "@10")
        for name, metric in RANKING_METRICS.items()
        if name not in METRICS and metric.needs <= of.traits
    ]
