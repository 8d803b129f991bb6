"""The cost of the exposure log, in two ways.

- **Processor time**: distinct requests are ranked and logged in this process, and the clock of the process stops around
  all work of the log: taking, converting and writing, finishing the files. It is compared with that of a whole request.
  Medians over blocks of requests; they hardly depend on what else the machine does.
- **Throughput** (with ``--seconds``): services with and without a log run at once, and load goes to one after the
  other, round by round. Medians of the paired ratios; on a machine that others use, this needs many rounds.
"""

import asyncio
import contextlib
import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import orjson
import pyarrow.parquet as pq
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.serving_setup import artifact_of, request_of
from benchmarks.under_fire.client import Client
from ranker.artifact import Artifact
from ranker.engines import EngineOptions, OnnxRuntime
from ranker.exposures import exposure_files
from serving.exposures.log import ExposureLog
from serving.protocol.formats import JSON, READERS
from serving.ranking import ranker as request_ranker
from serving.ranking.ranker import Ranker
from serving.ranking.request_trace import RequestTrace
from serving.ranking.route import Route
from serving.settings import Settings
from tests.serving.server_process import free_port, ready, server_process

FEATURES = ("ids", "all")
BLOCK = 64
"""Requests of a block, which are written at once: those of a second of a busy worker."""
FILE = 8
"""Blocks of a file."""


def main(
    folder: Annotated[Path, typer.Option(help="Where the benchmarks' models are, or will be.")] = Path("runs/models"),
    size: Annotated[str, typer.Option(help="large or small.")] = "large",
    candidates: Annotated[int, typer.Option(min=1, help="Candidates a request.")] = 500,
    places: Annotated[int, typer.Option(min=1, help="top_k of one kind of request; the other returns all.")] = 20,
    rounds: Annotated[int, typer.Option(min=1, help="Blocks, and rounds of load.")] = 8,
    seconds: Annotated[float, typer.Option(min=0, help="Seconds of load on each service in a round; 0 for none.")] = 0,
    clients: Annotated[int, typer.Option(min=1, help="Number of clients.")] = 4,
    json_file: Annotated[Path | None, typer.Option("--json", help="Where to write the measurements.")] = None,
) -> None:
    """Measure and print."""
    artifact = artifact_of(size, folder)
    kinds: dict[str, dict[str, int]] = {f"top {places}": {"top_k": places}, "all": {}}
    title = f"{size}, {candidates} candidates, {rounds} rounds"
    with tempfile.TemporaryDirectory(prefix="exposures-") as logs:
        cost = [
            {"returned": kind, "features": features, **_cost(artifact, Path(logs), features, candidates, more, rounds)}
            for kind, more in kinds.items()
            for features in FEATURES
        ]
        _print(f"processor time: {title} of {BLOCK}", cost)
        load = _load(artifact, Path(logs), candidates, kinds, rounds, seconds, clients) if seconds else []
    if load:
        _print(f"throughput: {title} of {seconds:g} s, {clients} clients", load)
    if json_file is not None:
        json_file.write_text(json.dumps({"processor": cost, "throughput": load}, indent=2))


def _cost(
    artifact: Artifact, logs: Path, features: str, candidates: int, more: dict[str, int], rounds: int
) -> dict[str, Any]:
    """Microseconds of processor time a request, of the log's parts and of a request without it; bytes a row."""
    engine = OnnxRuntime(artifact.model_path, EngineOptions("cpu", 1))
    ranker = Ranker(artifact, engine, max_candidates=candidates)
    directory = logs / "in process"
    shutil.rmtree(directory, ignore_errors=True)
    log = ExposureLog.of(Settings(artifact=artifact.folder, exposures=str(directory), exposures_features=features))
    assert log is not None
    found: list[tuple[float, ...]] = []
    block(ranker, _bodies(candidates, more, rounds), log, rounds)  # to warm up
    for number in range(rounds):
        found.append(block(ranker, _bodies(candidates, more, number), log, number))
        if number % FILE == FILE - 1 or number == rounds - 1:
            blocks = number % FILE + 1
            begun = time.process_time()
            log.writer.sink.close()
            finished = (time.process_time() - begun) / blocks / BLOCK
            found[-blocks:] = [(*parts, finished) for parts in found[-blocks:]]
    request, taken, written, finish = (np.median(found, axis=0) * 1e6).round().astype(int).tolist()
    rows, size = _stored(directory)
    return {
        "request, us": request,
        "taken": taken,
        "written": written,
        "finished": finish,
        "share": f"{(taken + written + finish) / request:.2%}",
        "bytes a row": round(size / rows, 1),
    }


