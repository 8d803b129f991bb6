"""Start-up, private memory and latency of a service whose model has millions of ids.

The artifact has the network of ``serving_setup`` and tables of random rows for millions of items and users, written by
the export itself; nothing is trained. It is served once with its tables beside the graph, once with the tables in the
graph, and the small artifact of ``serving_setup`` is served for comparison. Ready is the time from the command to the
moment when every worker serves; the processor time of all processes until then tells more on a busy machine. Private
memory is what a worker does not share with other processes; pages of a mapped file that only one worker has read yet
count as private although they are the system's cache, so they are given apart.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import httpx
import numpy as np
import orjson
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.serving_peers import descendants
from benchmarks.serving_setup import VALUES, artifact_of, drawn
from ranker.artifact import Artifact

if TYPE_CHECKING:
    from training.export.tables import Placement

KEY = "a key for the benchmark only"


def main(
    folder: Annotated[Path, typer.Option(help="Folder of the artifacts; missing ones are created.")] = Path(
        "runs/tables"
    ),
    size: Annotated[str, typer.Option(help="Network of the model: small or large.")] = "small",
    items: int = 5_000_000,
    users: int = 2_000_000,
    text: Annotated[bool, typer.Option(help="Ids are text instead of integers.")] = False,
    workers: Annotated[list[int] | None, typer.Option(help="By default 1 and 4.")] = None,
    requests: Annotated[int, typer.Option(help="Requests per service and round.")] = 100,
    rounds: int = 6,
    inside: Annotated[bool, typer.Option(help="Also serve the artifact with its tables in the graph.")] = True,
) -> None:
    """Make the artifacts, serve each with each number of workers, and print tables."""
    console, small = Console(), artifact_of(size, folder)
    name = f"{size}-{items}-{users}{'-text' if text else ''}"
    sides = {"small": small.folder, "beside": grown(small, folder / f"{name}-auto", items, users, text, "auto")}
    if inside:
        sides["inside"] = grown(small, folder / f"{name}-inside", items, users, text, "inside")
    table = Table(
        "artifact", "workers", "ready s", "cpu s", "private MiB a worker", "mapped MiB read", title=f"{name}, started"
    )
    for count in workers or [1, 4]:
        for side, artifact in sides.items():
            with served(artifact, count) as service:
                found = service.memory()
            worst = max(found, key=lambda memory: memory.private)
            times = f"{service.ready:.1f}", f"{service.cpu:.1f}"
            table.add_row(side, str(count), *times, f"{worst.private:.0f}", f"{worst.mapped:.0f}")
    console.print(table)
    table = Table("artifact", "p50 ms", "private MiB", "after a reload", "at most during it", title=f"{name}, 1 worker")
    with contextlib.ExitStack() as stack:
        services = {side: stack.enter_context(served(path, 1)) for side, path in sides.items()}
        counts = {side: (items, users) if side != "small" else None for side in sides}
        taken = latencies({s: (v, counts[s]) for s, v in services.items()}, text, requests, rounds)
        for side, service in services.items():
            before = service.memory()[0].private
            after, most = (0.0, 0.0) if side == "small" else reloaded(service, sides[side])
            numbers = [np.median(taken[side]), before, after, most]
            table.add_row(side, *(f"{number:.2f}" if i == 0 else f"{number:.0f}" for i, number in enumerate(numbers)))
    console.print(table)


def grown(small: Artifact, root: Path, items: int, users: int, text: bool, placement: "Placement") -> Path:
    """Export the model of ``small`` with more ids under ``root``, twice; return version 1. Made once."""
    from ranker.encoding.vocabulary import RESERVED, Vocabulary
    from ranker.log_files.log_reader import Chunk
    from training.config.experiment import Experiment
    from training.export.export import export
    from training.export.tables import TableOptions
    from training.trainer.build_model import build_model

    if (root / "2" / "manifest.json").is_file():
        return root / "1"
    shutil.rmtree(root, ignore_errors=True)
    encodings: dict[str, Any] = dict(small.encoder.encodings)
    for feature, count in {"item_0": items, "user_0": users}.items():
        values: Any = [f"{feature} {i}" for i in range(count)] if text else np.arange(count)
        rows = np.arange(count + RESERVED, dtype=np.int32)
        vocabulary = Vocabulary("string" if text else "integer", values)
        encodings[feature] = replace(encodings[feature], coder=vocabulary, table=rows)
    encoder = replace(small.encoder, encodings=encodings)
    experiment = Experiment.model_validate(small.manifest.experiment)
    columns = {**drawn(60), **(asked(60, items, users, text) if text else {})}
    tables = TableOptions(placement)
    scores = np.random.default_rng(0).random((100, len(small.manifest.tasks))).astype(np.float32)
    model = build_model(experiment, encoder.layout)
    examples = Chunk("drawn", 0, 0, 60, columns)
    export(root, experiment, encoder, model, small.fusions, {}, examples, scores, tables=tables)
    shutil.copytree(root / "1", root / "2")
    manifest = orjson.loads((root / "2" / "manifest.json").read_bytes())
    (root / "2" / "manifest.json").write_bytes(orjson.dumps({**manifest, "version": 2}))
    return root / "1"


def asked(rows: int, items: int, users: int, text: bool, seed: int = 1) -> dict[str, Any]:
    """Random ids of ``rows`` items and users."""
    random = np.random.default_rng(seed)
    ids = {"item_0": random.integers(0, items, rows), "user_0": random.integers(0, users, rows)}
    return {name: [f"{name} {i}" for i in v] if text else v.tolist() for name, v in ids.items()}


def bodies(counts: tuple[int, int] | None, text: bool, candidates: int = 500, number: int = 50) -> list[bytes]:
    """Requests with random ids of all those in the vocabulary."""
    items, users = counts or (VALUES["item"][0], VALUES["user"][0])
    made = []
    for seed in range(number):
        columns = {**drawn(candidates, seed), **asked(candidates, items, users, text and counts is not None, seed)}
        plain = {key: v if isinstance(v, list) else v.tolist() for key, v in columns.items()}
        context = {key: values[0] for key, values in plain.items() if key.startswith("user")}
        rest = {key: values for key, values in plain.items() if key.startswith("item")}
        made.append(orjson.dumps({"context": context, "candidates": rest, "top_k": 20}))
    return made


@dataclass(frozen=True)
class Memory:
    """MiB of a process that no other has: anonymous and changed pages, and clean pages of mapped files."""

    private: float
    mapped: float


@dataclass
class Service:
    """A running service."""

    process: "subprocess.Popen[bytes]"
    url: str
    ready: float = 0.0
    cpu: float = 0.0
    """Seconds of processor time of all its processes until then."""

    def workers(self) -> list[int]:
        """Process ids of the workers."""
        status = httpx.get(f"{self.url}/admin/status", headers={"Authorization": f"Bearer {KEY}"}, timeout=30).json()
        return [int(pid) for pid in status["workers"]]

    def memory(self) -> list[Memory]:
        """Private memory of each worker."""
        return [_memory(pid) for pid in self.workers()]

    def ask(self, client: httpx.Client, body: bytes) -> float:
        """Milliseconds of one request."""
        begun = time.perf_counter()
        client.post(f"{self.url}/rank", content=body, headers={"Content-Type": "application/json"}).raise_for_status()
        return (time.perf_counter() - begun) * 1e3


def _memory(pid: int) -> Memory:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    sizes = {line.split(":")[0]: int(line.split()[1]) / 1024 for line in lines}
    return Memory(sizes["Private_Dirty"], sizes["Private_Clean"])


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def served(artifact: Path, workers: int) -> Iterator[Service]:
    """Serve the folder of versions that an artifact lies in, from version 1, until the block ends."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    version = artifact.parent / ".version"
    version.write_text(artifact.name)
    command = [sys.executable, "-c", "from serving.cli import app; app()", str(artifact.parent)]
    options = {"port": port, "workers": workers, "version-file": version, "watch": 1, "drain": 0}
    arguments = [f"--{name}={value}" for name, value in options.items()]
    environment = {**os.environ, "RANKER_SERVE_ADMIN_KEYS": KEY}
    begun = time.monotonic()
    with subprocess.Popen([*command, *arguments], env=environment, stdout=subprocess.DEVNULL) as process:
        service = Service(process, f"http://127.0.0.1:{port}")
        try:
            while True:
                with contextlib.suppress(httpx.HTTPError):
                    if len(service.workers()) == workers:
                        break
                if process.poll() is not None:
                    raise SystemExit(f"error: {artifact}: the service ended at once")
                time.sleep(0.05)
            service.ready = time.monotonic() - begun
            service.cpu = sum(map(_cpu, [process.pid, *descendants(process.pid)]))
            yield service
        finally:
            everyone = descendants(process.pid)
            process.terminate()
            process.wait(timeout=60)
            for pid in everyone:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, 9)


