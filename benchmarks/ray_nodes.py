"""Scoring on two Ray nodes, one of which is killed midway: the files of `predict`, rows a CPU second, and memory.

The nodes are in network namespaces of their own, joined by a bridge, so that they are hosts to each other; this needs
root. Processor time and memory are those of all processes of a namespace, read from `/proc` each second: those of Ray
itself are in them.
"""

import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.report import write_json

ROOT = Path(__file__).resolve().parent.parent
TRAIN = [sys.executable, "-c", "from training.cli import app; app()"]
RAY = [sys.executable, "-c", "from ray.scripts.scripts import main; main()"]
BRIDGE, NODES = "ranker-br", {"ranker-a": "10.89.7.2", "ranker-b": "10.89.7.3"}
HEAD, OTHER = NODES
PORT = 6399
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": str(ROOT),
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": secrets.token_hex(32),
    "RAY_BACKEND_LOG_LEVEL": "error",
}
"""Of all processes; the nodes let in only those that know the token, which is made for this run."""
TICK = os.sysconf("SC_CLK_TCK")


def main(
    artifact: Annotated[Path, typer.Argument(help="Artifact to score with.")],
    data: Annotated[Path, typer.Option(help="Log to score.")],
    cpus: Annotated[int, typer.Option(min=1, help="Processors that each node claims.")] = 2,
    kill: Annotated[bool, typer.Option("--kill/--no-kill", help="Kill the node without the driver.")] = True,
    kill_after: Annotated[float, typer.Option(help="Share of the result files after which it is killed.")] = 0.4,
    folder: Annotated[
        Path | None, typer.Option(exists=True, file_okay=False, help="Folder for results; temporary by default.")
    ] = None,
    output: Annotated[Path | None, typer.Option("--json", help="Write the measurements to this file.")] = None,
) -> None:
    """Score a log in one process and on two nodes, and compare the files."""
    if os.geteuid() != 0:
        raise typer.BadParameter("network namespaces need root")
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        work = Path(scratch)
        alone = _alone(artifact, data, work / "alone")
        files = sorted((work / "alone").glob("part-*.parquet"))
        with _cluster(work, cpus):
            nodes = _on_nodes(artifact, data, work / "nodes", round(len(files) * kill_after) if kill else None)
        same = [path.read_bytes() == (work / "nodes" / path.name).read_bytes() for path in files]
        names = sorted(path.name for path in (work / "nodes").glob("part-*.parquet"))
        equal = all(same) and names == [path.name for path in files] and (work / "nodes" / "_SUCCESS").exists()
    table = Table("run", "seconds", "CPU seconds", "rows a CPU second", "peak MiB", title="scoring on two nodes")
    for name, found in (("predict", alone), (f"--ray, {'a node killed' if kill else 'both nodes'}", nodes)):
        speeds = (f"{found['seconds']:,.0f}", f"{found['cpu']:,.0f}", f"{found['rows'] / found['cpu']:,.0f}")
        table.add_row(name, *speeds, f"{found['mib']:,.0f}")
    console = Console()
    console.print(table)
    console.print(f"{len(files)} files, {'equal byte for byte' if equal else 'NOT EQUAL'}")
    console.print(nodes)
    if output is not None:
        write_json(output, {"benchmark": "ray_nodes", "alone": alone, "nodes": nodes, "equal": equal, "cpus": cpus})
    if not equal:
        raise typer.Exit(1)


def _command(artifact: Path, data: Path, output: Path, *more: str) -> list[str]:
    return [*TRAIN, "predict", str(artifact), "--data", str(data), "--output", str(output), "--keep", "user_id", *more]


def _alone(artifact: Path, data: Path, output: Path) -> dict[str, Any]:
    began = time.monotonic()
    process = subprocess.Popen(_command(artifact, data, output), cwd=ROOT)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f"predict ended with status {status}")
    cpu, mib = used.ru_utime + used.ru_stime, used.ru_maxrss / 1024
    return {"seconds": time.monotonic() - began, "cpu": cpu, "mib": mib, "rows": _rows(output)}


