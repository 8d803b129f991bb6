"""What ``training.distribute: parameter_server`` cannot be combined with, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ranker.architectures import ARCHITECTURES
from ranker.optimizers import OPTIMIZERS
from ranker.weighting import WEIGHTINGS
from training.config.distribute import ParameterServer

if TYPE_CHECKING:
    from training.config.experiment import Experiment

NAME = "training.distribute: parameter_server"


def check_parameter_server(experiment: Experiment) -> None:
    """Raise ``ValueError`` that names the setting, if tables in shards cannot be trained with it."""
    distribute = experiment.training.distribute
    if not isinstance(distribute, ParameterServer):
        return
    _check_method(experiment, distribute)
    _check_optimizer(experiment)
    if experiment.ensemble is not None:
        raise ValueError(
            f"ensemble: members are put side by side in one table, which no process holds with {NAME}; leave it out"
        )
    if experiment.training.refit:
        raise ValueError(
            f"training.refit: would need a second model on the servers of {NAME}; leave it out, or hold out fewer rows"
        )
    if not ARCHITECTURES[experiment.architecture.name].trainable:
        raise ValueError(f"architecture.name: {experiment.architecture.name} has no tables for {NAME}; use one process")


def _check_method(experiment: Experiment, distribute: ParameterServer) -> None:
    """Methods that need exact simultaneous gradients take one step at a time."""
    name = experiment.weighting.name
    if WEIGHTINGS[name].asynchronous or distribute.staleness == 0:
        return
    able = ", ".join(sorted(other for other, method in WEIGHTINGS.items() if method.asynchronous))
    raise ValueError(
        f"weighting.name: {name} compares gradients or losses of the tasks at the same weights, and the steps of "
        f"several workers overlap, each at weights of its own; set training.distribute.staleness to 0, so that steps "
        f"come one after the other, or use one of {able}"
    )


def _check_optimizer(experiment: Experiment) -> None:
    optimizer = experiment.optimizer
    tables = optimizer.embeddings
    if not OPTIMIZERS[tables.name].rows_alone:
        able = ", ".join(name for name, kind in OPTIMIZERS.items() if kind.rows_alone)
        raise ValueError(
            f"optimizer.embeddings.name: {tables.name} moves the moments of every row of a table in each step, however "
            f"few rows the batch reads, which is too slow for the tables of {NAME}; use one of {able}"
        )
    if tables.clip_norm is not None:
        raise ValueError(
            f"optimizer.embeddings.clip_norm: the norm would be that of each server's rows alone with {NAME}; "
            "leave it out"
        )
    if optimizer.average is not None:
        raise ValueError(
            f"optimizer.average: would move every row of the tables in each step, which is too slow with {NAME}; "
            "leave it out"
        )
    if optimizer.shared is not None and optimizer.shared.per_task:
        raise ValueError(
            f"optimizer.shared.per_task: creates its moments in the first step, which workers of {NAME} cannot; "
            "leave it out"
        )
