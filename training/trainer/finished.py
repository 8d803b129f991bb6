"""Whether a run has nothing left to train."""

from pathlib import Path

from ranker.log_files.log_reader import Log
from training.config.experiment import Experiment
from training.data.earlier import Earlier
from training.trainer.checkpoints import RunState, saved_state
from training.trainer.run_folder import RECORD, REFIT, key_of, read


def finished(experiment: Experiment, state: RunState) -> bool:
    """Whether all epochs are done, or early stopping has ended the training."""
    stopping = experiment.early_stopping
    return state.epoch >= experiment.epochs or (stopping is not None and state.without_gain >= stopping.patience)


def trained(experiment: Experiment, log: Log, folder: Path, earlier: Earlier | None) -> bool:
    """Whether ``folder`` has the run of this config, log and ``earlier`` artifact, and all its training is done.

    Of the processes that did it, the one that exports the model may yet have to do so.
    """
    if read(folder / RECORD).get("key") != key_of(experiment, log, earlier.digest if earlier else None):
        return False
    state = saved_state(folder / "checkpoints")
    if state is None or not finished(experiment, state):
        return False
    if not experiment.training.refit:
        return True
    second = saved_state(folder / REFIT / "checkpoints")
    return second is not None and second.epoch == state.best_epoch
