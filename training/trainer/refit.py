"""Trains a model again on all rows, for as many epochs as the first training found to be best."""

import gc
import shutil
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, fields
from functools import partial
from pathlib import Path
from typing import Any

import tensorflow as tf

from ranker.artifact import Refit
from ranker.model import RankingModel
from ranker.optimizers.grouped import averaged
from training.config.experiment import Experiment
from training.data.cache import ROWS, opened_rows, refit_rows
from training.data.earlier import Earlier
from training.data.encode import Prepared
from training.data.label_facts import label_facts
from training.disk_full import is_disk_full
from training.distribution import Distribution, One
from training.evaluation.evaluate import predict
from training.evaluation.gates import inspect_gates
from training.progress_listener import RunListener
from training.trainer.build_model import build_funnel, build_model
from training.trainer.callbacks import step_log
from training.trainer.checkpoints import Checkpoints, RunState
from training.trainer.divergence import DivergedError, explanation
from training.trainer.ensemble import assemble
from training.trainer.epoch import scorer, start, train_epoch
from training.trainer.run import Run
from training.trainer.run_folder import MEMBERS, REFIT

CHECKPOINTS = "checkpoints"


def refitted(
    run: Run,
    listener: RunListener | None = None,
    earlier: Earlier | None = None,
    distribution: Distribution | None = None,
) -> Run:
    """Train the model of a finished run again on all rows, if its config asks for it and it was not done before.

    Resumes an interrupted refit. ``earlier`` is the artifact that the run carries on. It trains in one process unless
    another ``distribution`` is given. Raises ``DataError``, ``DivergedError`` and ``DiskFullError``; the first training
    is kept.
    """
    experiment, log, folder, epochs = run.experiment, run.log, run.folder / REFIT, _epochs_of(run)
    if not experiment.training.refit or run.refit is not None:
        return run
    listener, kept, distribution = listener or RunListener(), _kept(run), distribution or One(experiment.training)
    del run
    gc.collect()  # Keras models are in cycles of references; two of them should not need memory at once
    prepared = distribution.led(partial(refit_rows, experiment, log, folder, listener, earlier))
    if experiment.ensemble is not None:
        return _second(kept, prepared, _average(distribution, experiment, prepared, epochs, folder, listener))
    return _second(kept, prepared, _trained(distribution, experiment, prepared, epochs[0], folder, listener, earlier))


def reopened(run: Run) -> Run:
    """The run with the model of its refit, or as it is if that has not finished."""
    experiment, folder = run.experiment, run.folder / REFIT
    if not (folder / CHECKPOINTS / "latest" / "checkpoint").is_file():
        return run
    try:
        prepared = opened_rows(experiment, folder / ROWS)
    except FileNotFoundError:
        return run
    steps = prepared.training.steps(experiment.training.batch_size)
    model = build_model(experiment, prepared.encoder.layout, steps_per_epoch=steps)
    checkpoints = Checkpoints(model, folder / CHECKPOINTS)
    state = checkpoints.latest()
    if state is None or state.epoch != run.best_epoch or state.best_epoch is None:
        return run
    checkpoints.restore_best(state.best_epoch)
    return _second(_kept(run), prepared, model)


def _epochs_of(run: Run) -> list[int]:
    """The number of epochs of the model, or of each member of an ensemble."""
    of_members: list[int] | None = run.history[run.best_epoch - 1].get(MEMBERS)
    return of_members or [run.best_epoch]


def _kept(run: Run) -> dict[str, Any]:
    """The fields of a run that a refit keeps, and ``refit``."""
    facts = Refit(epochs=max(_epochs_of(run)), rows=0, first_rows=len(run.prepared.training))
    kept = {field.name: getattr(run, field.name) for field in fields(run)}
    return {**kept, "model": None, "prepared": None, "gates": None, "refit": facts}


def _second(kept: dict[str, Any], prepared: Prepared, model: RankingModel) -> Run:
    refit = kept["refit"].model_copy(update={"rows": len(prepared.training)})
    gates = inspect_gates(model, prepared.validation)
    return Run(**{**kept, "model": model, "prepared": prepared, "gates": gates, "refit": refit})


