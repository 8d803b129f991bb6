"""The best cell of a comparison: alone it keeps its weights, so that it can be exported without a second training."""

from pathlib import Path

from rich.console import Console

from ranker.artifact import Artifact
from training.cells import Trained
from training.cells.one import drop_weights
from training.config import ConfigError, Experiment, check_metric
from training.evaluate import UndefinedMetricError, chosen
from training.finished import RECORD, exported, mark_exported, read
from training.fit import RUN
from training.job import export_run


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


def export_once(trained: Trained, output: Path, console: Console) -> Artifact:
    """Export a cell as the next version in ``output``, unless it was exported there before."""
    folder = trained.folder / RUN
    earlier, _ = exported(folder, str(read(folder / RECORD).get("key")))
    if earlier is not None and earlier.folder.parent.resolve() == output.resolve():
        artifact, how = earlier, "was exported before"
    else:
        artifact, how = export_run(trained.folder, output, console), "exported"
        mark_exported(folder, artifact)
    cell = trained.cell
    console.print(f"best cell {how}: {cell.name}, seed {cell.seed}: {artifact.folder}", markup=False)
    return artifact
