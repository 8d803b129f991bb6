"""What a front is drawn over: metrics of tasks, signed so that more is better."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ranker.metrics import METRICS, choosable
from ranker.registry import alternatives
from training.config.experiment import ConfigError, Experiment
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
        """As on the command line: ``click.auc``."""
        return f"{self.task}.{self.metric}"

    @property
    def title(self) -> str:
        """For people: ``click AUC``."""
        return f"{self.task} {METRICS[self.metric].title}"

    @property
    def sign(self) -> float:
        """-1 where lower is better."""
        return METRICS[self.metric].sign

    def value(self, metrics: Mapping[str, Any]) -> float | None:
        """The metric as it was measured; ``None`` where it is undefined."""
        found: float | None = metrics["tasks"][self.task][self.metric]
        return found


def parse_objectives(text: str | None, experiment: Experiment) -> list[Objective]:
    """``click.auc,watch.rmse``; by default the default metric of every task's kind, such as AUC or RMSE.

    Raises ``ConfigError`` for an unknown one, one that is listed twice, and for fewer than two.
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
        if word not in valid:
            raise ConfigError(f"--objectives: no metric {word!r}{alternatives(word, valid)}")
        if words.count(word) > 1:
            raise ConfigError(f"--objectives: {word} is listed twice")
    if len(words) < 2:
        raise ConfigError(f"--objectives {text}: a front needs at least 2, for example {','.join(valid[:2])}")
    return [Objective(*word.rsplit(".", 1)) for word in words]


def gains(metrics: Sequence[Mapping[str, Any]], objectives: Sequence[Objective]) -> Values:
    """Metrics of N models to [N, M], more being better. Raises ``ConfigError`` for a metric that is undefined."""
    found = np.empty((len(metrics), len(objectives)))
    for i, of_model in enumerate(metrics):
        for j, objective in enumerate(objectives):
            value = objective.value(of_model)
            if value is None:
                raise ConfigError(
                    f"--objectives: {objective.name} is undefined on these rows, where the task's labels are all the "
                    "same or all unknown; leave it out, or measure on more rows"
                )
            found[i, j] = objective.sign * value
    return found


def knows_nothing(experiment: Experiment, rows: Iterable[Batch]) -> dict[str, Any]:
    """Metrics of a model that gives every row its task's mean label among them: the reference point of hypervolumes.

    An AUC of .5, the entropy of the label as log loss, its standard deviation as RMSE.
    """
    chunks = [{name: chunk[name] for name in ("labels", "known", GROUP) if name in chunk} for chunk in rows]
    joined = {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}
    labels, known = joined["labels"], joined["known"] > 0
    means = np.where(known, labels, 0.0).sum(axis=0, dtype=np.float64) / np.maximum(known.sum(axis=0), 1)
    scores = np.broadcast_to(means, labels.shape).astype(np.float32)
    return measure(experiment.log_schema, Predictions(scores, labels, known, joined.get(GROUP)), 0, 0)
