"""Trains an experiment on a log: encodes rows, runs epochs, keeps the best one. Resumes after a kill."""

import shutil
from contextlib import closing, nullcontext
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import tensorflow as tf

from ranker.log_files.log_reader import DataError, Log, Source
from ranker.model import RankingModel
from ranker.optimizers.grouped import averaged
from training.config.experiment import Experiment
from training.config.task_metrics import task_and_key
from training.data.cache import ROWS as ROWS
from training.data.cache import RUN as RUN
from training.data.cache import opened_rows, prepared_rows, refit_rows
from training.data.earlier import Earlier, ParentRecord
from training.data.encode import Prepared
from training.data.experiment_log import open_log
from training.data.label_facts import label_facts
from training.data.split.checks import cautions as split_cautions
from training.disk_full import is_disk_full
from training.distribution import Distribution, distribution_of
from training.distribution.shards import saved_partition
from training.evaluation import by_feature, classes
from training.evaluation.evaluate import Scorer, UndefinedMetricError, metric_value, predict
from training.evaluation.gates import inspect_gates
from training.evaluation.validation import measure_run
from training.progress_listener import RunListener
from training.trainer.build_model import build_funnel, build_model
from training.trainer.callbacks import step_log
from training.trainer.checkpoints import Checkpoints, RunState
from training.trainer.divergence import DivergedError, explanation
from training.trainer.early_stopping import stopping_metric
from training.trainer.ensemble import assemble, measured
from training.trainer.epoch import scorer, start, train_epoch
from training.trainer.finished import finished, trained
from training.trainer.positions import position_curve
from training.trainer.precision import chosen
from training.trainer.refit import refitted, reopened
from training.trainer.run import Run as Run
from training.trainer.run_folder import EXPORTED, REFIT, RESULT, begin, read
from training.trainer.table_sizes import describe_tables, table_sizes
from training.trainer.validation import validated


def train(
    experiment: Experiment,
    source: Source,
    output: Path,
    listener: RunListener | None = None,
    rows: Path | None = None,
    earlier: Earlier | None = None,
    refit: bool = True,
    prepared: Prepared | None = None,
    restart: bool = False,
) -> Run:
    """Train in ``output/run``, resuming an unfinished run of the same config, data and ``earlier`` artifact.

    With ``restart``, whatever is in that folder is discarded. With ``earlier``, the model and the encoder start from
    that artifact's. Without ``refit``, the second training that the config may ask for is left out.

    Encoded rows are cached in ``rows``, by default in the run's folder, and shared by runs that need the same ones;
    members of an ensemble are given theirs, ``prepared``, which are in ``rows``.
    Raises ``DataError`` if the log cannot be used, ``DivergedError`` if losses become non-finite, and ``RuntimeError``
    if ``training.threads`` differs from the number TensorFlow has already started with, or another worker is lost.
    """
    if experiment.training.threads is not None:  # first, as a distribution may start TensorFlow
        tf.config.threading.set_intra_op_parallelism_threads(experiment.training.threads)
    distribution = distribution_of(experiment)
    distribution.serve(partial(read, output / RUN / EXPORTED))
    listener = (listener if distribution.chief else None) or RunListener()
    alone = distribution.processes > 1 and prepared is None and not restart
    if alone and trained(experiment, open_log(experiment, source), output / RUN, earlier):
        listener.note(f"the run in {output / RUN} has finished training, so no other worker is waited for")
        return replace(reopen(output), chief=distribution.chief)
    distribution.join()
    if experiment.ensemble is not None:
        listener = listener.once()
    first = partial(
        _first_training, distribution, experiment, source, output, listener, rows, earlier, refit, prepared, restart
    )
    try:
        return refitted(first(), listener, earlier, distribution) if refit else first()
    except tf.errors.OpError as error:
        if (lost := distribution.lost(error)) is None:
            raise
        raise lost from None


