"""The service under fire: one command each, ``all`` for all of them.

A real server is started on a copy of the artifact, and asked by a client in this process, on loopback. Every command
prints what it measured and which bounds hold, and ends with 1 where one does not.
"""

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.under_fire.broken import broken
from benchmarks.under_fire.broken_version import broken_version
from benchmarks.under_fire.ends import kill, term
from benchmarks.under_fire.hostile import hostile
from benchmarks.under_fire.hung import hung
from benchmarks.under_fire.overload import overload
from benchmarks.under_fire.reloads import reloads
from benchmarks.under_fire.soak import soak
from benchmarks.under_fire.space import space
from benchmarks.under_fire.stale import stale
from benchmarks.under_fire.verdict import Verdict, show, write

app = typer.Typer(add_completion=False, help=__doc__, pretty_exceptions_enable=False)
ARTIFACT = Annotated[Path, typer.Argument(help="An artifact, or a folder of versions.")]
SECONDS = Annotated[float, typer.Option(min=2, help="How long.")]
CANDIDATES = Annotated[int, typer.Option(min=1, help="Candidates a request.")]
WORKERS = Annotated[int, typer.Option(min=1, help="Worker processes.")]
JSON = Annotated[Path | None, typer.Option("--json", help="Where to write the measurements.")]
COUNT = Annotated[int, typer.Option(min=1, help="Mutated bodies in each format.")]
SEED = Annotated[int, typer.Option(help="The same seed sends the same requests.")]
PROGRAM = Annotated[Path, typer.Option(help="The program of that name, in an environment of its own.")]
EXAMPLES = Annotated[int, typer.Option(min=1, help="Examples that schemathesis draws for an operation.")]
FUZZ = Path(".fuzz/bin/schemathesis")


def _conclude(verdicts: list[Verdict], file: Path | None) -> None:
    write(verdicts, file)
    if not all(verdict.holds for verdict in verdicts):
        raise typer.Exit(1)


def _run(makers: dict[str, Callable[[], Verdict]], file: Path | None) -> None:
    """One after another; what fails to run counts as a bound that does not hold."""
    verdicts = []
    for name, make in makers.items():
        try:
            verdicts.append(make())
        except Exception as error:
            verdicts.append(Verdict(name, {"error": f"{type(error).__name__}: {error}"}, {"it ran": False}))
        show(verdicts[-1])
        write(verdicts, file)
    _conclude(verdicts, file)


@app.command("overload")
def overload_command(
    artifact: ARTIFACT,
    seconds: SECONDS = 60,
    candidates: CANDIDATES = 500,
    workers: WORKERS = 1,
    in_flight: Annotated[int, typer.Option(min=1, help="Requests a worker holds.")] = 8,
    factor: Annotated[float, typer.Option(min=1, help="Offered load over capacity.")] = 4,
    json_file: JSON = None,
) -> None:
    """Offer several times what can be done: accepted ones stay fast, the rest is told at once."""
    _run({"overload": lambda: overload(artifact, seconds, candidates, workers, in_flight, factor)}, json_file)


@app.command("reload")
def reload_command(
    artifact: ARTIFACT,
    seconds: SECONDS = 60,
    candidates: CANDIDATES = 500,
    workers: WORKERS = 1,
    every: Annotated[float, typer.Option(min=0.1, help="Seconds between changes.")] = 2,
    json_file: JSON = None,
) -> None:
    """Change the version under load, and offer spoilt ones: none fails, none mixes versions, the spoilt are refused."""
    _run({"reload": lambda: reloads(artifact, seconds, candidates, workers, every)}, json_file)


@app.command("kill")
def kill_command(
    artifact: ARTIFACT, seconds: SECONDS = 60, candidates: CANDIDATES = 500, json_file: JSON = None
) -> None:
    """SIGKILL of one of two workers every five seconds: at most what it had in flight is lost."""
    _run({"kill": lambda: kill(artifact, seconds, candidates)}, json_file)


