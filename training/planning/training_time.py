"""How long training takes with how many workers, and which ``training.distribute`` fits."""

import math
from dataclasses import dataclass
from typing import Literal

from training.planning.inputs import PlanInputs
from training.planning.unit_costs import UnitCosts

FLOAT = 4.0
INDEX = 8.0
"""Bytes of the number of a row, beside its gradient."""
MOST_WORKERS = 1_000_000
NEAR = 1.1
"""Where training cannot end in time, so much more than the shortest time is good enough for fewer workers."""
Distribute = Literal["one", "multi_worker", "parameter_server"]


@dataclass(frozen=True)
class TrainingTime:
    """A training of one night.

    Attributes
    ----------
    distribute, why
        Which ``training.distribute`` fits, and the reason.
    workers, servers
        Processes; no servers unless the tables need them.
    steps, rows
        Steps of a worker, and rows of one.
    compute_s, wire_s
        Seconds of a step: of one core, and of a worker's network.
    seconds
        Of the whole training.
    cpu_s, pull_cpu_s, server_cpu_s
        Processor seconds of all workers' steps, of what servers' rows cost workers, and of servers.
    network
        Bytes of gradients and rows of tables, of all steps and workers.
    """

    distribute: Distribute
    why: str
    workers: int
    servers: int
    steps: float
    rows: float
    compute_s: float
    wire_s: float
    seconds: float
    cpu_s: float
    pull_cpu_s: float
    server_cpu_s: float
    network: float


def training_time(inputs: PlanInputs, costs: UnitCosts) -> TrainingTime:
    """The training with the fewest workers that end within the window, or with the inputs' number of them."""
    tables, memory = tables_trained(inputs), costs.train.memory_bytes
    if tables + memory.fixed > inputs.memory:
        own, room = (f"{size / 1e9:,.3g} GB" for size in (memory.fixed, inputs.memory))
        moments = f"tables with moments are {tables / 1e9:,.3g} GB"
        why = f"{moments}, a worker has {own} beside them, and a machine has {room} to use"
        return _fewest("parameter_server", why, inputs, costs, 0.0)
    alone, whole = _training("one", "", 1, inputs, costs), tables + memory.at(inputs.batch)
    fits = f"tables fit ({tables / 1e9:,.3g} GB), and"
    if inputs.workers in (None, 1) and alone.seconds <= inputs.window and whole <= inputs.memory:
        return _training("one", f"{fits} one core ends in {alone.seconds / 3600:,.3g} hours", 1, inputs, costs)
    why = f"{fits} one core would take {alone.seconds / 3600:,.3g} hours"
    if whole > inputs.memory:
        why = f"{fits} with a whole batch of {inputs.batch:,.0f} rows a process would need {whole / 1e9:,.3g} GB"
    return _fewest("multi_worker", why, inputs, costs, tables)


def _fewest(distribute: Distribute, why: str, inputs: PlanInputs, costs: UnitCosts, held: float) -> TrainingTime:
    """As many workers as end within the window, or, where none do, as come within a tenth of the shortest time.

    Their rows of a step fit into memory beside the bytes ``held``, if there can be as many workers as that takes.
    """

    def of(workers: int) -> TrainingTime:
        return _training(distribute, why, workers, inputs, costs)

    if inputs.workers is not None:
        return of(int(inputs.workers))
    most = max(int(min(inputs.batch, MOST_WORKERS)), 1)  # a worker has at least a row
    least = min(_least(inputs, costs, held), most)
    doubled = [least << power for power in range((most // least).bit_length())]
    goal = max(inputs.window, NEAR * min(of(workers).seconds for workers in doubled))
    high = next(workers for workers in doubled if of(workers).seconds <= goal)
    low = max(high // 2, least - 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if of(middle).seconds <= goal else (middle, high)
    return of(high)


def _least(inputs: PlanInputs, costs: UnitCosts, held: float) -> int:
    """Workers among whom a batch has to be divided to fit into their memory."""
    memory = costs.train.memory_bytes
    room = inputs.memory - held - memory.fixed
    return MOST_WORKERS if room <= 0 else max(math.ceil(inputs.batch * memory.each / room), 1)


def _training(distribute: Distribute, why: str, workers: int, inputs: PlanInputs, costs: UnitCosts) -> TrainingTime:
    steps = inputs.impressions_per_day * inputs.train_days * inputs.epochs / inputs.batch
    rows = inputs.batch / workers
    reads, row = rows * costs.model.reads, inputs.width * FLOAT
    compute = costs.train.cpu_s.at(rows)
    pull = serve = wire = 0.0
    if distribute == "parameter_server":
        pull, serve = (cost.at(reads, row) for cost in (costs.tables.worker_cpu_s, costs.tables.server_cpu_s))
        wire = costs.tables.wire_bytes.at(reads, row) + 2 * costs.model.dense_bytes
    elif workers > 1:
        others = (workers - 1) / workers
        wire = 2 * others * costs.model.dense_bytes + others * inputs.batch * costs.model.reads * (row + INDEX)
    wire_s = wire / inputs.network
    step_s = compute + pull + wire_s
    servers = 0
    if distribute == "parameter_server":  # as many as hold the tables, and as answer as fast as workers ask
        of_memory = tables_trained(inputs) / inputs.memory
        of_network = workers * wire_s / step_s
        of_cores = workers * serve / step_s / inputs.headroom / inputs.machine_cores
        servers = max(math.ceil(of_memory), math.ceil(of_network), math.ceil(of_cores))
    return TrainingTime(
        distribute=distribute, why=why, workers=workers, servers=servers, steps=steps, rows=rows,
        compute_s=compute + pull, wire_s=wire_s, seconds=steps * step_s,
        cpu_s=steps * workers * compute, pull_cpu_s=steps * workers * pull, server_cpu_s=steps * workers * serve,
        network=steps * workers * wire,
    )  # fmt: skip


def tables_trained(inputs: PlanInputs) -> float:
    """Bytes of the tables in training, with their moments."""
    return inputs.table_rows * inputs.width * FLOAT * (1 + inputs.moments)
