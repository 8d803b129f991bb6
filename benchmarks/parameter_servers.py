"""A table that no process can hold, on parameter servers: memory, bytes and rows per second, and what a kill costs.

One table of hashed ids is divided among the servers, and every process is limited to less memory than the table takes,
by a memory cgroup, or where these are not writable by a limit of its data segment. It is trained on rows of random ids
for two epochs of two checkpoints each. A worker is killed after the first epoch and started again; at the next
checkpoint a server is killed, which ends all processes, and all are started again. Then the artifact is written.

Bytes are those sent over the loopback interface of a network of the benchmark's own; without ``unshare`` they are not
counted. Everything is on one machine, so that rows per second are what its cores give, and no more with more workers.
"""

import resource
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer
import yaml
from rich.console import Console
from rich.table import Table

from tests.training.distribution.processes import Cluster, Network

GROUPS = Path("/sys/fs/cgroup/memory")
LOOK = 0.1
PATIENCE = 15.0


def main(
    folder: Annotated[Path, typer.Option(help="Folder for rows and run; emptied first.")] = Path(
        "runs/parameter_servers"
    ),
    buckets: Annotated[int, typer.Option(help="Rows of the table.")] = 50_000_000,
    width: int = 16,
    servers: int = 4,
    workers: int = 2,
    steps: Annotated[int, typer.Option(help="Steps between checkpoints; an epoch has twice as many.")] = 60,
    batch: int = 4096,
    limit: Annotated[float, typer.Option(help="Memory of each process, in GB.")] = 3.1,
) -> None:
    """Train, kill, resume and export, and print what each took."""
    console, size = Console(), buckets * width * 4
    if limit * 1e9 >= size:
        console.print(f"caution: {limit} GB is more than the table of {size / 1e9:.2f} GB, so the limit shows nothing")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    command = _prepared(folder.resolve(), buckets, width, 2 * steps * batch, batch, steps)
    network = Network()
    roles = {"chief": 1, "ps": servers, "worker": workers}
    with _limits(limit) as limited, Cluster(roles, command, folder, network, limited) as cluster:
        watch = Watch(cluster, network, folder / "output" / "run", steps * batch)
        console.print(f"table: {buckets:,} x {width}, {size / 1e9:.2f} GB, and as much of moments")
        console.print(watch.until_saved(1, "starting, and the first steps"))
        console.print(watch.between(1, 2, f"{workers} workers"))
        watch.show_memory(console, "after the first epoch")
        cluster.kill("worker", workers - 1)
        cluster.start("worker", workers - 1)
        console.print(watch.between(2, 3, f"worker {workers - 1} killed and started again"))
        cluster.kill("ps", servers - 1)
        killed = time.monotonic()
        watch.wait(lambda: cluster.processes["chief", 0].poll() is not None)
        console.print(f"server {servers - 1} killed: the chief ended after {time.monotonic() - killed:.0f} s")
        console.print(f"  {_last_line(cluster.log('chief', 0))}", markup=False)
        patience = time.monotonic() + PATIENCE  # a process that has not seen this chief waits for the next one
        watch.wait(lambda: watch.ended(cluster.processes) or time.monotonic() > patience)
        begun = time.monotonic()
        for (role, number), process in list(cluster.processes.items()):
            if process.poll() is not None:
                cluster.start(role, number)
        watch.wait(lambda: "resuming from" in cluster.log("chief", 0).read_text())
        told = [line for line in cluster.log("chief", 0).read_text().splitlines() if line.startswith("resuming")]
        console.print(f"started again: {told[-1]}, after {time.monotonic() - begun:.0f} s", markup=False)
        saved = time.monotonic()
        while cluster.processes["chief", 0].poll() is None:
            watch.look()
            time.sleep(LOOK)
        console.print(
            f"the rest, and the export: {time.monotonic() - saved:.0f} s, status "
            f"{cluster.processes['chief', 0].returncode}"
        )
        watch.show_memory(console, "in all")
        console.print(_last_line(cluster.log("chief", 0)), markup=False)
    network.close()


