"""Compares our service with others over HTTP on loopback: requests per second, p50, p99, and the bare engine.

All serve the same model and request, and must give the same ranking. A load generator in a separate process loads them
in turn, a second or two each, so that all see the same state of the machine. The cascade ranks in two stages; NDCG@10
against our full ranking is measured on further requests in the same run. Idle services are suspended (SIGSTOP), so that
polling ones take no time from others. Compare ratios, each of which is within one round.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import httpx
import numpy as np
import orjson
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.ranking_agreement import ndcg_at_10
from benchmarks.report import versions, write_json
from benchmarks.serving_setup import SIZES, artifact_of, by_id, cascade_of, plain_saved_model, request_of, write_items
from ranker.artifact import Artifact

OURS, BARE, FLOOR = "ours", "bare engine", "sgemm floor"
BY_ID = f"{OURS}, items by id"
CASCADE = f"{OURS}, cascade"
ROUNDED = f"{OURS}, precision "
"""Prefix of our service in another precision."""
NO_PEER = "none"
COMPARED = 20
"""Requests on which rankings of the cascade and of other precisions are compared with the full ones."""
PEERS = ("fastapi + saved_model", "fastapi + onnx, unsplit", "litserve", "bentoml", "ray serve")
LAYOUTS = {1: (1, 2), 4: (2, 1), 16: (2, 1)}
"""Processes, and engine threads of each, by concurrency; the same for all contestants."""


@dataclass
class Contestant:
    """A running service with its measurements."""

    name: str
    port: int
    process: subprocess.Popen[bytes]
    pausable: bool = True
    rounds: list[dict[str, float]] = field(default_factory=list)

    def pause(self) -> None:
        """Suspend its processes; the parent first, so that it does not notice that its children stop."""
        self._signal(signal.SIGSTOP, [self.process.pid, *descendants(self.process.pid)])

    def resume(self) -> None:
        """Resume its processes; the parent last."""
        self._signal(signal.SIGCONT, [*descendants(self.process.pid), self.process.pid])

    def _signal(self, number: int, pids: list[int]) -> None:
        for pid in pids if self.pausable else []:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
            time.sleep(0.02)


def main(
    folder: Annotated[Path, typer.Option(help="Folder of the artifacts; missing ones are created.")] = Path(
        "runs/serving_peers"
    ),
    size: Annotated[list[str] | None, typer.Option(help="large, small; all by default.")] = None,
    engine: Annotated[list[str] | None, typer.Option(help="Further engines to run our service with.")] = None,
    precision: Annotated[list[str] | None, typer.Option(help="Precisions to run our service with, or auto.")] = None,
    peer: Annotated[
        list[str] | None, typer.Option(help="Some of the peers, or none; all but ray serve by default.")
    ] = None,
    candidates: int = 500,
    cascade: Annotated[bool, typer.Option(help="Distil a student, and rank in two stages, too.")] = True,
    at_once: Annotated[list[int] | None, typer.Option(help="1, 4, 16; by default 1 and 16.")] = None,
    rounds: int = 3,
    seconds: Annotated[float, typer.Option(help="Of each turn.")] = 1.5,
    peers_python: Path = Path(".peers/bin/python"),
    json_file: Annotated[Path | None, typer.Option("--json", help="Where to write all measurements.")] = None,
) -> None:
    """Measure every size at every concurrency, and print our speed-ups."""
    if unknown := set(at_once or ()) - set(LAYOUTS):
        raise typer.BadParameter(f"--at-once must be one of {sorted(LAYOUTS)}, got {sorted(unknown)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # ends the services, too
    console, results = Console(log_path=False), []
    for name in size or SIZES:
        artifact = artifact_of(name, folder)
        plain = plain_saved_model(artifact, folder / name / "plain")
        student = cascade_of(artifact, folder / f"{name}_cascade") if cascade else None
        if student is not None and (doubt := student.student_doubt()) is not None:
            console.log(f"{name}: no cascade: {doubt}")
            student = None
        for concurrency in at_once or (1, 16):
            with ExitStack() as stack:
                request = request_of(candidates)
                write_items(request, items := folder / "items.parquet")
                commands = commands_of(
                    artifact, plain, student, items, concurrency, peers_python, engine, peer, precision
                )
                found = measured(stack, artifact, commands, concurrency, request, rounds, seconds, console)
            found = {"size": name, "concurrency": concurrency, "candidates": candidates, **found}
            show(found, console)
            results.append(found)
    if json_file is not None:
        packages = versions("onnxruntime", "openvino", "tensorflow", "numpy", "uvicorn", "fastapi")
        write_json(json_file, {"benchmark": "serving_peers", "versions": packages, "results": results})


def commands_of(
    artifact: Artifact,
    plain: Path,
    student: Artifact | None,
    items: Path,
    concurrency: int,
    python: Path,
    engines: list[str] | None,
    peers: list[str] | None,
    precisions: list[str] | None = None,
) -> dict[str, list[str]]:
    """The command of each contestant, with the placeholder ``{port}``."""
    workers, threads = (str(n) for n in LAYOUTS[concurrency])
    module = [str(python), "-m"]
    common = [str(artifact.folder), "--port", "{port}", "--workers", workers, "--threads", threads]
    fastapi = [*module, "benchmarks.peers.serving_fastapi", *common]
    service = "benchmarks.peers.serving_bentoml:Rank"
    known = {
        PEERS[0]: [*fastapi, "--model", "saved_model", "--plain-model", str(plain)],
        PEERS[1]: [*fastapi, "--model", "onnx"],
        PEERS[2]: [*module, "benchmarks.peers.serving_litserve", *common],
        PEERS[3]: [*module, "bentoml", "serve", service, "--port", "{port}", "--host", "127.0.0.1", "-q"],
        PEERS[4]: [*module, "benchmarks.peers.serving_ray", *common],
    }
    ours = [sys.executable, "-c", "from serving.cli import app; app()", *common]
    ours += ["--concurrency", "2" if concurrency == 1 else "1", "--max-in-flight", "64"]
    sides = {OURS: ours, BY_ID: [*ours, "--items", str(items)]}
    if student is not None:
        sides[CASCADE] = [*ours[:3], str(student.folder), *ours[4:]]
    sides |= {f"{OURS}, {name}": [*ours, "--engine", name] for name in engines or []}
    sides |= {f"{ROUNDED}{name}": [*ours, "--precision", name] for name in precisions or []}
    return {**sides, **{name: known[name] for name in peers or PEERS[:4] if name != NO_PEER}}


def measured(
    stack: ExitStack,
    artifact: Artifact,
    commands: Mapping[str, list[str]],
    concurrency: int,
    request: Mapping[str, Any],
    rounds: int,
    seconds: float,
    console: Console,
) -> dict[str, Any]:
    """Start all services, check that they give the same ranking, and load them in turn."""
    folder = Path(stack.enter_context(TemporaryDirectory()))
    bodies = {name: orjson.dumps(by_id(dict(request)) if name == BY_ID else request) for name in commands}
    messages = {name: message(folder / str(number), body) for number, (name, body) in enumerate(bodies.items())}
    candidates = len(request["candidates"]["item_0"])
    workers, threads = LAYOUTS[concurrency]
    contestants = []
    for name, command in commands.items():
        console.log(f"starting {name}")
        contestants.append(stack.enter_context(running(name, command, artifact, workers, threads)))
        contestants[-1].pause()
    expected = None
    for contestant in contestants:
        console.log(f"checking {contestant.name}")
        contestant.resume()
        answer = answered(contestant, bodies[contestant.name])
        if not is_approximate(contestant.name):
            expected = checked(contestant, answer, expected)
        contestant.pause()
    agreement = compared(contestants, candidates)
    load = stack.enter_context(asked([sys.executable, "-m", "benchmarks.serving_load"]))
    bare_command = [sys.executable, "-m", "benchmarks.serving_bare", str(artifact.folder), "--engine", "auto"]
    options = ["--candidates", str(candidates), "--threads", str(threads)]
    bare = stack.enter_context(asked([*bare_command, *options]))
    operations = int(bare.stdout.readline())
    below: dict[str, list[float]] = {BARE: [], FLOOR: []}
    for number in range(-1, rounds):  # the first round is for warm-up
        console.log(f"{concurrency} at once, round {number + 1} of {rounds}")
        turn = contestants[number % len(contestants) :] + contestants[: number % len(contestants)]
        for contestant in turn:
            contestant.resume()
            task = {"port": contestant.port, "concurrency": concurrency, "file": str(messages[contestant.name])}
            answer = ask(load, {**task, "seconds": seconds if number >= 0 else 0.5})
            contestant.pause()
            if answer["failures"]:
                raise SystemExit(f"error: {contestant.name}: {answer['failures']} requests failed")
            if number >= 0:
                times = np.array(answer["milliseconds"])
                p50, p99 = np.quantile(times, [0.5, 0.99])
                rate = len(times) / answer["seconds"]
                contestant.rounds.append({"requests_per_s": rate, "p50_ms": float(p50), "p99_ms": float(p99)})
        for name, side in ((BARE, "auto"), (FLOOR, "floor")):
            times = ask(bare, {"side": side, "calls": 60})
            if number >= 0:
                below[name].append(float(np.median(times)))
    return {
        "workers": workers,
        "threads": threads,
        "operations": operations,
        "sides": {contestant.name: contestant.rounds for contestant in contestants},
        "below": below,
        "ndcg@10": agreement,
    }


def message(file: Path, body: bytes) -> Path:
    """Write the complete HTTP request to a file."""
    head = (
        f"POST /rank HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    )
    file.write_bytes(head.encode() + b"\r\n" + body)
    return file


def show(found: Mapping[str, Any], console: Console) -> None:
    """Print medians over rounds, and the median, minimum and maximum of the rounds' ratios."""
    sides, below = found["sides"], found["below"]
    title = f"{found['size']}, {found['candidates']} candidates, {found['concurrency']} at once"
    layout = f"{found['workers']} process(es) of {found['threads']} thread(s), {found['operations'] / 1e9:.2f} GFLOP"
    table = Table("", "requests/s", "p50 ms", "p99 ms", "ours is as fast", "NDCG@10", title=f"{title}\n{layout}")
    ours = np.array([r["requests_per_s"] for r in sides[OURS]])
    for name, rounds in sides.items():
        rates = np.array([r["requests_per_s"] for r in rounds])
        cells = [f"{np.median([r[key] for r in rounds]):.2f}" for key in ("p50_ms", "p99_ms")]
        agreement = found["ndcg@10"].get(name)
        close = "" if agreement is None else f"{np.mean(agreement):.5f}, lowest {np.min(agreement):.5f}"
        table.add_row(name, f"{np.median(rates):.1f}", *cells, _spread(ours / rates), close)
    for name, times in below.items():
        table.add_row(name, "", f"{np.median(times):.2f}", "", "", "")
    console.print(table)
    p50 = np.array([r["p50_ms"] for r in sides[OURS]])
    if found["concurrency"] == 1:
        console.print(f"p50 over the bare engine's: {_spread(p50 / np.array(below[BARE]))}")
        console.print(f"share of p50 outside of the engine: {np.median(1 - np.array(below[BARE]) / p50):.0%}")
    console.print(f"sgemm floor over the bare engine: {_spread(np.array(below[FLOOR]) / np.array(below[BARE]))}")


