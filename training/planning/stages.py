"""What each stage of a day needs, by name: processor time, cores, memory, network, disk; with the formula of each.

Every function takes the inputs and the unit costs. Seconds are of one core, sizes are bytes. Night stages may take the
whole window each, so that a stage's cores are its processor time divided by the window.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from training.planning.inputs import DAY, PRECISIONS, PlanInputs
from training.planning.training_time import tables_trained, training_time
from training.planning.unit_costs import UnitCosts

INT8_SCALE = 4.0
"""Bytes of the scale of an int8 row."""


@dataclass(frozen=True)
class Needs:
    """What a stage needs.

    Attributes
    ----------
    cpu_s
        Processor seconds a day.
    cores, hours
        Cores that are held, with headroom, for so many hours a day.
    memory
        Bytes of one process or machine of the stage.
    network
        Bytes a day that go from one machine to another.
    disk
        Bytes that are stored, all days together.
    formulas
        How each of these comes about, in words.
    """

    cpu_s: float = 0.0
    cores: float = 0.0
    hours: float = 0.0
    memory: float = 0.0
    network: float = 0.0
    disk: float = 0.0
    formulas: Mapping[str, str] = field(default_factory=dict)


def serving_row(inputs: PlanInputs) -> float:
    """Bytes of a row of the artifact's tables."""
    scale = INT8_SCALE if inputs.table_precision == "int8" else 0.0
    return inputs.width * PRECISIONS[inputs.table_precision] + scale


def tables_served(inputs: PlanInputs, costs: UnitCosts) -> float:
    """Bytes of the artifact's tables and of its encoder's ids, which processes of a machine share."""
    return inputs.table_rows * (serving_row(inputs) + costs.ids.bytes.each)


def serve(inputs: PlanInputs, costs: UnitCosts) -> Needs:
    """The service, for the peak, all day."""
    each = costs.rank.cpu_s.at(inputs.candidates)
    both = costs.rank.request_bytes.at(inputs.candidates) + costs.rank.answer_bytes.at(inputs.shown)
    requests = inputs.mean_rps * DAY
    return Needs(
        cpu_s=requests * each,
        cores=inputs.replicas * inputs.peak_rps * each / inputs.headroom,
        hours=24.0,
        memory=inputs.machine_cores * costs.rank.memory_bytes + tables_served(inputs, costs),
        network=requests * both,
        formulas={
            "cpu": "requests x (rank once + candidates x rank each)",
            "cores": "replicas x peak_rps x the same / headroom, for 24 hours",
            "memory": "cores of a machine x a worker + rows of tables x (bytes of a row + an id's in the encoder)",
            "network": "requests x (request bytes at the candidates + answer bytes at the shown)",
        },
    )


def log(inputs: PlanInputs, costs: UnitCosts) -> Needs:
    """The exposure log, in the service's processes."""
    each, size = costs.log.cpu_s.at(inputs.shown), costs.log.bytes.at(inputs.shown)
    requests = inputs.mean_rps * DAY
    return Needs(
        cpu_s=requests * each,
        cores=inputs.replicas * inputs.peak_rps * each / inputs.headroom,
        hours=24.0,
        network=requests * size,
        disk=requests * size * inputs.days_kept,
        formulas={
            "cpu": "requests x (log once + shown x log each)",
            "cores": "replicas x peak_rps x the same / headroom, for 24 hours",
            "network": "requests x log bytes at the shown, to the store",
            "disk": "the same x days_kept",
        },
    )


def join(inputs: PlanInputs, costs: UnitCosts) -> Needs:
    """Exposures and events to a log."""
    rows = inputs.impressions_per_day
    cpu, size = costs.join.cpu_s.at(rows), costs.model.log_bytes * rows
    read = inputs.mean_rps * DAY * costs.log.bytes.at(inputs.shown)
    return _night(
        inputs, cpu, memory=costs.join.memory_bytes, network=read + size, disk=size * inputs.days_kept,
        formulas={
            "cpu": "join at the impressions",
            "memory": "bounded: as measured",
            "network": "exposures from the store, joined rows to it",
            "disk": "impressions x bytes of a row of the log x days_kept",
        },
    )  # fmt: skip