def _first_training(
    distribution: Distribution,
    experiment: Experiment,
    source: Source,
    output: Path,
    listener: RunListener,
    rows: Path | None,
    earlier: Earlier | None,
    refit: bool,
    prepared: Prepared | None,
    restart: bool,
) -> Run:
    log = open_log(experiment, source)
    for note in log.notes:
        listener.note(note)
    folder = output / RUN
    writes, readers = distribution.chief, distribution.readers
    distribution.led(partial(begin, experiment, log, folder, rows, earlier, writes, readers, restart))
    rows = rows or folder / ROWS
    if prepared is None:
        prepared = distribution.led(partial(prepared_rows, experiment, log, rows, listener, earlier))
    if refit and experiment.training.refit:  # a row that cannot be trained on is found before hours of training
        distribution.led(partial(refit_rows, experiment, log, folder / REFIT, listener, earlier))
    metric, cautions = stopping_metric(experiment, prepared.validation)
    of_split = split_cautions(experiment, log, len(prepared.training), len(prepared.validation))
    for caution in [*of_split, *cautions]:
        listener.note(caution)
    facts = label_facts(prepared.training, build_funnel(experiment, prepared.encoder.layout))
    steps = distribution.steps_per_epoch(prepared.training)
    with nullcontext() if experiment.ensemble is not None else distribution.scope():  # an average is not trained
        model = build_model(experiment, prepared.encoder.layout, facts, steps, distribution.partition(folder))
    if experiment.training.precision != "float32":
        listener.note(chosen(experiment.training).line)
    if sizes := table_sizes(model.embedding.layout, model.embedding.sets):
        listener.note(describe_tables(sizes))
    try:
        for caution in model.weighting.cautions(experiment.log_schema.tasks, facts):
            listener.note(caution)
    except ValueError as error:
        raise DataError(str(error)) from None
    checkpoints = Checkpoints(model, folder / "checkpoints", distribution.chief)
    state = start(distribution, model, checkpoints, experiment, prepared, earlier, listener.note)
    if finished(experiment, state):
        listener.note(f"the run in {folder} has finished training after epoch {state.epoch}")
    elif state.epoch or state.step:
        listener.note(f"resuming from epoch {state.epoch + 1}, step {state.step} of the run in {folder}")
    score = scorer(model)  # compiled once, for all epochs and the best one's predictions
    members: list[dict[str, Any]] = []
    if experiment.ensemble is not None and not finished(experiment, state):
        encoded = prepared

        def member(own: Experiment, _: int, folder: Path) -> RankingModel:
            run = train(own, source, folder, listener, rows, refit=False, prepared=encoded)
            members.append(run.history[run.best_epoch - 1])
            return run.model

        assemble(model, experiment, folder, listener, member)
    try:
        if members:
            average = partial(measured, experiment, model, score, prepared, members, checkpoints, folder, listener)
            distribution.agreed(None)  # all have read the members, which are deleted then
            state = RunState(**distribution.decided(lambda: asdict(average())))
        else:
            state = _epochs(
                distribution, experiment, metric, model, score, prepared, state, checkpoints, folder, listener
            )
    except DivergedError as error:
        raise (_diverged(error, experiment, prepared, checkpoints, folder) if distribution.chief else error) from None
    except (OSError, tf.errors.OpError) as error:
        if not is_disk_full(error):
            raise
        raise checkpoints.disk_full(folder) from None
    parent = earlier.record() if earlier else None
    if distribution.copies and experiment.ensemble is None:  # measured and exported without copies
        model = build_model(experiment, prepared.encoder.layout, facts, steps)
        score, checkpoints = scorer(model), Checkpoints(model, folder / "checkpoints", distribution.chief)
    run = _best(experiment, log, prepared, model, score, checkpoints, state, folder, parent)
    return replace(run, chief=distribution.chief)


def _diverged(
    error: DivergedError, experiment: Experiment, prepared: Prepared, checkpoints: Checkpoints, folder: Path
) -> DivergedError:
    """Complete the error's message; delete the checkpoints if no epoch has finished."""
    state = checkpoints.latest() or RunState()
    if state.best_epoch is None:
        shutil.rmtree(folder / "checkpoints", ignore_errors=True)
    error.args = (explanation(error, experiment, prepared.training, state.best_epoch, str(folder.parent)),)
    return error