@app.command("term")
def term_command(
    artifact: ARTIFACT, seconds: SECONDS = 20, candidates: CANDIDATES = 500, json_file: JSON = None
) -> None:
    """SIGTERM under load, with one worker and with two: nothing is lost."""
    _run({"term": lambda: term(artifact, seconds, candidates)}, json_file)


@app.command("hung")
def hung_command(artifact: ARTIFACT, candidates: CANDIDATES = 500, json_file: JSON = None) -> None:
    """SIGSTOP and SIGKILL of workers at once, SIGTERM with a hung worker, SIGKILL of the supervisor."""
    _run({"hung": lambda: hung(artifact, candidates)}, json_file)


@app.command("stale")
def stale_command(artifact: ARTIFACT, candidates: CANDIDATES = 500, json_file: JSON = None) -> None:
    """Services killed again and again, and runtime files that are removed: nothing is left, the service goes on."""
    _run({"stale": lambda: stale(artifact, candidates)}, json_file)


@app.command("space")
def space_command(artifact: ARTIFACT, candidates: CANDIDATES = 500, json_file: JSON = None) -> None:
    """A runtime folder without room (needs root, to mount one): items are refused, nothing else is lost."""
    _run({"space": lambda: space(artifact, candidates)}, json_file)


@app.command("broken-version")
def broken_version_command(artifact: ARTIFACT, candidates: CANDIDATES = 500, json_file: JSON = None) -> None:
    """Start where the newest versions are broken, and follow a version file: the newest that passes is served."""
    _run({"broken-version": lambda: broken_version(artifact, candidates)}, json_file)


@app.command("soak")
def soak_command(
    artifact: ARTIFACT,
    seconds: SECONDS = 600,
    candidates: CANDIDATES = 500,
    workers: WORKERS = 1,
    json_file: JSON = None,
) -> None:
    """80 % of capacity for ten minutes: no error, and no growth of memory."""
    _run({"soak": lambda: soak(artifact, seconds, candidates, workers)}, json_file)


@app.command("fuzz")
def fuzz_command(
    artifact: ARTIFACT,
    count: COUNT = 2000,
    seed: SEED = 0,
    schemathesis: PROGRAM = FUZZ,
    examples: EXAMPLES = 100,
    json_file: JSON = None,
) -> None:
    """Mutated bodies in each format, and schemathesis over the OpenAPI document."""
    _run({"fuzz": lambda: broken(artifact, count, seed, schemathesis, examples)}, json_file)


@app.command("hostile")
def hostile_command(
    artifact: ARTIFACT,
    seconds: Annotated[float, typer.Option(min=1, help="How long each attack goes on.")] = 5,
    candidates: CANDIDATES = 500,
    json_file: JSON = None,
) -> None:
    """Attacks on heads, pipelines, connections, bodies and checks: small, alive and useful throughout."""
    _run({"hostile": lambda: hostile(artifact, seconds, candidates)}, json_file)


@app.command("all")
def all_commands(
    artifact: ARTIFACT,
    seconds: SECONDS = 60,
    soak_seconds: Annotated[float, typer.Option(min=2, help="How long the load of four fifths goes on.")] = 600,
    candidates: CANDIDATES = 500,
    count: COUNT = 2000,
    schemathesis: PROGRAM = FUZZ,
    examples: EXAMPLES = 100,
    json_file: JSON = None,
) -> None:
    """Everything, one after another, with one worker where a command leaves the choice."""
    _run(
        {
            "overload": lambda: overload(artifact, seconds, candidates, 1),
            "reload": lambda: reloads(artifact, seconds, candidates, 1),
            "kill": lambda: kill(artifact, seconds, candidates),
            "term": lambda: term(artifact, seconds / 2, candidates),
            "hung": lambda: hung(artifact, candidates),
            "stale": lambda: stale(artifact, candidates),
            "space": lambda: space(artifact, candidates),
            "broken-version": lambda: broken_version(artifact, candidates),
            "fuzz": lambda: broken(artifact, count, 0, schemathesis, examples),
            "hostile": lambda: hostile(artifact, 5, candidates),
            "soak": lambda: soak(artifact, soak_seconds, candidates, 1),
        },
        json_file,
    )


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as an exception, so that the server is ended too
    app()
