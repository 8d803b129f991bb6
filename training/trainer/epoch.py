"""Starts a model, trains it for one epoch on encoded rows, and scores with it."""

from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from ranker.model import RankingModel
from training.config.experiment import Experiment
from training.data.batches import Batch, EncodedRows
from training.data.earlier import Earlier
from training.data.encode import Prepared
from training.evaluation.evaluate import Scorer
from training.trainer.callbacks import Recorder, StepLog
from training.trainer.carry_on import carry_on
from training.trainer.checkpoints import Checkpoints, RunState
from training.trainer.positions import start_positions
from training.trainer.validation import mean_losses
from training.trainer.warm_tables import warm_tables


def start(
    model: RankingModel,
    checkpoints: Checkpoints,
    experiment: Experiment,
    prepared: Prepared,
    earlier: Earlier | None,
    note: Callable[[str], None],
) -> RunState:
    """The state of the latest checkpoint, restored, or of a new run, from vectors and the ``earlier`` artifact."""
    state = checkpoints.latest()
    if state is not None:
        return state
    if model.architecture.trainable:
        warm_tables(model.embedding, experiment, prepared.encoder, note)
    start_positions(model, experiment, prepared)
    if earlier is not None:
        carry_on(model, experiment, prepared.encoder, earlier, note)
    return RunState()


def train_epoch(
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
    settings = experiment.training
    if not model.architecture.trainable:
        found = mean_losses(tf.function(model.test_step, reduce_retracing=True, autograph=False), rows)
        steplog.step(rows.steps(settings.batch_size), {"losses": found, "weights": np.ones_like(found)})
        return dict(zip(model.tasks, found.tolist(), strict=True))
    if experiment.embedding.reinitialise_each_epoch and state.epoch and not state.step:
        model.embedding.reinitialise(settings.seed + state.epoch)
    steps = rows.steps(settings.batch_size)
    recorder = Recorder(state, steps, settings.checkpoint_every, checkpoints, steplog, progress)
    data = dataset(rows, experiment, state.epoch, state.step)
    model.turns = experiment.schedule.turns(state.epoch, model.tasks, model.weighting.every, state.step)
    model.fit(data, verbose=0, callbacks=[recorder])
    return recorder.mean_losses()


def dataset(rows: EncodedRows, experiment: Experiment, epoch: int, skip: int) -> tf.data.Dataset:
    """One epoch's shuffled batches from step ``skip`` on."""
    settings = experiment.training
    first = next(rows.chunks())
    signature = {n: tf.TensorSpec([None, *a.shape[1:]], tf.as_dtype(a.dtype)) for n, a in first.items()}

    def batches() -> Iterator[Batch]:
        return rows.batches(settings.batch_size, settings.shuffle_rows, settings.seed, epoch, skip)

    return tf.data.Dataset.from_generator(batches, output_signature=signature).prefetch(2)


def scorer(model: RankingModel) -> Scorer:
    """Compile the model into a function of packed arrays."""
    compiled = tf.function(model.call, reduce_retracing=True, autograph=False)
    return lambda batch: compiled({name: tf.constant(a) for name, a in batch.items()}).numpy()