def reopen(output: Path) -> Run:
    """The best epoch so far of the run in ``output/run``, or its finished refit. Raises ``DataError`` for no epoch."""
    folder = output / RUN
    if not (folder / "run.json").is_file():
        raise DataError(f"{folder}: contains no run; create one with `fit`")
    try:
        saved = orjson.loads((folder / "run.json").read_bytes())
        experiment = Experiment.model_validate(saved["experiment"])
        log = open_log(experiment, saved["data"])
        parent = ParentRecord.model_validate(saved["parent"]) if saved.get("parent") else None
        prepared = opened_rows(experiment, Path(saved["rows"]) if saved["rows"] else folder / ROWS)
    except (KeyError, TypeError, ValueError, FileNotFoundError) as error:
        raise DataError(f"{folder}: the run cannot be read; run `fit` again ({error})") from error
    steps = prepared.training.steps(experiment.training.batch_size)
    partition = saved_partition(folder)
    model = build_model(experiment, prepared.encoder.layout, steps_per_epoch=steps, partition=partition)
    checkpoints = Checkpoints(model, folder / "checkpoints")
    state = checkpoints.latest()
    if state is None and (output / RESULT).is_file():
        raise DataError(
            f"{folder}: the weights were deleted after evaluation: `compare` keeps only the best trial's, which "
            "`--export-best DIR` exports, and `pareto` only the front's"
        )
    if state is None or not state.history:
        raise DataError(f"{folder}: the run has not finished an epoch, so there is nothing to export yet")
    run = _best(experiment, log, prepared, model, scorer(model), checkpoints, state, folder, parent)
    return reopened(run) if experiment.training.refit else run


def _best(
    experiment: Experiment,
    log: Log,
    prepared: Prepared,
    model: RankingModel,
    score: Scorer,
    checkpoints: Checkpoints,
    state: RunState,
    folder: Path,
    parent: ParentRecord | None,
) -> Run:
    assert state.best_epoch is not None, "a finished epoch is the best so far"
    checkpoints.restore_best(state.best_epoch)
    predictions = predict(score, prepared.validation.chunks(), experiment.log_schema)
    metrics, by = measure_run(experiment, predictions, experiment.evaluation.bootstrap), experiment.evaluation.by
    if by is not None:
        numbers = by_feature.numbers_of(prepared.encoder, by, prepared.validation)
        metrics[by_feature.KEY] = by_feature.by_feature(
            prepared.encoder, by, experiment.evaluation.by_groups, predictions, numbers
        )
    if reports := classes.class_reports(model, prepared.validation):
        metrics[classes.KEY] = reports
    if (curve := position_curve(model, prepared)) is not None:
        metrics["position"] = curve
    gates = inspect_gates(model, prepared.validation)
    return Run(experiment, log, prepared, model, metrics, state.history, gates, folder, predictions, parent)


def _epochs(
    distribution: Distribution,
    experiment: Experiment,
    metric: str | None,
    model: RankingModel,
    score: Scorer,
    prepared: Prepared,
    state: RunState,
    checkpoints: Checkpoints,
    folder: Path,
    listener: RunListener,
) -> RunState:
    steps = distribution.steps_per_epoch(prepared.training)
    steplog = step_log(distribution.chief, folder, model.tasks, resume_at=state.epoch * steps + state.step)
    losses = tf.function(model.test_step, reduce_retracing=True, autograph=False)

    def judged(state: RunState, mean: dict[str, float]) -> dict[str, Any]:
        """The state after an epoch, which is measured and saved; as plain data."""
        with averaged(model.optimizer):
            metrics = validated(experiment, model, score, losses, prepared.validation, state.epoch + 1)
        value = 0.0 if metric is None else _value(metric, metrics, state.epoch + 1)
        final = experiment.schedule.final(state.epoch)  # earlier phases' epochs are always kept
        better = metric is None or not final or state.best == float("-inf") or value > state.best
        record = {"epoch": state.epoch + 1, "best": better, "losses": mean, **metrics}
        steplog.validation((state.epoch + 1) * steps, metrics)
        gates = inspect_gates(model, prepared.validation)
        steplog.gates((state.epoch + 1) * steps, gates)
        for warning in gates.warnings():
            listener.note(warning)
        state = state.after_epoch(record, value if final else float("-inf"), better)
        if better:
            with averaged(model.optimizer):
                checkpoints.save_best(state.epoch)
        checkpoints.save(state)
        listener.epoch(record)
        return asdict(state)

    with closing(steplog):
        while not finished(experiment, state):
            mean = train_epoch(
                distribution, experiment, model, prepared.training, state, checkpoints, steplog, listener.step
            )
            state = RunState(**distribution.decided(partial(judged, state, mean)))
    return state


def _value(metric: str, metrics: dict[str, Any], epoch: int) -> float:
    """The early-stopping metric. ``stopping_metric`` checked the labels, so an undefined value means divergence."""
    try:
        return metric_value(metric, metrics)
    except UndefinedMetricError:
        raise DivergedError([task_and_key(metric)[0] or metric], epoch) from None