class Watch:
    """Follows a run by its files, and keeps the most memory of each process."""

    def __init__(self, cluster: Cluster, network: Network, run: Path, rows: int) -> None:
        self._cluster, self._network, self._run, self._rows = cluster, network, run, rows
        self.most: dict[str, float] = {}
        self._begun = time.monotonic()

    def look(self) -> None:
        """Read the memory of each process."""
        for (role, number), process in self._cluster.processes.items():
            try:
                text = Path(f"/proc/{process.pid}/status").read_text()
            except OSError:
                continue
            peak = next((line for line in text.splitlines() if line.startswith("VmHWM")), None)
            if peak is not None:
                name = f"{role} {number}"
                self.most[name] = max(self.most.get(name, 0.0), int(peak.split()[1]) * 1024 / 1e9)

    @staticmethod
    def ended(processes: Mapping[tuple[str, int], Popen[str]]) -> bool:
        """Whether all processes have ended."""
        return all(process.poll() is not None for process in processes.values())

    def wait(self, what: Callable[[], bool], chief: bool = False) -> None:
        """Wait, looking at memory; with ``chief``, raise ``RuntimeError`` if the chief has ended."""
        while not what():
            self.look()
            if chief and self._cluster.processes["chief", 0].poll() is not None:
                raise RuntimeError(f"the chief has ended: {self._cluster.log('chief', 0).read_text()[-3000:]}")
            time.sleep(LOOK)

    def until_saved(self, number: int, what: str) -> str:
        """Wait for a checkpoint."""
        self.wait((self._run / "checkpoints" / "latest" / f"ckpt-{number}.index").exists, chief=True)
        return f"{what}: {time.monotonic() - self._begun:.0f} s"

    def between(self, first: int, last: int, what: str) -> str:
        """Rows and bytes from one checkpoint until the pause before another, and what saving takes."""
        self.wait((self._run / "checkpoints" / "latest" / f"ckpt-{first}.index").exists, chief=True)
        claims, sent, begun = self._run / "claims.json", self._sent(), time.monotonic()
        before = claims.stat().st_mtime_ns
        self.wait(lambda: claims.stat().st_mtime_ns != before, chief=True)
        seconds, bytes_sent = time.monotonic() - begun, self._sent() - sent
        saving = time.monotonic()
        self.wait((self._run / "checkpoints" / "latest" / f"ckpt-{last}.index").exists, chief=True)
        per_row = f", {bytes_sent / self._rows:,.0f} bytes a row" if self._network.own else ""
        return (
            f"{what}: {self._rows / seconds:,.0f} rows per second{per_row}; measured and saved in "
            f"{time.monotonic() - saving:.0f} s"
        )

    def show_memory(self, console: Console, when: str) -> None:
        """Print the most memory of each process so far."""
        table = Table("process", "most memory, GB", title=when)
        for name, size in sorted(self.most.items()):
            table.add_row(name, f"{size:.2f}")
        console.print(table)

    def _sent(self) -> int:
        return self._network.sent() if self._network.own else 0


def _prepared(folder: Path, buckets: int, width: int, rows: int, batch: int, pause: int) -> list[str]:
    """Write config and rows; the arguments of ``ranker-train``."""
    random = np.random.default_rng(0)
    held_out = rows // 50
    count = rows + held_out
    frame = pd.DataFrame(
        {
            "user": random.integers(0, 1000, count),
            "item": random.integers(0, 2**62, count),
            "price": random.random(count),
            "click": random.integers(0, 2, count),
            "like": random.integers(0, 2, count),
            "day": np.repeat([1, 2], [rows, held_out]),
        }
    )
    frame.to_parquet(folder / "rows.parquet")
    config: dict[str, Any] = {
        "data": {"split": {"by": "time", "column": "day", "last": 1}},
        "schema": {
            "context": {"user": {"kind": "categorical", "dimension": width}},
            "candidate": {
                "item": {"kind": "categorical", "dimension": width, "hash_buckets": buckets},
                "price": {"kind": "numeric"},
            },
            "tasks": {"click": {"kind": "binary"}, "like": {"kind": "binary"}},
        },
        "architecture": {"name": "shared_bottom", "bottom": [64], "towers": [32]},
        "weighting": "uncertainty",
        "training": {
            "epochs": 2,
            "batch_size": batch,
            "checkpoint_every": pause,
            "shuffle_rows": 50_000,
            "distribute": "parameter_server",
        },
        "early_stopping": None,
        "evaluation": {"bootstrap": 0},
        "export": {"keep_state": False},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    return [
        *("fit", str(folder / "config.yaml")),
        *("--data", str(folder / "rows.parquet")),
        *("--output", str(folder / "output")),
    ]


@contextmanager
def _limits(limit: float) -> Iterator[Callable[[str, int, Popen[str]], None]]:
    """A function that limits the memory of a new process, in GB; the groups are removed afterwards."""
    made: list[Path] = []

    def limited(role: str, number: int, process: Popen[str]) -> None:
        group = GROUPS / f"ranker-{process.pid}"
        try:
            group.mkdir()
            (group / "memory.limit_in_bytes").write_text(str(int(limit * 1e9)))
            (group / "cgroup.procs").write_text(str(process.pid))
            made.append(group)
        except OSError:
            resource.prlimit(process.pid, resource.RLIMIT_DATA, (int(limit * 1e9), int(limit * 1e9)))
            print(f"{role} {number}: limited by its data segment, since {GROUPS} is not writable")

    try:
        yield limited
    finally:
        for group in made:
            for _ in range(50):  # a group is busy until its processes are gone
                try:
                    group.rmdir()
                    break
                except OSError:
                    time.sleep(LOOK)


def _last_line(log: Path) -> str:
    lines = [line for line in log.read_text().splitlines() if line.strip() and not line.startswith(("W0", "I0", "E0"))]
    return lines[-1] if lines else "nothing was printed"


if __name__ == "__main__":
    typer.run(main)
