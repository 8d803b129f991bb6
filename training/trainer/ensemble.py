"""Trains the members of an ensemble, and puts them side by side into one model, whose logits are the mean of theirs."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from ranker.architectures.averaged import Averaged
from ranker.model import RankingModel
from training.config.experiment import Experiment
from training.data.encode import Prepared
from training.evaluation.evaluate import Scorer
from training.progress_listener import RunListener
from training.trainer.callbacks import StepLog
from training.trainer.checkpoints import Checkpoints, RunState
from training.trainer.run_folder import MEMBERS
from training.trainer.validation import validated


def member_of(experiment: Experiment, number: int) -> Experiment:
    """The experiment of member ``number``, from 0: a single model with a seed of its own.

    Seeds are drawn, not counted up, so that the ensembles of neighbouring seeds have no member in common.
    """
    seed = int(np.random.SeedSequence([experiment.training.seed, number]).generate_state(1)[0]) % 2**30
    return experiment.model_copy(
        update={
            "ensemble": None,
            "training": experiment.training.model_copy(update={"seed": seed}),
            "evaluation": experiment.evaluation.model_copy(update={"bootstrap": 0}),
        }
    )


def assemble(
    model: RankingModel,
    experiment: Experiment,
    folder: Path,
    listener: RunListener,
    train: Callable[[Experiment, int, Path], RankingModel],
) -> None:
    """Train the members, each in a folder of its own below ``folder/members``, and copy their weights into ``model``.

    ``train`` gets a member's experiment, its number from 0, and its folder, in which it goes on with a training that is
    there already.
    """
    assert experiment.ensemble is not None, "only ensembles have members"
    seeds = experiment.ensemble.seeds
    for number in range(seeds):
        listener.model(f"member {number + 1} of {seeds}")
        own = folder / MEMBERS / str(number + 1)
        put(train(member_of(experiment, number), number, own), model, number)
    listener.model("ensemble")


def put(member: RankingModel, model: RankingModel, number: int) -> None:
    """Copy a member's weights to its place in the model; members count from 0."""
    assert isinstance(model.architecture, Averaged), "the model is not an average"
    sets = member.embedding.sets
    for width, table in model.embedding.tables.items():
        values = np.array(table.numpy())
        own = int(width) * sets
        values[:, number * own : (number + 1) * own] = member.embedding.tables[width].numpy()
        table.assign(values)
    first = number * sets
    if model.position is not None and member.position is not None:
        model.position.average_in(member.position, number)
    pairs: list[tuple[Any, Any]] = [(model.architecture.members[number], member.architecture)]
    numbers = model.embedding.member_numbers[number]
    pairs += [(numbers[side], source) for side, source in member.embedding.numbers.items()]
    for i in range(sets):
        pairs.append((model.interactions[first + i], member.interactions[i]))
        pairs += [
            (pooling, member.embedding.poolings[i][name])
            for name, pooling in model.embedding.poolings[first + i].items()
        ]
    for target, source in pairs:
        for variable, value in zip(target.variables, source.variables, strict=True):
            variable.assign(value)


def measured(
    experiment: Experiment,
    model: RankingModel,
    score: Scorer,
    prepared: Prepared,
    members: Sequence[dict[str, Any]],
    checkpoints: Checkpoints,
    folder: Path,
    listener: RunListener,
) -> RunState:
    """Measure and keep an average of members, as the one epoch of a run; ``members`` are the records of theirs."""
    step = tf.function(model.test_step, reduce_retracing=True, autograph=False)
    metrics = validated(experiment, model, score, step, prepared.validation, 1)
    losses = {task: float(np.mean([each["losses"][task] for each in members])) for task in model.tasks}
    epochs = [each["epoch"] for each in members]
    record = {"epoch": 1, "best": True, "losses": losses, MEMBERS: epochs, **metrics}
    StepLog(folder, model.tasks, resume_at=0).close()  # no step of its own
    checkpoints.save_best(1)
    state = RunState().after_epoch(record, 0.0, better=True)
    checkpoints.save(state)
    shutil.rmtree(folder / MEMBERS)
    listener.epoch(record)
    return state
