"""Training speed side by side: every contestant in a process of its own, in turn, several rounds.

A contestant is a module that takes `--data FILE` and prints, as one line of standard output, the JSON of
`training_speed_setup.measure`. Taking turns lets a slow minute of a shared machine fall on all of them, so the ratios
within a round say more than the speeds do.
"""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.report import write_json
from benchmarks.training_speed_setup import SETUP

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Contestant:
    """A name, the module to run, and whether it runs in the peers' environment."""

    name: str
    module: str
    is_peer: bool


# The first of those that run is what the others are compared with.
CONTESTANTS = (
    Contestant("ranker", "benchmarks.ours.training_speed", is_peer=False),
    Contestant("torch-rechub", "benchmarks.peers.training_speed_rechub", is_peer=True),
    Contestant("deepctr", "benchmarks.peers.training_speed_deepctr", is_peer=True),
)

Measurement = Mapping[str, object]
Rounds = Mapping[str, list[Measurement]]


class ContestantError(RuntimeError):
    """A contestant failed or printed no measurement; the message ends with what it wrote."""


def chosen(names: Sequence[str]) -> list[Contestant]:
    """The contestants of these names, all of them where there are none.

    Raises
    ------
    ValueError
        A name is not a contestant's.
    """
    known = [contestant.name for contestant in CONTESTANTS]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(f"no contestant {', '.join(unknown)}; there are {', '.join(known)}")
    return [contestant for contestant in CONTESTANTS if not names or contestant.name in names]


def run(contestant: Contestant, python: Path, data: Path, timeout_s: float) -> Measurement:
    """Run one contestant to its end and return what it measured.

    Raises
    ------
    ContestantError
        Its process failed, took longer than `timeout_s` seconds or printed no measurement.
    """
    threads = str(SETUP.threads)
    limits = {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
    try:
        ended = subprocess.run(
            [str(python), "-m", contestant.module, "--data", str(data.resolve())],
            cwd=ROOT,
            env={**os.environ, **limits},
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        raise ContestantError(f"{contestant.name} took longer than {timeout_s:.0f} s") from late
    except FileNotFoundError as missing:
        raise ContestantError(f"{contestant.name} needs {python}, which does not exist") from missing
    lines = [line for line in ended.stdout.splitlines() if line.startswith("{")]
    if ended.returncode != 0 or not lines:
        wrote = "\n".join((ended.stdout + ended.stderr).splitlines()[-15:])
        raise ContestantError(
            f"{contestant.name} ended with status {ended.returncode} and {len(lines)} measurements\n{wrote}"
        )
    measurement: dict[str, object] = json.loads(lines[-1])
    return measurement


def speeds(rounds: Rounds, name: str) -> list[float]:
    """Samples per second of a contestant, one per round."""
    return [float(str(each["samples_per_s"])) for each in rounds[name]]


def summary(rounds: Rounds) -> list[dict[str, object]]:
    """Per contestant the median over rounds, and median, least and greatest of its ratios to the first one."""
    reference = speeds(rounds, next(iter(rounds)))
    rows: list[dict[str, object]] = []
    for name, measurements in rounds.items():
        own = speeds(rounds, name)
        ratios = [mine / theirs for mine, theirs in zip(own, reference, strict=True)]
        rows.append(
            {
                "name": name,
                "samples_per_s": statistics.median(own),
                "epoch_s": statistics.median(float(str(each["epoch_s"])) for each in measurements),
                "parameters": measurements[0]["parameters"],
                "ratio": statistics.median(ratios),
                "least_ratio": min(ratios),
                "greatest_ratio": max(ratios),
            }
        )
    return rows


def show(rows: list[dict[str, object]]) -> Table:
    """The summary as a table."""
    against = f"against {rows[0]['name']}"
    table = Table("", "samples/s", "s/epoch", "parameters", against, "range", title="PLE training speed")
    for row in rows:
        table.add_row(
            str(row["name"]),
            f"{row['samples_per_s']:,.0f}",
            f"{row['epoch_s']:.1f}",
            f"{row['parameters']:,}",
            f"{row['ratio']:.2f}x",
            f"{row['least_ratio']:.2f} - {row['greatest_ratio']:.2f}",
        )
    return table


def in_turn(
    contestants: list[Contestant],
    pythons: Mapping[bool, Path],
    data: Path,
    rounds: int,
    timeout_s: float,
    console: Console,
) -> Rounds:
    """Run all contestants `rounds` times, one process at a time; `pythons` are by `Contestant.is_peer`."""
    measured: dict[str, list[Measurement]] = {contestant.name: [] for contestant in contestants}
    for number in range(rounds):
        # Each round begins with another contestant, so that none always follows the same one.
        first = number % len(contestants)
        for contestant in contestants[first:] + contestants[:first]:
            measurement = run(contestant, pythons[contestant.is_peer], data, timeout_s)
            measured[contestant.name].append(measurement)
            console.print(f"round {number + 1} of {rounds}: {contestant.name} {measurement['samples_per_s']} samples/s")
    return measured


def main(
    data: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="KuaiRand-Pure's impression log, Parquet.")],
    json_path: Annotated[Path, typer.Option("--json", help="Where to write all measurements.")],
    peers_python: Annotated[Path, typer.Option(help="The Python that has requirements-peers.txt installed.")] = Path(
        ".peers/bin/python"
    ),
    rounds: Annotated[int, typer.Option(min=1, help="How often each contestant runs.")] = 3,
    only: Annotated[list[str] | None, typer.Option(help="Run this contestant only; may be repeated.")] = None,
    timeout_s: Annotated[float, typer.Option(min=1.0, help="Longest one run may take, seconds.")] = 600.0,
) -> None:
    """Measure every contestant in turn and print medians and paired ratios."""
    # Not resolved: a virtual environment's Python is a link that loses its packages when followed.
    pythons = {True: peers_python.absolute(), False: Path(sys.executable)}
    console = Console()
    try:
        measured = in_turn(chosen(only or []), pythons, data, rounds, timeout_s, console)
    except (ContestantError, ValueError) as error:
        console.print(str(error), style="red", markup=False)
        raise typer.Exit(1) from error
    rows = summary(measured)
    console.print(show(rows))
    write_json(
        json_path,
        {"benchmark": "training_speed", "setup": asdict(SETUP), "summary": rows, "rounds": measured},
    )


if __name__ == "__main__":
    typer.run(main)
