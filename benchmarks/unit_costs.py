"""Unit costs of every stage on this machine, for ``ranker-train plan``: processor time, bytes and memory, as lines.

Each stage runs for real at two sizes or more, several times, in turn; a line through the medians gives what one more
row, request, candidate or byte costs, and what is spent once. Processor time is that of all threads; where a stage can,
it runs on one thread. The training of tables on servers needs a network namespace of its own, so run this as root, or
where user namespaces are allowed.
"""

import os
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.costs.inputs import CONFIG, Inputs
from benchmarks.costs.processes import Found, in_process
from benchmarks.costs.service import service
from benchmarks.report import write_json
from training.planning import UnitCosts

ROWS = (100_000, 600_000)
"""Rows of the logs that are encoded."""
SCORED = (100_000, 400_000)
TRAIN_ROWS = 300_000
"""More than are shuffled at a time, so that memory is that of any longer log."""
IDS = (300_000, 1_200_000)
"""Just after the arrays of the fitter have doubled, when they take most; a power of two apart, as memory has steps."""
DAY = (200_000, 600_000)
"""Exposures of the days that are joined."""
BATCHES = (1024, 8192)
STEPS = {1024: 80, 8192: 12}
CANDIDATES = (100, 400)
RETURNED = (10, 60)
SECONDS = 6.0
TABLE_ROWS = 1_000_000
PULLS = ((2_000, 16), (20_000, 16), (20_000, 64))
"""Rows of a batch, and width."""

Taken = dict[Any, list[Found]]
"""What was measured in each round, by size."""


def main(
    output: Annotated[Path, typer.Option("--output", "-o", help="File for the unit costs, JSON.")],
    config: Annotated[Path, typer.Option(exists=True, help="Config of the model.")] = CONFIG,
    log: Annotated[
        Path | None, typer.Option(exists=True, help="Log to measure on; by default a simulated one.")
    ] = None,
    artifact: Annotated[Path | None, typer.Option(exists=True, help="Its artifact; by default one is fitted.")] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Measurements of each size; medians count.")] = 3,
    work: Annotated[
        Path | None, typer.Option(exists=True, file_okay=False, help="Scratch folder; by default a temporary one.")
    ] = None,
) -> None:
    """Measure all stages, print them and write them."""
    console = Console()
    with tempfile.TemporaryDirectory(dir=work) as folder:
        inputs = Inputs(Path(folder), config.resolve(), log, artifact)
        taken: dict[str, Taken] = defaultdict(lambda: defaultdict(list))
        for number in range(rounds):
            for stage, size, found in measured(inputs):
                taken[stage][size].append(found)
                console.print(f"round {number + 1} of {rounds}: {stage} {size}: {_shown(found)}", markup=False)
    costs = {
        "format": 1,
        "measured": datetime.now(UTC).date().isoformat(),
        "machine": {"processor": processor(), "cores": os.cpu_count(), "memory_gib": round(memory_gib(), 1)},
        "model": _model(taken["train"], inputs.model_name, rounds),
        **lines(taken),
    }
    checked = UnitCosts.model_validate(costs)
    write_json(output, checked.model_dump(mode="json"))
    console.print(table(checked))


def measured(inputs: Inputs) -> Iterator[tuple[str, Any, Found]]:
    """One round of all stages: the name, the size and what was measured."""
    for rows in ROWS:
        yield "encode", rows, in_process(inputs, "encode", rows=rows)
    for rows in SCORED:
        yield "score", rows, in_process(inputs, "score", rows=rows)
    for count in IDS:
        yield "ids", count, in_process(inputs, "ids", count=count)
    for rows in DAY:
        yield "join", rows, in_process(inputs, "join", rows=rows)
    for batch in BATCHES:
        yield "train", batch, in_process(inputs, "train", rows=TRAIN_ROWS, batch=batch, steps=STEPS[batch])
    for returned in RETURNED:
        yield "log", returned, in_process(inputs, "log", returned=returned, candidates=100, blocks=4)
    with service(inputs, max(CANDIDATES)) as running:
        for candidates in CANDIDATES:
            yield "rank", (candidates, RETURNED[0]), running.rank(inputs, candidates, RETURNED[0], SECONDS)
        yield "rank", (CANDIDATES[0], RETURNED[1]), running.rank(inputs, CANDIDATES[0], RETURNED[1], SECONDS)
    for batch, width in PULLS:
        found = in_process(inputs, "tables", rows=TABLE_ROWS, batch=batch, width=width, steps=100)
        yield "tables", (batch, width), found