def encode(inputs: PlanInputs, costs: UnitCosts) -> Needs:
    """Both passes over the rows of the trained days."""
    rows = inputs.impressions_per_day * inputs.train_days
    cpu = costs.encode.fit_cpu_s.at(rows) + costs.encode.cpu_s.at(rows)
    size, read = costs.encode.bytes.at(rows), costs.model.log_bytes * rows
    return _night(
        inputs, cpu, memory=costs.encode.memory_bytes + inputs.table_rows * costs.ids.memory_bytes.each,
        network=2 * read + size, disk=size,
        formulas={
            "cpu": "fit at the rows of train_days + encode at the same",
            "memory": "as measured + (users + items) x memory of an id, in the process that fits",
            "network": "joined rows read twice, encoded rows written",
            "disk": "encoded bytes, one night's",
        },
    )  # fmt: skip


def train(inputs: PlanInputs, costs: UnitCosts) -> Needs:
    """The workers' steps, without what servers do."""
    time = training_time(inputs, costs)
    memory = costs.train.memory_bytes.at(time.rows) + (0.0 if time.servers else tables_trained(inputs))
    busy, held = 1 / inputs.headroom, memory / inputs.memory * inputs.machine_cores
    return Needs(
        cpu_s=time.cpu_s + time.pull_cpu_s,
        cores=time.workers * max(busy, held),
        hours=time.seconds / 3600,
        memory=memory,
        network=time.network + time.steps * inputs.batch * costs.encode.bytes.each,
        formulas={
            "cpu": "steps x workers x (train once + rows of a worker's step x train each), and what servers' rows cost "
            "the workers",
            "cores": "workers x (a core / headroom, or the share of a machine that its memory is), while it trains",
            "memory": "a worker: train memory at its rows of a step, and all tables with moments unless on servers",
            "network": "encoded rows read + gradients of dense variables and rows of tables, of all steps and workers",
        },
    )


def servers(inputs: PlanInputs, costs: UnitCosts) -> Needs:
    """Parameter servers; nothing unless the tables need them."""
    time, size = training_time(inputs, costs), tables_trained(inputs)
    if not time.servers:
        return Needs(formulas={"all": "none: every worker holds the tables"})
    cpu = time.server_cpu_s
    return Needs(
        cpu_s=cpu,
        cores=time.servers * inputs.machine_cores,
        hours=time.seconds / 3600,
        memory=size / time.servers,
        disk=size,
        formulas={
            "cpu": "steps x workers x what a server spends on a worker's rows of a step",
            "cores": "whole machines: as many as hold the tables with moments, and answer as fast as workers ask",
            "memory": "a server: rows of tables x width x 4 x (1 + moments) / servers",
            "disk": "one checkpoint",
        },
    )


def score(inputs: PlanInputs, costs: UnitCosts) -> Needs:
    """``predict``."""
    rows = inputs.rows_scored
    cpu, size = (costs.score.cpu_s.at(rows), costs.score.bytes.at(rows)) if rows else (0.0, 0.0)
    return _night(
        inputs, cpu, memory=costs.score.memory_bytes + tables_served(inputs, costs),
        network=costs.model.log_bytes * rows + size, disk=size,
        formulas={
            "cpu": "score at the rows scored",
            "memory": "as measured + rows of tables x (bytes of a row + an id's in the encoder), shared in a machine",
            "network": "rows read, scores written",
            "disk": "scores, one night's",
        },
    )  # fmt: skip


def publish(inputs: PlanInputs, costs: UnitCosts) -> Needs:
    """The artifact to the store, and from there to every machine of the service."""
    size = tables_served(inputs, costs) + costs.model.dense_bytes
    machines = serving_machines(inputs, costs)
    return Needs(
        network=size * (1 + machines),
        disk=size * inputs.versions_kept,
        formulas={
            "network": "bytes of the artifact x (1 + machines of the service)",
            "disk": "bytes of the artifact x versions_kept",
        },
    )


def serving_machines(inputs: PlanInputs, costs: UnitCosts) -> float:
    """Machines of the service and its log."""
    return -(-(serve(inputs, costs).cores + log(inputs, costs).cores) // inputs.machine_cores)


def _night(
    inputs: PlanInputs, cpu_s: float, *, memory: float, network: float, disk: float, formulas: Mapping[str, str]
) -> Needs:
    cores = cpu_s / inputs.window / inputs.headroom
    how = {"cores": "processor seconds / window / headroom", **formulas}
    return Needs(cpu_s, cores, inputs.window_hours, memory, network, disk, how)


STAGES: Mapping[str, Callable[[PlanInputs, UnitCosts], Needs]] = {
    "serve": serve, "log": log, "join": join, "encode": encode, "train": train, "parameter servers": servers,
    "score": score, "publish": publish,
}  # fmt: skip
"""In the order of a table."""
