"""Compares ``ranker-train plan`` with a real run at a thousandth of a plan's size, stage by stage.

The plan is of a billion impressions a day with 20 million users and 5 million items; a thousandth of it are the million
impressions, 20,000 users and 5,000 items that ``ranker-train simulate`` makes by default. Every stage runs at sizes at
which the unit costs were not measured. Ids, and rows of tables on servers, are measured apart, at sizes of their own.
Prints what was predicted beside what was measured; the medians of several rounds count.
"""

import tempfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.costs.inputs import Inputs
from benchmarks.costs.processes import Found, in_process
from benchmarks.costs.service import service
from benchmarks.report import write_json
from training.planning import PlanInputs, UnitCosts, plan, shipped_costs
from training.planning.unit_costs import read_costs

SCALE = 1000
ROWS = 1_000_000
"""A thousandth of the plan's impressions."""
PLAN = PlanInputs(
    impressions_per_day=1e9, users=2e7, items=5e6, peak_rps=2e5, candidates=500, shown=20, batch=2048, workers=1
)
IDS = 2_000_000
PULL = (8_000, 32)
"""Rows of a batch, and width."""
SECONDS = 20.0
WITHIN = 0.3
Quantity = tuple[str, str]
"""Stage, and what of it."""


def main(
    costs_file: Annotated[Path | None, typer.Option("--costs", help="Unit costs; by default the package's.")] = None,
    artifact: Annotated[Path | None, typer.Option(exists=True, help="The demo's; by default it is fitted.")] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Measurements of each stage; medians count.")] = 1,
    output: Annotated[Path | None, typer.Option("--json", help="Where to write the comparison.")] = None,
    stages: Annotated[list[str] | None, typer.Option("--stage", help="Only this one; may be repeated.")] = None,
    work: Annotated[
        Path | None, typer.Option(exists=True, file_okay=False, help="Scratch folder; by default a temporary one.")
    ] = None,
) -> None:
    """Predict, measure and compare."""
    console = Console()
    if unknown := set(stages or ()) - set(STAGES):
        raise typer.BadParameter(f"{', '.join(sorted(unknown))}: the stages are {', '.join(STAGES)}")
    costs = shipped_costs() if costs_file is None else read_costs(costs_file)
    wanted = predicted(costs)
    taken: dict[Quantity, list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory(dir=work) as folder:
        inputs = Inputs(Path(folder), model=artifact)
        for number in range(rounds):
            for stage in stages or STAGES:
                found = STAGES[stage](inputs)
                for name, value in found.items():
                    if (stage, name) in wanted:
                        taken[stage, name].append(value)
                shown = ", ".join(f"{name} {value:.4g}" for name, value in found.items())
                console.print(f"round {number + 1} of {rounds}: {stage}: {shown}", markup=False)
    rows = [
        {"stage": stage, "quantity": name, "predicted": wanted[stage, name], "measured": float(np.median(values))}
        for (stage, name), values in taken.items()
    ]
    console.print(table(rows))
    if output is not None:
        write_json(output, {"benchmark": "plan_check", "costs_measured": costs.measured.isoformat(), "rows": rows})


def scaled() -> PlanInputs:
    """A thousandth of the plan."""
    names = ("impressions_per_day", "users", "items", "peak_rps")
    return PLAN.model_copy(update={name: getattr(PLAN, name) / SCALE for name in names})


def predicted(costs: UnitCosts) -> dict[Quantity, float]:
    """What the plan says of a thousandth, and the unit costs of the sizes that are measured apart."""
    small = plan(scaled(), costs)
    needs = {name: stage.needs for name, stage in small.stages.items()}
    requests = scaled().impressions_per_day / PLAN.shown
    found = {
        ("encode", "cpu_s"): needs["encode"].cpu_s,
        ("encode", "bytes"): needs["encode"].disk,
        ("encode", "memory_bytes"): needs["encode"].memory,
        ("train", "cpu_s"): needs["train"].cpu_s,
        ("train", "memory_bytes"): needs["train"].memory,
        ("score", "cpu_s"): needs["score"].cpu_s,
        ("score", "bytes"): needs["score"].disk,
        ("score", "memory_bytes"): needs["score"].memory,
        ("join", "cpu_s"): needs["join"].cpu_s,
        ("join", "memory_bytes"): needs["join"].memory,
        ("log", "cpu_s"): needs["log"].cpu_s / requests,
        ("log", "bytes"): needs["log"].network / requests,
        ("serve", "cpu_s"): needs["serve"].cpu_s / requests,
        ("serve", "bytes"): needs["serve"].network / requests,
        ("serve", "memory_bytes"): costs.rank.memory_bytes,
        ("ids", "memory_bytes"): costs.ids.memory_bytes.at(IDS),
        ("ids", "bytes"): costs.ids.bytes.at(IDS),
    }
    rows, width = PULL
    pulls = {name: getattr(costs.tables, name).at(rows, width * 4) for name in type(costs.tables).model_fields}
    return found | {("parameter servers", name): value for name, value in pulls.items()}


def _train(inputs: Inputs) -> Found:
    found = in_process(inputs, "train", rows=ROWS, batch=int(PLAN.batch), steps=None)
    held_out = 1 - 0.1  # a tenth of the rows is validated on
    return {**found, "cpu_s": found["cpu_s"] / held_out}


def _serve(inputs: Inputs) -> Found:
    with service(inputs, int(PLAN.candidates)) as running:
        found = running.rank(inputs, int(PLAN.candidates), int(PLAN.shown), SECONDS, seed=1)
    return {**found, "bytes": found["request_bytes"] + found["answer_bytes"]}


STAGES: dict[str, Callable[[Inputs], Found]] = {
    "encode": lambda inputs: in_process(inputs, "encode", rows=ROWS),
    "train": _train,
    "score": lambda inputs: in_process(inputs, "score", rows=ROWS),
    "join": lambda inputs: in_process(inputs, "join", rows=ROWS),
    "log": lambda inputs: in_process(inputs, "log", returned=int(PLAN.shown), candidates=100, blocks=6),
    "serve": _serve,
    "parameter servers": lambda inputs: in_process(
        inputs, "tables", rows=500_000, batch=PULL[0], width=PULL[1], steps=100
    ),
    "ids": lambda inputs: in_process(inputs, "ids", count=IDS),
}
"""What each stage measures, by name."""


def table(rows: list[dict[str, object]]) -> Table:
    """Predicted beside measured."""
    shown = Table(
        "stage", "quantity", "predicted", "measured", "predicted / measured", "within 30 %", title="plan_check"
    )
    for row in rows:
        ratio = float(str(row["predicted"])) / float(str(row["measured"]))
        inside = 1 - WITHIN <= ratio <= 1 + WITHIN
        numbers = (f"{float(str(row[key])):.4g}" for key in ("predicted", "measured"))
        shown.add_row(str(row["stage"]), str(row["quantity"]), *numbers, f"{ratio:.2f}", "yes" if inside else "no")
    return shown


if __name__ == "__main__":
    typer.run(main)
