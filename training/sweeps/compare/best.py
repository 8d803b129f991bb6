"""The best cell of a comparison: alone it keeps its weights, so that it can be exported without a second training."""

from training.config.experiment import ConfigError, Experiment, check_metric
from training.evaluation.evaluate import UndefinedMetricError, chosen
from training.sweeps import Trained
from training.sweeps.run_trial import drop_weights


class Best:
    """Takes each trained cell once; all but the best so far by ``metric`` on validation rows lose their weights."""

    def __init__(self, base: Experiment, metric: str | None = None) -> None:
        stopping = base.early_stopping
        self.metric = metric or (stopping.metric if stopping is not None else None) or base.default_metric
        try:
            check_metric(self.metric, base.log_schema.tasks, grouped=base.evaluation.group_by is not None)
        except ValueError as error:
            raise ConfigError(str(error).replace("early_stopping.metric", "--best-by")) from None
        self._best: tuple[float, Trained] | None = None

    def __bool__(self) -> bool:
        return self._best is not None

    @property
    def found(self) -> Trained:
        """The best cell. Raises ``RuntimeError`` where no cell has the metric."""
        if self._best is None:
            raise RuntimeError(f"no cell was trained that has {self.metric}, so there is none to export")
        return self._best[1]

    def offer(self, trained: Trained) -> None:
        """Keep the cell if it is better than those before."""
        if trained.error is not None:
            return  # what it has finished can be gone on with
        value = self._value(trained)
        if value is None or (self._best is not None and value <= self._best[0]):
            drop_weights(trained.folder)
            return
        if self._best is not None:
            drop_weights(self._best[1].folder)
        self._best = value, trained

    def _value(self, trained: Trained) -> float | None:
        try:
            return chosen(self.metric, {"mean_loss": None, **trained.result["validation"]})
        except (KeyError, UndefinedMetricError):  # a task that this variation lacks, or one class of labels
            return None
