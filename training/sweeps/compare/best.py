"""Tracks the best trial of a comparison and keeps only its weights, so that it can be exported without retraining."""

from training.config.experiment import Experiment
from training.config.task_metrics import check_metric
from training.evaluation.evaluate import UndefinedMetricError, metric_value
from training.sweeps import TrialResult
from training.sweeps.run_trial import drop_weights


class Best:
    """Best trial so far by ``metric`` on validation rows; the weights of all other trials are deleted."""

    def __init__(self, base: Experiment, metric: str | None = None) -> None:
        stopping = base.early_stopping
        self.metric = metric or (stopping.metric if stopping is not None else None) or base.default_metric
        check_metric(
            "--best-by", self.metric, base.log_schema.tasks, grouped=base.grouped, fusions=base.measurable_fusions
        )
        self._best: tuple[float, TrialResult] | None = None

    def __bool__(self) -> bool:
        return self._best is not None

    @property
    def result(self) -> TrialResult:
        """The best trial. Raises ``RuntimeError`` where no trial has the metric."""
        if self._best is None:
            raise RuntimeError(f"no trained trial has {self.metric}, so there is nothing to export")
        return self._best[1]

    def offer(self, trained: TrialResult) -> None:
        """Keep the trial's weights if it is the best so far, else delete them."""
        if trained.error is not None:
            return  # its checkpoints allow resuming
        value = self._value(trained)
        if value is None or (self._best is not None and value <= self._best[0]):
            drop_weights(trained.folder)
            return
        if self._best is not None:
            drop_weights(self._best[1].folder)
        self._best = value, trained

    def _value(self, trained: TrialResult) -> float | None:
        try:
            return metric_value(self.metric, {"mean_loss": None, **trained.result["validation"]})
        except (KeyError, UndefinedMetricError):  # the variation lacks the task, or its labels have one class
            return None
