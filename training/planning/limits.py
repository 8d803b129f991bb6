"""What does not divide among machines: each limit as the share of it that a plan uses, above 1 if it does not fit."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from training.planning.inputs import PlanInputs
from training.planning.stages import encode, join, serve, serving_machines, train
from training.planning.training_time import training_time
from training.planning.unit_costs import UnitCosts


@dataclass(frozen=True)
class Limit:
    """A limit.

    Attributes
    ----------
    text
        What reaches it.
    remedy
        What helps then.
    used
        The share that is used, from inputs and unit costs.
    """

    text: str
    remedy: str
    used: Callable[[PlanInputs, UnitCosts], float]


def _fitting_time(inputs: PlanInputs, costs: UnitCosts) -> float:
    return costs.encode.fit_cpu_s.at(inputs.impressions_per_day * inputs.train_days) / inputs.window


def _service_network(inputs: PlanInputs, costs: UnitCosts) -> float:
    each = costs.rank.request_bytes.at(inputs.candidates) + costs.rank.answer_bytes.at(inputs.shown)
    return inputs.replicas * inputs.peak_rps * each / max(serving_machines(inputs, costs), 1.0) / inputs.network


LIMITS: Mapping[str, Limit] = {
    "encoder memory": Limit(
        "the process that fits the encoder holds every id in one machine's memory",
        "fewer label statistics by user; a sample of users; a machine with more memory",
        lambda inputs, costs: encode(inputs, costs).memory / inputs.memory,
    ),
    "encoder pass": Limit(
        "one process fits the encoder within the window",
        "fit on fewer days; carry the encoder on with fit --from",
        _fitting_time,
    ),
    "join": Limit(
        "one process joins a day within the window",
        "join several times a day, or a folder for each part of the service's hosts",
        lambda inputs, costs: join(inputs, costs).cpu_s / inputs.window,
    ),
    "night's disk": Limit(
        "encoded rows lie on one shared disk",
        "a larger disk; fewer days; a sample of rows",
        lambda inputs, costs: encode(inputs, costs).disk / (inputs.machine_disk_gb * 1e9),
    ),
    "worker memory": Limit(
        "a training worker's memory",
        "a smaller batch",
        lambda inputs, costs: train(inputs, costs).memory / inputs.memory,
    ),
    "training time": Limit(
        "training ends within the window, with as many workers as help",
        "larger batches; fewer epochs or days; a faster network",
        lambda inputs, costs: training_time(inputs, costs).seconds / inputs.window,
    ),
    "service memory": Limit(
        "every machine of the service holds the tables and the encoder",
        "table_precision float16 or int8; fewer ids; narrower embeddings; more memory",
        lambda inputs, costs: serve(inputs, costs).memory / inputs.memory,
    ),
    "request time": Limit(
        "one core computes a request within the deadline",
        "two stages (a student ranks first); fewer candidates; more engine threads",
        lambda inputs, costs: costs.rank.cpu_s.at(inputs.candidates) / (inputs.deadline_ms / 1e3),
    ),
    "service network": Limit(
        "requests and answers on a service machine's network",
        "items and users by id, whose features the service holds",
        _service_network,
    ),
}
"""By the name in tables."""


def used(inputs: PlanInputs, costs: UnitCosts) -> dict[str, float]:
    """The used share of each limit."""
    return {name: limit.used(inputs, costs) for name, limit in LIMITS.items()}
