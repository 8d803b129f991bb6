"""Compares training speeds: every contestant runs in its own process, and segments of steps are timed in turn.

A contestant is a module that takes `--data FILE` and runs `training_speed_setup.serve`: it warms up, then trains one
segment for each line of input. Only one trains at a time, and a round takes seconds, so that a slow period of a shared
machine affects all of them: ratios within a round are more meaningful than speeds.
"""

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.report import write_json
from benchmarks.training_speed_setup import SETUP

ROOT = Path(__file__).resolve().parent.parent
PEERS = {
    "torch-rechub": "benchmarks.peers.training_speed_rechub",
    "deepctr": "benchmarks.peers.training_speed_deepctr",
}
OURS = "benchmarks.ours.training_speed"

Speeds = Mapping[str, list[float]]


class ContestantError(RuntimeError):
    """A contestant failed, was too slow or is unknown; the message ends with its output."""


@dataclass(frozen=True)
class Contestant:
    """A name and the command that runs it."""

    name: str
    command: tuple[str, ...]


class Side:
    """A contestant's running process, after its warm-up."""

    def __init__(self, contestant: Contestant, process: "subprocess.Popen[str]", errors: IO[str], limit_s: float):
        self.name = contestant.name
        self._process, self._errors, self._limit_s = process, errors, limit_s
        ready = self._next_line()
        self.rows, self.parameters = int(ready["rows"]), int(ready["parameters"])
        self.step_mib = 0.0

    def segment(self) -> float:
        """Samples per second of one segment. Raises ``ContestantError``."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # the process has ended; `_next_line` says why
            self._process.stdin.write("\n")
            self._process.stdin.flush()
        line = self._next_line()
        self.step_mib = max(self.step_mib, float(line["step_mib"]))
        return float(line["samples_per_s"])

    def _next_line(self) -> dict[str, Any]:
        """The next line of JSON; other output of a library is skipped."""
        assert self._process.stdout is not None
        watchdog = threading.Timer(self._limit_s, self._process.kill)
        watchdog.start()
        try:
            for line in self._process.stdout:
                if line.startswith("{"):
                    message: dict[str, Any] = json.loads(line)
                    return message
        finally:
            watchdog.cancel()
        status = self._process.wait()
        self._errors.seek(0)
        wrote = "\n".join(self._errors.read().splitlines()[-15:])
        raise ContestantError(f"{self.name} ended with status {status}, or took over {self._limit_s:.0f} s\n{wrote}")


@contextmanager
def started(contestant: Contestant, limit_s: float) -> Iterator[Side]:
    """Start a contestant and wait for its warm-up; it is stopped after the block. Raises ``ContestantError``."""
    threads = str(SETUP.threads)
    limits = {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors:
        try:
            process = subprocess.Popen(
                contestant.command,
                cwd=ROOT,
                env={**os.environ, **limits},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        except FileNotFoundError as missing:
            needed = contestant.command[0]
            raise ContestantError(f"{contestant.name} needs {needed}, which does not exist") from missing
        try:
            yield Side(contestant, process, errors, limit_s)
        finally:
            process.kill()
            process.wait()


def contestants(data: Path, weightings: Sequence[str], peers: Sequence[str], peers_python: Path) -> list[Contestant]:
    """Ours for each balancing method, then the peers. Raises ``ContestantError`` for an unknown peer."""
    unknown = [name for name in peers if name not in PEERS]
    if unknown:
        raise ContestantError(f"no peer {', '.join(unknown)}; there are {', '.join(PEERS)}")
    file = str(data.resolve())
    # Not resolved: a virtual environment's Python is a link that must be kept to find its packages.
    python = str(peers_python.absolute())
    ours = [
        Contestant(f"ranker {name}", (sys.executable, "-m", OURS, "--data", file, "--weighting", name))
        for name in weightings
    ]
    return ours + [Contestant(name, (python, "-m", PEERS[name], "--data", file)) for name in peers]


def in_turn(sides: Sequence[Side], rounds: int, console: Console) -> Speeds:
    """Samples per second by name, one per round; each round starts with another side, to vary the order."""
    speeds: dict[str, list[float]] = {side.name: [] for side in sides}
    for number in range(rounds):
        first = number % len(sides)
        for side in [*sides[first:], *sides[:first]]:
            speeds[side.name].append(side.segment())
        latest = ", ".join(f"{name} {each[-1]:,.0f}" for name, each in speeds.items())
        console.print(f"round {number + 1} of {rounds}, samples/s: {latest}", highlight=False)
    return speeds


def paired(speeds: Speeds, own: str, other: str) -> dict[str, float]:
    """Median, minimum and maximum of the ratio of two sides' speeds within a round."""
    ratios = [mine / theirs for mine, theirs in zip(speeds[own], speeds[other], strict=True)]
    return {"median": statistics.median(ratios), "least": min(ratios), "greatest": max(ratios)}