def _on_nodes(artifact: Path, data: Path, output: Path, kill_at: int | None) -> dict[str, Any]:
    began = time.monotonic()
    command = _command(artifact, data, output, "--ray", f"{NODES[HEAD]}:{PORT}")
    process = subprocess.Popen(within(HEAD, command), cwd=ROOT, env=ENVIRONMENT)
    used: dict[tuple[str, int, str], float] = {}
    peak = dict.fromkeys(NODES, 0.0)
    killed = None
    before = {node: usage(node, {}) for node in NODES}
    while process.poll() is None:
        for node in NODES:
            peak[node] = max(peak[node], usage(node, used))
        if kill_at is not None and killed is None and len(list(output.glob("part-*.parquet"))) >= kill_at:
            killed = time.monotonic() - began
            for pid in _pids(OTHER):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        time.sleep(1.0)
    if process.returncode:
        raise RuntimeError(f"predict --ray ended with status {process.returncode}")
    cpu = {node: sum(seconds for (owner, *_), seconds in used.items() if owner == node) for node in NODES}
    found = {"seconds": time.monotonic() - began, "cpu": sum(cpu.values()), "mib": sum(peak.values())}
    return {**found, "rows": _rows(output), "killed": killed, "cpu_of": cpu, "mib_of": peak, "idle_mib": before}


def _rows(output: Path) -> int:
    import pyarrow.parquet as pq

    return sum(pq.read_metadata(path).num_rows for path in output.glob("part-*.parquet"))


def usage(node: str, used: dict[tuple[str, int, str], float]) -> float:
    """Proportional memory of a node's processes in MiB; their processor seconds so far go into ``used``."""
    memory = 0.0
    for pid in _pids(node):
        with suppress(OSError, ValueError, IndexError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            used[node, pid, fields[19]] = (int(fields[11]) + int(fields[12])) / TICK
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
            memory += next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")) / 1024
    return memory


def _pids(node: str) -> list[int]:
    listed = subprocess.run(["ip", "netns", "pids", node], capture_output=True, text=True, check=False).stdout
    return [int(pid) for pid in listed.split()]


def within(node: str, command: list[str]) -> list[str]:
    return ["ip", "netns", "exec", node, *command]


@contextmanager
def _cluster(work: Path, cpus: int) -> Iterator[None]:
    """Two nodes, each in its namespace."""
    with namespaces(len(NODES)):
        for node, address in NODES.items():
            where = ["--head", f"--port={PORT}", f"--temp-dir={work / 'ray'}", "--include-dashboard=false"]
            more = where if node == HEAD else [f"--address={NODES[HEAD]}:{PORT}"]
            how = [f"--node-ip-address={address}", f"--num-cpus={cpus}", "--object-store-memory=500000000"]
            command = [*RAY, "start", *more, *how, "--disable-usage-stats"]
            subprocess.run(within(node, command), check=True, capture_output=True, env=ENVIRONMENT)
        time.sleep(5.0)
        yield


@contextmanager
def namespaces(count: int) -> Iterator[None]:
    """The first of the nodes' namespaces, joined by a bridge; processes in them end with them."""
    _remove()
    _ip("link", "add", BRIDGE, "type", "bridge")
    _ip("link", "set", BRIDGE, "up")
    try:
        for place, (node, address) in enumerate(list(NODES.items())[:count]):
            _ip("netns", "add", node)
            _ip("link", "add", f"ranker-v{place}", "type", "veth", "peer", "name", "eth0", "netns", node)
            _ip("link", "set", f"ranker-v{place}", "master", BRIDGE, "up")
            _ip("-n", node, "addr", "add", f"{address}/24", "dev", "eth0")
            _ip("-n", node, "link", "set", "eth0", "up")
            _ip("-n", node, "link", "set", "lo", "up")
        yield
    finally:
        _remove()


def _remove() -> None:
    for node in NODES:
        for pid in _pids(node):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        subprocess.run(["ip", "netns", "del", node], capture_output=True, check=False)
    subprocess.run(["ip", "link", "del", BRIDGE], capture_output=True, check=False)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


if __name__ == "__main__":
    typer.run(main)