def compared(contestants: list[Contestant], candidates: int) -> dict[str, list[float]]:
    """NDCG@10 of the rankings of the cascade and of other precisions against ours in full, by request."""
    sides = {each.name: each for each in contestants if each.name == OURS or is_approximate(each.name)}
    requests = [request_of(candidates, seed=100 + number) for number in range(COMPARED)]
    answers = {}
    for name, contestant in sides.items():
        contestant.resume()
        answers[name] = [answered(contestant, orjson.dumps(request)) for request in requests]
        contestant.pause()
    exact = answers.pop(OURS)
    return {
        name: [ndcg_at_10(request, *pair) for request, *pair in zip(requests, exact, others, strict=True)]
        for name, others in answers.items()
    }


def is_approximate(name: str) -> bool:
    """Whether a side's scores may differ from ours in full; its rankings are compared instead."""
    return name == CASCADE or name.startswith(ROUNDED)


def answered(contestant: Contestant, body: bytes) -> Any:
    """Wait for an answer, and return it."""
    for _ in range(60):  # some services open their port before they can answer
        with contextlib.suppress(httpx.TransportError):
            answer = httpx.post(f"http://127.0.0.1:{contestant.port}/rank", content=body, headers=JSON, timeout=60)
            if answer.status_code == 200:
                break
        time.sleep(1)
    answer.raise_for_status()
    return answer.json()