def summary(sides: Sequence[Side], speeds: Speeds, ours: Sequence[str]) -> list[dict[str, Any]]:
    """Median speed and size of each side, and the speed-up of each of ours over it."""
    medians = {name: statistics.median(each) for name, each in speeds.items()}
    return [
        {
            "side": side.name,
            "samples_per_s": medians[side.name],
            "epoch_s": side.rows / medians[side.name],
            "parameters": side.parameters,
            "ratios": {own: paired(speeds, own, side.name) for own in ours},
        }
        for side in sides
    ]


def table(rows: list[dict[str, Any]], ours: Sequence[str]) -> Table:
    """The summary as a table with a column of paired ratios for each of ours."""
    shown = Table(
        "", "samples/s", "s/epoch", "parameters", *(f"{own} / it" for own in ours), title="PLE training speed"
    )
    for row in rows:
        ratios = (row["ratios"][own] for own in ours)
        shown.add_row(
            row["side"],
            f"{row['samples_per_s']:,.0f}",
            f"{row['epoch_s']:.1f}",
            f"{row['parameters']:,}",
            *(f"{each['median']:.2f} ({each['least']:.2f} - {each['greatest']:.2f})" for each in ratios),
        )
    return shown


def main(
    data: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="KuaiRand-Pure's impression log, Parquet.")],
    json_path: Annotated[Path | None, typer.Option("--json", help="Where to write all measurements.")] = None,
    peers_python: Annotated[
        Path, typer.Option(help="Python interpreter with requirements-peers.txt installed.")
    ] = Path(".peers/bin/python"),
    rounds: Annotated[int, typer.Option(min=1, help="Segments of each contestant.")] = 12,
    weighting: Annotated[list[str] | None, typer.Option(help="Our balancing method; may be repeated. [static]")] = None,
    peer: Annotated[list[str] | None, typer.Option(help="Run only this peer; may be repeated. [all]")] = None,
    timeout_s: Annotated[float, typer.Option(min=1.0, help="Timeout of a start and of a segment, in seconds.")] = 300.0,
) -> None:
    """Measure all contestants in turn; print medians and paired ratios."""
    weightings = list(dict.fromkeys(weighting or ["static"]))
    ours = [f"ranker {name}" for name in weightings]
    console = Console()
    load = os.getloadavg()[0]
    console.print(f"load average {load:.1f}; other work on this machine makes the results less reliable")
    try:
        with ExitStack() as running:
            chosen = contestants(data, weightings, list(dict.fromkeys(peer or PEERS)), peers_python)
            sides = [running.enter_context(started(each, timeout_s)) for each in chosen]
            speeds = in_turn(sides, rounds, console)
    except ContestantError as error:
        raise SystemExit(f"error: {error}") from error
    rows = summary(sides, speeds, ours)
    console.print(table(rows, ours))
    if json_path is not None:
        content = {"load_average": load, "setup": asdict(SETUP), "summary": rows, "samples_per_s": speeds}
        write_json(json_path, {"benchmark": "training_speed", **content})


if __name__ == "__main__":
    typer.run(main)