def latencies(
    services: dict[str, tuple[Service, tuple[int, int] | None]], text: bool, requests: int, rounds: int
) -> dict[str, list[float]]:
    """Milliseconds of each service's requests; the services take turns."""
    sent = {side: bodies(counts, text) for side, (_, counts) in services.items()}
    taken: dict[str, list[float]] = {side: [] for side in services}
    with httpx.Client(timeout=60) as client:
        for number in range(rounds + 1):
            for side, (service, _) in services.items():
                times = [service.ask(client, sent[side][i % len(sent[side])]) for i in range(requests)]
                taken[side] += times if number else []  # the first round warms up
    return taken


def reloaded(service: Service, artifact: Path) -> tuple[float, float]:
    """Private MiB of the worker after it has loaded version 2, and the most while it does."""
    (artifact.parent / ".version").write_text("2")
    most = 0.0
    until = time.monotonic() + 120
    while time.monotonic() < until:
        most = max(most, service.memory()[0].private)
        if httpx.get(f"{service.url}/health/ready", timeout=60).json()["model_version"] == 2:
            time.sleep(1)
            return service.memory()[0].private, most
        time.sleep(0.02)
    raise SystemExit(f"error: {artifact}: version 2 was not loaded")


if __name__ == "__main__":
    typer.run(main)