def _average(
    distribution: Distribution,
    experiment: Experiment,
    prepared: Prepared,
    epochs: Sequence[int],
    folder: Path,
    listener: RunListener,
) -> RankingModel:
    """Members trained one after the other, then kept as the one epoch of their average."""
    steps = distribution.steps_per_epoch(prepared.training)
    model = build_model(experiment, prepared.encoder.layout, steps_per_epoch=steps)  # an average is not trained
    checkpoints = Checkpoints(model, folder / CHECKPOINTS, distribution.chief)
    kept = checkpoints.latest()
    distribution.agreed(None)
    if kept is None:

        def member(own: Experiment, number: int, at: Path) -> RankingModel:
            return _trained(distribution, own, prepared, epochs[number], at, listener)

        assemble(model, experiment, folder, listener, member)

        def save() -> None:
            checkpoints.save_best(1)
            checkpoints.save(RunState().after_epoch({"epoch": 1, "best": True, "losses": {}}, 0.0, better=True))
            shutil.rmtree(folder / MEMBERS)

        distribution.agreed(None)  # all have read the members, which are deleted then
        distribution.decided(save)
    checkpoints.restore_best(1)
    return model


def _trained(
    distribution: Distribution,
    experiment: Experiment,
    prepared: Prepared,
    epochs: int,
    folder: Path,
    listener: RunListener,
    earlier: Earlier | None = None,
) -> RankingModel:
    """A new model, trained from the same seed for ``epochs`` epochs, resuming what ``folder`` has.

    Learning-rate schedules span the config's epochs, as in the first training, and are cut where it ends.
    """
    if distribution.chief:
        folder.mkdir(parents=True, exist_ok=True)
    facts = label_facts(prepared.training, build_funnel(experiment, prepared.encoder.layout))
    steps = distribution.steps_per_epoch(prepared.training)
    with distribution.scope():
        model = build_model(experiment, prepared.encoder.layout, facts, steps)
    checkpoints = Checkpoints(model, folder / CHECKPOINTS, distribution.chief)
    state = start(distribution, model, checkpoints, experiment, prepared, earlier, listener.note)
    if not state.epoch and not state.step:
        listener.note(f"refit: training again on all {len(prepared.training):,} rows for {epochs} epoch(s)")
    elif state.epoch < epochs:
        listener.note(f"refit: resuming from epoch {state.epoch + 1}, step {state.step} of {folder}")
    try:
        _epochs(distribution, experiment, model, prepared, epochs, state, checkpoints, folder, listener)
    except DivergedError as error:
        if not distribution.chief:
            raise
        shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)
        told = explanation(error, experiment, prepared.training, epochs, str(folder.parent.parent))
        error.args = (f"refit on all rows: {told}",)
        raise error from None
    except (OSError, tf.errors.OpError) as error:
        if not is_disk_full(error):
            raise
        raise checkpoints.disk_full(folder) from None
    if distribution.copies:  # exported without copies
        model = build_model(experiment, prepared.encoder.layout, facts, steps)
        checkpoints = Checkpoints(model, folder / CHECKPOINTS, distribution.chief)
    checkpoints.restore_best(epochs)
    return model


def _epochs(
    distribution: Distribution,
    experiment: Experiment,
    model: RankingModel,
    prepared: Prepared,
    epochs: int,
    state: RunState,
    checkpoints: Checkpoints,
    folder: Path,
    listener: RunListener,
) -> None:
    steps = distribution.steps_per_epoch(prepared.training)

    def saved(state: RunState, losses: dict[str, float]) -> dict[str, Any]:
        """The state after an epoch, as plain data; the last epoch's model is kept if its scores are finite."""
        epoch, last = state.epoch + 1, state.epoch + 1 == epochs
        if last:
            with averaged(model.optimizer):
                predictions = predict(scorer(model), prepared.validation.chunks(), model.schema)
                if unusable := predictions.not_finite(model.tasks):
                    raise DivergedError(unusable, epoch)
                checkpoints.save_best(epoch)
        steplog.flush()
        state = state.after_epoch({"epoch": epoch, "best": last, "losses": losses}, 0.0, last)
        checkpoints.save(state)
        shown = "  ".join(f"{task} loss {loss:.4f}" for task, loss in losses.items())
        listener.note(f"refit: epoch {epoch} of {epochs}: {shown}")
        return asdict(state)

    done = state.epoch * steps + state.step
    with closing(step_log(distribution.chief, folder, model.tasks, resume_at=done)) as steplog:
        while state.epoch < epochs:
            losses = train_epoch(
                distribution, experiment, model, prepared.training, state, checkpoints, steplog, listener.refit_step
            )
            state = RunState(**distribution.decided(partial(saved, state, losses)))
