"""Starts a model, trains it for one epoch on encoded rows, and scores with it."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from ranker.log_files.log_reader import DataError
from ranker.model import RankingModel
from training.config.experiment import Experiment
from training.data.batches import EncodedRows
from training.data.earlier import Earlier
from training.data.encode import Prepared
from training.disk_full import disk_full_as
from training.distribution import Distribution
from training.evaluation.evaluate import Scorer
from training.trainer.callbacks import Recorder, StepLog
from training.trainer.carry_on import carry_on
from training.trainer.checkpoints import Checkpoints, RunState
from training.trainer.positions import start_positions
from training.trainer.validation import mean_losses
from training.trainer.warm_tables import warm_tables


def start(
    distribution: Distribution,
    model: RankingModel,
    checkpoints: Checkpoints,
    experiment: Experiment,
    prepared: Prepared,
    earlier: Earlier | None,
    note: Callable[[str], None],
) -> RunState:
    """The state of the latest checkpoint, restored, or of a new run, from vectors and the ``earlier`` artifact.

    Of several processes one starts the model, and the others take over what it has saved. Raises ``DataError`` in one
    that finds another checkpoint, and ``DiskFullError``.
    """
    state = distribution.led(lambda: _started(distribution, model, checkpoints, experiment, prepared, earlier, note))
    at = [state.epoch, state.step]
    told = distribution.agreed(at)  # all have read what is saved before any saves more
    if told != at:
        raise DataError(
            f"{checkpoints.folder}: the latest checkpoint is of epoch {at[0] + 1}, step {at[1]}, and worker 0 goes on "
            f"from epoch {told[0] + 1}, step {told[1]}; all workers need --output on storage that they share"
        )
    return state


def _started(
    distribution: Distribution,
    model: RankingModel,
    checkpoints: Checkpoints,
    experiment: Experiment,
    prepared: Prepared,
    earlier: Earlier | None,
    note: Callable[[str], None],
) -> RunState:
    state = checkpoints.latest()
    if state is not None:
        return state
    if model.architecture.trainable:
        warm_tables(model.embedding, experiment, prepared.encoder, note)
    start_positions(model, experiment, prepared)
    if earlier is not None:
        carry_on(model, experiment, prepared.encoder, earlier, note)
    if distribution.processes > 1:
        with disk_full_as(f"{checkpoints.folder}: no space left on the disk; make room and run the same command again"):
            checkpoints.save(RunState())
    return RunState()


def train_epoch(
    distribution: Distribution,
    experiment: Experiment,
    model: RankingModel,
    rows: EncodedRows,
    state: RunState,
    checkpoints: Checkpoints,
    steplog: StepLog,
    progress: Callable[[int, int, int, dict[str, float]], None],
) -> dict[str, float]:
    """Train what is left of the state's epoch; return each task's mean loss over the whole epoch.

    An architecture without weights is only measured.
    """
    settings, steps = experiment.training, distribution.steps_per_epoch(rows)
    if not model.architecture.trainable:
        found = mean_losses(tf.function(model.test_step, reduce_retracing=True, autograph=False), rows)
        steplog.step(steps, {"losses": found, "weights": np.ones_like(found)})
        return dict(zip(model.tasks, found.tolist(), strict=True))
    if experiment.embedding.reinitialise_each_epoch and state.epoch and not state.step:
        model.embedding.reinitialise(settings.seed + state.epoch)
    recorder = Recorder(model.tasks, state, steps, settings.checkpoint_every, checkpoints, steplog, progress)
    model.turns = experiment.schedule.turns(state.epoch, model.tasks, model.weighting.every, state.step)
    for logs in distribution.steps(model, rows, state.epoch, state.step, settings.checkpoint_every):
        recorder.record(logs)
    return recorder.mean_losses()


def scorer(model: RankingModel) -> Scorer:
    """Compile the model into a function of packed arrays."""
    compiled = tf.function(model.call, reduce_retracing=True, autograph=False)
    return lambda batch: compiled({name: tf.constant(a) for name, a in batch.items()}).numpy()