def lines(taken: dict[str, Taken]) -> dict[str, Any]:
    """The unit costs of the stages."""
    rank, first, fewest = taken["rank"], RETURNED[0], CANDIDATES[0]
    by_candidates = {size[0]: found for size, found in rank.items() if size[1] == first}
    by_returned = {size[1]: found for size, found in rank.items() if size[0] == fewest}
    return {
        "log": {"cpu_s": line(taken["log"], "cpu_s"), "bytes": line(taken["log"], "bytes")},
        "join": {"cpu_s": line(taken["join"], "cpu_s"), "memory_bytes": most(taken["join"], "memory_bytes")},
        "encode": {
            "fit_cpu_s": line(taken["encode"], "fit_cpu_s"),
            "cpu_s": line(taken["encode"], "encode_cpu_s"),
            "bytes": line(taken["encode"], "bytes"),
            "memory_bytes": most(taken["encode"], "memory_bytes"),
        },
        "ids": {"memory_bytes": line(taken["ids"], "memory_bytes"), "bytes": line(taken["ids"], "bytes")},
        "train": {
            "cpu_s": line(
                {batch: [_of_step(one) for one in found] for batch, found in taken["train"].items()}, "cpu_s"
            ),
            "memory_bytes": line(taken["train"], "memory_bytes"),
        },
        "tables": {name: pull(taken["tables"], name) for name in ("server_cpu_s", "worker_cpu_s", "wire_bytes")},
        "score": of_rows(taken["score"]),
        "rank": {
            "cpu_s": line(by_candidates, "cpu_s"),
            "request_bytes": line(by_candidates, "request_bytes"),
            "answer_bytes": line(by_returned, "answer_bytes"),
            "memory_bytes": float(np.median([one["memory_bytes"] for found in rank.values() for one in found])),
        },
    }


def of_rows(taken: Taken) -> dict[str, Any]:
    """Lines of a stage that reads rows."""
    lines = {name: line(taken, name) for name in ("cpu_s", "bytes")}
    return {**lines, "memory_bytes": most(taken, "memory_bytes")}


def most(taken: Taken, name: str) -> float:
    """The median of the largest size."""
    return float(np.median([one[name] for one in taken[max(taken)]]))


def line(taken: Taken, name: str) -> dict[str, Any]:
    """A line through the medians of the smallest and the largest size; neither part is below 0.

    Its spread is the largest of the sizes': half of the range over the rounds, relative to the median.
    """
    low, high = min(taken), max(taken)
    middle = {size: float(np.median([one[name] for one in taken[size]])) for size in (low, high)}
    each = max((middle[high] - middle[low]) / (high - low), 0.0)
    fixed = max(middle[low] - each * low, 0.0)
    each = (middle[high] - fixed) / high if fixed == 0.0 else each
    return {"fixed": fixed, "each": each, "sizes": [low, high], "spread": _spread(taken, name)}


def pull(taken: Taken, name: str) -> dict[str, Any]:
    """What a step, a row and a byte of a row cost, from three batches; none of them is below 0."""
    from scipy.optimize import nnls

    sizes = list(taken)
    facts = np.array([[1.0, batch, batch * width * 4.0] for batch, width in sizes])
    middle = np.array([float(np.median([one[name] for one in taken[size]])) for size in sizes])
    scale = facts.max(axis=0)
    found = nnls(facts / scale / middle[:, None], np.ones(len(sizes)))[0] / scale
    return {"step": found[0], "row": found[1], "byte": found[2], "spread": _spread(taken, name)}


def _spread(taken: Taken, name: str) -> float:
    values = [np.array([one[name] for one in found]) for found in taken.values()]
    return float(max(np.ptp(each) / 2 / np.median(each) if np.median(each) else 0.0 for each in values))


def _of_step(found: Found) -> Found:
    return {"cpu_s": found["cpu_s"] / found["steps"]}


def _model(taken: Taken, name: str, rounds: int) -> dict[str, Any]:
    found = taken[BATCHES[0]][0]
    facts = {key: found[key] for key in ("dense_bytes", "reads", "log_bytes")}
    return {"config": name, "rounds": rounds, **facts}


def _shown(found: Found) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in found.items())


def processor() -> str:
    """The processor's name, as the kernel tells it."""
    told = Path("/proc/cpuinfo")
    names = [line.partition(":")[2].strip() for line in told.read_text().splitlines() if line.startswith("model name")]
    return names[0] if names else "unknown"


def memory_gib() -> float:
    """Memory of this machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def table(costs: UnitCosts) -> Table:
    """The unit costs, one line each."""
    shown = Table("cost", "once", "each", "of", "spread", title=f"unit costs, {costs.measured}, {costs.model.config}")
    for row in costs.rows():
        shown.add_row(*row)
    return shown


if __name__ == "__main__":
    typer.run(main)