def _bodies(candidates: int, more: dict[str, int], number: int) -> list[bytes]:
    """Requests of a block; no two blocks have the same."""
    return [orjson.dumps({**request_of(candidates, number * BLOCK + i), **more}) for i in range(BLOCK)]


def block(ranker: Ranker, bodies: list[bytes], log: ExposureLog, number: int) -> tuple[float, ...]:
    """Seconds of processor time a request: of the request alone, and of taking and writing its exposures."""
    reader, route = READERS[JSON](), Route("default", ranker)
    clock = Clock()
    begun = time.process_time()
    with clock.around(request_ranker, "exposed"):
        for i, body in enumerate(bodies):
            trace = RequestTrace(request_id=f"{number:08x}{i:08x}")
            trace.route = route
            opened = reader.open(body, ranker.checker.bounds)
            with clock:
                log.begin(trace, ranker, None, opened.content, {})
            ranker.answer(opened, trace)
            with clock:
                log.add(trace)
    ranked = time.process_time()
    log.writer.write_queued()
    written = time.process_time() - ranked
    taken = clock.seconds - clock.own * 3 * len(bodies)
    return tuple(spent / len(bodies) for spent in (ranked - begun - clock.seconds, taken, written))


class Clock:
    """Processor time of this process within the blocks, and within a function that it wraps."""

    def __init__(self) -> None:
        self.seconds = self._begun = 0.0
        for _ in range(1000):
            with self:
                pass
        self.own = self.seconds / 1000
        """What it counts of itself."""
        self.seconds = 0.0

    def __enter__(self) -> None:
        self._begun = time.process_time()

    def __exit__(self, *_: object) -> None:
        self.seconds += time.process_time() - self._begun

    @contextlib.contextmanager
    def around(self, module: Any, name: str) -> Iterator[None]:
        """Count the calls of a module's function while the block runs."""
        function = getattr(module, name)

        def timed(*arguments: Any) -> Any:
            with self:
                return function(*arguments)

        setattr(module, name, timed)
        try:
            yield
        finally:
            setattr(module, name, function)


def _load(
    artifact: Artifact,
    logs: Path,
    candidates: int,
    kinds: dict[str, dict[str, int]],
    rounds: int,
    seconds: float,
    clients: int,
) -> list[dict[str, Any]]:
    settings: dict[str, dict[str, object]] = {
        "no log": {},
        **{features: {"exposures": logs / features, "exposures_features": features} for features in FEATURES},
    }
    plain = request_of(candidates)
    bodies = {kind: orjson.dumps({**plain, **more}) for kind, more in kinds.items()}
    found: dict[tuple[str, str], list[float]] = {}
    with contextlib.ExitStack() as stack:
        ports = {name: stack.enter_context(_service(artifact.folder, given)) for name, given in settings.items()}
        for port in ports.values():
            asyncio.run(Client(port, bodies["all"]).closed(clients, 1))
        for number in range(rounds):
            for kind, body in bodies.items():
                for name in np.roll(list(ports), number).tolist():
                    answers = asyncio.run(Client(ports[name], body).closed(clients, seconds))
                    if set(answers.status) != {200}:
                        raise SystemExit(f"error: {name}: answers by status: {answers.counts()}")
                    found.setdefault((kind, name), []).append(len(answers.of(200)) / seconds)
    rows = []
    for (kind, name), rates in found.items():
        low, middle, high = np.quantile(np.array(rates) / np.array(found[kind, "no log"]), [0.25, 0.5, 0.75])
        row = {"returned": kind, "log": name, "requests/s": round(float(np.median(rates)), 1)}
        rows.append({**row, "ratio": f"{middle:.3f} [{low:.3f}, {high:.3f}]"})
    return rows


@contextlib.contextmanager
def _service(artifact: Path, given: dict[str, object]) -> Iterator[int]:
    port = free_port()
    settings = {"max_in_flight": 64, "drain": 0, "exposures_roll_seconds": 5, **given}
    with server_process(
        artifact, "--port", port, settings=settings, is_up=lambda: ready(f"http://127.0.0.1:{port}"), stderr=None
    ):
        yield port


def _stored(directory: Path) -> tuple[int, int]:
    """Rows and bytes of the finished files."""
    files = [file.path for file in exposure_files(directory)]
    return sum(pq.read_metadata(file).num_rows for file in files), sum(file.stat().st_size for file in files)


def _print(title: str, rows: list[dict[str, Any]]) -> None:
    table = Table(title=title)
    for column in rows[0]:
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(*map(str, row.values()))
    Console(width=120).print(table)


if __name__ == "__main__":
    typer.run(main)
