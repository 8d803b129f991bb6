"""Robustness tests of the service: one command each, and ``all`` for all of them.

Each starts a real server on a copy of the artifact, with a client in this process, over loopback. It prints
measurements and the requirements that hold, and exits with 1 if one does not.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.under_fire.broken import broken
from benchmarks.under_fire.broken_version import broken_version
from benchmarks.under_fire.ends import kill, term
from benchmarks.under_fire.exposures import exposures
from benchmarks.under_fire.hostile import hostile
from benchmarks.under_fire.hung import hung
from benchmarks.under_fire.overload import overload
from benchmarks.under_fire.reloads import reloads
from benchmarks.under_fire.scorers import kill_scorer
from benchmarks.under_fire.soak import soak
from benchmarks.under_fire.space import space
from benchmarks.under_fire.stale import stale
from benchmarks.under_fire.verdict import Verdict, show, write
from serving.settings import PREFIX

app = typer.Typer(add_completion=False, help=__doc__, no_args_is_help=True, pretty_exceptions_enable=False)
ARTIFACT = Annotated[Path, typer.Argument(help="An artifact, or a folder of versions.")]
SECONDS = Annotated[float, typer.Option(min=2, help="How long.")]
CANDIDATES = Annotated[int, typer.Option(min=1, help="Candidates a request.")]
WORKERS = Annotated[int, typer.Option(min=1, help="Worker processes.")]
JSON = Annotated[Path | None, typer.Option("--json", help="Where to write the measurements.")]
COUNT = Annotated[int, typer.Option(min=1, help="Number of mutated bodies per format.")]
SEED = Annotated[int, typer.Option(help="The same seed sends the same requests.")]
PROGRAM = Annotated[Path, typer.Option(help="The schemathesis program, installed in a separate environment.")]
EXAMPLES = Annotated[int, typer.Option(min=1, help="Examples that schemathesis draws per operation.")]
FUZZ = Path(".fuzz/bin/schemathesis")


@app.callback()
def settings(
    scorer: Annotated[bool, typer.Option("--scorer", help="Run the engines of all services in scorers.")] = False,
) -> None:
    """Set what all services have in common; they read it from the environment."""
    if scorer:
        os.environ[f"{PREFIX}SCORER"] = "on"


def _conclude(verdicts: list[Verdict], file: Path | None) -> None:
    write(verdicts, file)
    if not all(verdict.holds for verdict in verdicts):
        raise typer.Exit(1)


def _run(makers: dict[str, Callable[[], Verdict]], file: Path | None) -> None:
    """Run the tests in turn; one that fails to run counts as a failed requirement."""
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
    """Offer several times the capacity: accepted requests stay fast, the others are refused at once."""
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
    """Change versions under load and offer broken ones: no request fails or mixes versions; broken ones are refused."""
    _run({"reload": lambda: reloads(artifact, seconds, candidates, workers, every)}, json_file)


@app.command("kill")
def kill_command(
    artifact: ARTIFACT, seconds: SECONDS = 60, candidates: CANDIDATES = 500, json_file: JSON = None
) -> None:
    """SIGKILL of one of two workers every five seconds: only its requests in flight are lost."""
    _run({"kill": lambda: kill(artifact, seconds, candidates)}, json_file)


@app.command("kill-scorer")
def kill_scorer_command(
    artifact: ARTIFACT, seconds: SECONDS = 60, candidates: CANDIDATES = 500, json_file: JSON = None
) -> None:
    """SIGKILL of the scorer of two workers every ten seconds, and SIGSTOP at last: 503s until the next one is there."""
    _run({"kill-scorer": lambda: kill_scorer(artifact, seconds, candidates)}, json_file)


@app.command("term")
def term_command(
    artifact: ARTIFACT, seconds: SECONDS = 20, candidates: CANDIDATES = 500, json_file: JSON = None
) -> None:
    """SIGTERM under load, with one worker and with two: no request is lost."""
    _run({"term": lambda: term(artifact, seconds, candidates)}, json_file)


@app.command("hung")
def hung_command(artifact: ARTIFACT, candidates: CANDIDATES = 500, json_file: JSON = None) -> None:
    """SIGSTOP and SIGKILL of workers at once, SIGTERM with a hung worker, SIGKILL of the supervisor."""
    _run({"hung": lambda: hung(artifact, candidates)}, json_file)


@app.command("stale")
def stale_command(artifact: ARTIFACT, candidates: CANDIDATES = 500, json_file: JSON = None) -> None:
    """Kill services repeatedly and remove runtime files: no files are left over, and the service continues."""
    _run({"stale": lambda: stale(artifact, candidates)}, json_file)


@app.command("space")
def space_command(artifact: ARTIFACT, candidates: CANDIDATES = 500, json_file: JSON = None) -> None:
    """A full runtime folder (needs root, to mount one): items are refused, nothing else is lost."""
    _run({"space": lambda: space(artifact, candidates)}, json_file)


@app.command("exposures")
def exposures_command(
    artifact: ARTIFACT, seconds: SECONDS = 15, candidates: CANDIDATES = 500, json_file: JSON = None
) -> None:
    """The exposure log under overload, signals, a slow and a full disk (needs root): nothing is lost unnoticed."""
    _run({"exposures": lambda: exposures(artifact, seconds, candidates)}, json_file)


@app.command("broken-version")
def broken_version_command(artifact: ARTIFACT, candidates: CANDIDATES = 500, json_file: JSON = None) -> None:
    """Start with broken newest versions, and follow a version file: the newest version that passes is served."""
    _run({"broken-version": lambda: broken_version(artifact, candidates)}, json_file)


@app.command("soak")
def soak_command(
    artifact: ARTIFACT,
    seconds: SECONDS = 600,
    candidates: CANDIDATES = 500,
    workers: WORKERS = 1,
    json_file: JSON = None,
) -> None:
    """80 % of capacity for ten minutes: no errors, and no growth of memory."""
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
    """Mutated bodies in each format, and schemathesis on the OpenAPI document."""
    _run({"fuzz": lambda: broken(artifact, count, seed, schemathesis, examples)}, json_file)


@app.command("hostile")
def hostile_command(
    artifact: ARTIFACT,
    seconds: Annotated[float, typer.Option(min=1, help="Seconds of each attack.")] = 5,
    candidates: CANDIDATES = 500,
    json_file: JSON = None,
) -> None:
    """Attacks on heads, pipelines, connections, bodies and checks: memory stays small, good requests are answered."""
    _run({"hostile": lambda: hostile(artifact, seconds, candidates)}, json_file)


@app.command("all")
def all_commands(
    artifact: ARTIFACT,
    seconds: SECONDS = 60,
    soak_seconds: Annotated[float, typer.Option(min=2, help="Seconds of load at 80 % of capacity.")] = 600,
    candidates: CANDIDATES = 500,
    count: COUNT = 2000,
    schemathesis: PROGRAM = FUZZ,
    examples: EXAMPLES = 100,
    json_file: JSON = None,
) -> None:
    """Run all tests in turn, with one worker where a test allows a choice."""
    _run(
        {
            "overload": lambda: overload(artifact, seconds, candidates, 1),
            "reload": lambda: reloads(artifact, seconds, candidates, 1),
            "kill": lambda: kill(artifact, seconds, candidates),
            "kill-scorer": lambda: kill_scorer(artifact, seconds, candidates),
            "term": lambda: term(artifact, seconds / 2, candidates),
            "hung": lambda: hung(artifact, candidates),
            "stale": lambda: stale(artifact, candidates),
            "space": lambda: space(artifact, candidates),
            "exposures": lambda: exposures(artifact, seconds / 4, candidates),
            "broken-version": lambda: broken_version(artifact, candidates),
            "fuzz": lambda: broken(artifact, count, 0, schemathesis, examples),
            "hostile": lambda: hostile(artifact, 5, candidates),
            "soak": lambda: soak(artifact, soak_seconds, candidates, 1),
        },
        json_file,
    )


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as an exception, so that the server is stopped, too
    app()