def checked(contestant: Contestant, got: Any, expected: Any) -> Any:
    """Return the fused scores of an answer; raise if they differ from those of the first service."""
    fused = np.array([row["fused"] for row in got] if isinstance(got, list) else got["fused"])
    if expected is not None and not np.allclose(fused, expected["fused"], rtol=0, atol=1e-4):
        worst = np.abs(fused - expected["fused"]).max()
        raise SystemExit(f"error: {contestant.name} ranks by different scores: {worst:.1e}")
    return got if expected is None else expected


JSON = {"Content-Type": "application/json"}


@contextmanager
def running(name: str, command: list[str], artifact: Artifact, workers: int, threads: int) -> Iterator[Contestant]:
    """Start a service and wait until it answers; stop it and its child processes after the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {"SERVING_ARTIFACT": artifact.folder, "SERVING_WORKERS": workers, "SERVING_THREADS": threads}
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path[1:]) if name.startswith(OURS) else os.getcwd()}
    environment.update({key: str(value) for key, value in settings.items()}, BENTOML_DO_NOT_TRACK="True")
    arguments = [part.format(port=port) if part == "{port}" else part for part in command]
    with open(os.devnull, "wb") as nowhere:
        process = subprocess.Popen(arguments, env=environment, stdout=nowhere, stderr=nowhere, start_new_session=True)
        contestant = Contestant(name, port, process, pausable=name != PEERS[4])
        try:
            for _ in range(600):
                if process.poll() is not None:
                    raise SystemExit(f"error: {name} ended at once: {' '.join(arguments)}")
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.2)
            time.sleep(1)
            yield contestant
        finally:
            everyone = [process.pid, *descendants(process.pid)]
            contestant.resume()
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=20)
            for pid in everyone:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            process.wait()


@contextmanager
def asked(command: list[str]) -> Iterator[Any]:
    """Start a helper process that answers each line of input with a line."""
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    try:
        yield process
    finally:
        process.stdin.close()
        process.wait(timeout=30)


def ask(process: Any, task: Mapping[str, Any]) -> Any:
    """Send one task to a helper and return its result."""
    process.stdin.write(orjson.dumps(task) + b"\n")
    process.stdin.flush()
    return orjson.loads(process.stdout.readline())


def descendants(pid: int) -> list[int]:
    """Process ids of all descendants. Linux only."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            found += [int(child), *descendants(int(child))]
    return found


def _spread(ratios: Any) -> str:
    return f"{np.median(ratios):.2f} ({ratios.min():.2f} to {ratios.max():.2f})"


if __name__ == "__main__":
    typer.run(main)
