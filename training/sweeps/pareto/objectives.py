"""Objectives of a Pareto front: task metrics, signed so that higher is better."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ranker.metrics import choosable, sign_of, title_of
from ranker.registry import alternatives
from training.config.experiment import ConfigError, Experiment
from training.config.task_metrics import list_metric, list_metric_examples
from training.data.batches import Batch
from training.data.encode import GROUP
from training.evaluation.evaluate import Predictions, measure
from training.evaluation.pareto_front import Values


@dataclass(frozen=True)
class Objective:
    """A metric of a task."""

    task: str
    metric: str

    @property
    def name(self) -> str:
        """Name on the command line, such as ``click.auc``."""
        return f"{self.task}.{self.metric}"

    @property
    def title(self) -> str:
        """Display name, such as ``click AUC``."""
        return f"{self.task} {title_of(self.metric)}"

    @property
    def sign(self) -> float:
        """-1 if lower is better, else 1."""
        return sign_of(self.metric)

    def value(self, metrics: Mapping[str, Any]) -> float | None:
        """The unsigned metric value; ``None`` if undefined."""
        value: float | None = metrics["tasks"][self.task][self.metric]
        return value


def parse_objectives(text: str | None, experiment: Experiment) -> list[Objective]:
    """Parse ``click.auc,watch.rmse``; by default every task's default metric, such as AUC or RMSE.

    Raises ``ConfigError`` for unknown or repeated objectives, and for fewer than two.
    """
    tasks = experiment.log_schema.tasks
    if text is None:
        words = [f"{name}.{task.default_metric}" for name, task in tasks.items()]
    else:
        words = [word.strip() for word in text.split(",")]
    grouped = experiment.evaluation.group_by is not None
    valid = [
        f"{name}.{metric.name}"
        for name, task in tasks.items()
        for metric in choosable(task, grouped=grouped)
        if metric.front
    ]
    for word in words:
        if word not in valid and list_metric("--objectives", word, tasks, grouped=grouped) is None:
            known = [*valid, *(name for task in tasks for name in list_metric_examples(task, tasks[task]) if grouped)]
            raise ConfigError(f"--objectives: no metric {word!r}{alternatives(word, known)}")
        if words.count(word) > 1:
            raise ConfigError(f"--objectives: {word} is listed twice")
    if len(words) < 2:
        raise ConfigError(f"--objectives {text}: a front needs at least 2, for example {','.join(valid[:2])}")
    return [Objective(*word.rsplit(".", 1)) for word in words]


def gains(metrics: Sequence[Mapping[str, Any]], objectives: Sequence[Objective]) -> Values:
    """Signed objectives [N, M] of N models, higher is better. Raises ``ConfigError`` for an undefined metric."""
    values = np.empty((len(metrics), len(objectives)))
    for i, of_model in enumerate(metrics):
        for j, objective in enumerate(objectives):
            value = objective.value(of_model)
            if value is None:
                raise ConfigError(
                    f"--objectives: {objective.name} is undefined on these rows, where the task's labels are all the "
                    "same or all unknown; leave it out, or measure on more rows"
                )
            values[i, j] = objective.sign * value
    return values


def mean_label_baseline(experiment: Experiment, rows: Iterable[Batch]) -> dict[str, Any]:
    """Metrics of a baseline that scores every row with the task's mean label: the reference point of hypervolumes.

    Its AUC is 0.5, its log loss the label's entropy, its RMSE the label's standard deviation.
    """
    chunks = [{name: chunk[name] for name in ("labels", "known", GROUP) if name in chunk} for chunk in rows]
    joined = {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}
    labels, known = joined["labels"], joined["known"] > 0
    means = np.where(known, labels, 0.0).sum(axis=0, dtype=np.float64) / np.maximum(known.sum(axis=0), 1)
    scores = np.broadcast_to(means, labels.shape).astype(np.float32)
    predictions = Predictions(scores, labels, known, joined.get(GROUP))
    return measure(experiment.log_schema, predictions, 0, 0, [m for m in experiment.list_metrics if m.fusion is None])
