"""A trained model with what was measured of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ranker.artifact import Refit
from ranker.log_files.log_reader import Log
from ranker.model import RankingModel
from training.config.experiment import Experiment
from training.data.earlier import ParentRecord
from training.data.encode import Prepared
from training.evaluation.evaluate import Predictions
from training.evaluation.gates import GateReport
from training.trainer.checkpoints import best_epoch


@dataclass(frozen=True)
class Run:
    """A trained model with its best epoch's weights, its config and data, and its validation predictions.

    After a refit, ``model``, ``prepared`` and ``gates`` are those of the second training, on all rows; metrics, history
    and predictions stay those of the first, of rows that it held out.
    """

    experiment: Experiment
    log: Log
    prepared: Prepared
    model: RankingModel
    metrics: dict[str, Any]
    history: list[dict[str, Any]]
    gates: GateReport
    folder: Path
    predictions: Predictions
    parent: ParentRecord | None = None
    """The artifact that the run carried on, if any."""
    refit: Refit | None = None
    """The second training, if there was one."""
    chief: bool = True
    """Whether this process writes: of several that trained the model together, one exports it."""

    @property
    def best_epoch(self) -> int:
        """The epoch whose weights are kept, counted from 1."""
        epoch = best_epoch(self.history)
        assert epoch is not None, "a finished epoch is the best so far"
        return epoch
