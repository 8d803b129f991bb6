"""Metrics of validation rows, as early stopping, comparisons and fronts name them."""

import re
from collections.abc import Collection, Sequence

from ranker.config.file import ConfigError
from ranker.metrics import METRICS, RANKING_METRICS, choosable
from ranker.registry import suggestion
from ranker.schema import Task
from training.config.metric_names import METRIC, Metric, Tasks, metric_of


def has_auc(tasks: Tasks) -> bool:
    """Whether any task has an AUC, and so ``mean_auc`` is defined."""
    return any(METRICS["auc"].fits(task) for task in tasks.values())


def check_metric(option: str, metric: str, tasks: Tasks, *, grouped: bool, fusions: Collection[str] = ()) -> None:
    """Raise ``ConfigError`` listing the valid names for a metric that validation does not report."""
    if list_metric(option, metric, tasks, grouped=grouped, fusions=fusions) is not None:
        return
    valid = ["mean_loss", *(["mean_auc"] if has_auc(tasks) else [])]
    for name, task in tasks.items():
        valid += [f"{name}.{each.name}" for each in choosable(task, grouped=grouped)]
    examples = [name for task in tasks for name in list_metric_examples(task, tasks[task])] if grouped else []
    if metric not in valid:
        more = f"; within lists: {', '.join(examples)}, with any cutoff" if examples else ""
        raise ConfigError(f"{option}: no metric {metric!r} (valid: {', '.join(valid)}{more})")


def list_metrics(
    option: str, names: Sequence[str], tasks: Tasks, *, grouped: bool, fusions: Collection[str] = ()
) -> tuple[Metric, ...]:
    """Metrics within lists by name, without repeats. Raises ``ConfigError`` for any other name."""
    found: dict[str, Metric] = {}
    for name in names:
        metric = list_metric(option, name, tasks, grouped=grouped, fusions=fusions)
        if metric is None:
            examples = [example for task in tasks for example in list_metric_examples(task, tasks[task])]
            reported = name.rpartition(".")[2] in METRICS
            why = "is reported anyway, where it applies" if reported else f"is unknown{suggestion(name, examples)}"
            raise ConfigError(f"{option}: {name!r} {why}; name metrics within lists, such as {', '.join(examples)}")
        found[metric.name] = metric
    return tuple(found.values())


def list_metric(option: str, name: str, tasks: Tasks, *, grouped: bool, fusions: Collection[str] = ()) -> Metric | None:
    """A metric of a ranking within lists: ``click.ndcg@10``, ``fused(default).auc(click)``; ``None`` for other names.

    It is measured against a task's label. ``fusions`` are those that can be measured. Metrics that every report of a
    task has, such as ``click.gauc``, are other names. Raises ``ConfigError`` for a metric that the task's labels do not
    have, a ranking that cannot be measured, and without lists.
    """
    found = re.fullmatch(METRIC, name)
    if found is None or found["kind"] not in RANKING_METRICS:
        return None
    fusion, of = found["fusion"], found["of"]
    reported = found["kind"] in METRICS and (found["k"] is None or RANKING_METRICS[found["kind"]].cutoff == "none")
    if reported and fusion is None:
        return None
    task = next(iter(tasks))
    if fusion is not None and fusion not in fusions:
        raise ConfigError(
            f"{option}: {name}: only fusions that read no feature and need no fitting to the log are known before "
            f"export (here: {', '.join(fusions) or 'none'}). `ranker-train evaluate --fusion` measures the others"
        )
    if (of if fusion is not None else found["word"]) not in tasks or (fusion is None and of is not None):
        raise ConfigError(
            f"{option}: {name} is not of a task's label and its own or a fused score; write TASK.METRIC@K, such as "
            f"{task}.ndcg@10, or fused(NAME).METRIC@K(TASK) (tasks: {', '.join(tasks)})"
        )
    if not grouped:
        raise ConfigError(f"{option}: {name} needs evaluation.group_by, the column whose equal values are one list")
    return metric_of(option, found, tasks)


def name_of(task: str, key: str) -> str:
    """Name of a metric that a task's report has under a key; see :func:`task_and_key`."""
    return f"{key}({task})" if key.startswith("fused(") else f"{task}.{key}"


def task_and_key(metric: str) -> tuple[str, str]:
    """The task in whose report a metric of validation rows is, and its key there."""
    found = re.fullmatch(METRIC, metric)
    if found is not None and found["fusion"] is not None:
        cutoff = f"@{found['k']}" if found["k"] else ""
        return found["of"], f"fused({found['fusion']}).{found['kind']}{cutoff}"
    task, _, key = metric.rpartition(".")
    return task, key


def list_metric_examples(task: str, of: Task) -> list[str]:
    """Names of the metrics of a task's ranking within lists, with a cutoff of 10 where they take one."""
    return [
        f"{task}.{name}" + ("" if metric.cutoff == "none" else "@10")
        for name, metric in RANKING_METRICS.items()
        if (name not in METRICS or metric.cutoff != "none") and metric.fits(of.traits)
    ]
