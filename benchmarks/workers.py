"""Training on two and four workers against one: the same results, bytes on the wire, and time.

Every worker is a process in a network namespace of its own, on a bridge between them, so that what crosses an
interface is what machines would send each other; it needs root and ``ip``. Processes are pinned to cores, by turns.
Efficiency is the processor time of one worker's step divided by that of all workers together: what exchanging and doing
the same update several times cost. On as few cores as here it says nothing of waiting for a network.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from ranker.model import RankingModel
    from training.distribution import Distribution

METHODS = ("static", "uncertainty", "pe_ltr", "gradnorm")
WIDTH, IDS = 16, 4
"""Width of the table, and its rows that an impression reads: a user's last items and the candidate."""
TASKS = ("click", "like", "share")
PREFIX = "ranker-w"

app = typer.Typer(add_completion=False)


@app.command()
def compare(
    workers: Annotated[list[int] | None, typer.Option(help="Numbers of workers.")] = None,
    batch: Annotated[int, typer.Option(help="Rows of a global batch.")] = 4096,
    steps: Annotated[int, typer.Option(help="Measured steps of each case.")] = 20,
    tables: Annotated[
        list[int] | None, typer.Option(help="Rows of the table; methods are compared at the first.")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Where to write the measurements.")] = None,
) -> None:
    """Measure and print."""
    if os.geteuid():
        raise typer.BadParameter("network namespaces need root")
    sizes, cores = tables or [20_000, 200_000], sorted(os.sched_getaffinity(0))
    cases = [(method, sizes[0]) for method in METHODS] + [("static", size) for size in sizes[1:]]
    spec = {"cases": cases, "batch": batch, "steps": steps}
    with tempfile.TemporaryDirectory(prefix="workers-") as folder:
        alone = _run(Path(folder) / "1", {**spec, "workers": 1}, cores)
        found = [_run(Path(folder) / str(n), {**spec, "workers": n}, cores) for n in workers or [2, 4]]
    rows = [
        {"workers": n, **_compared(one, other, n)}
        for n, others in zip(workers or [2, 4], found, strict=True)
        for one, other in zip(alone, others, strict=True)
    ]
    _print(rows, batch, len(cores))
    if json_file is not None:
        measured = [{k: v for k, v in one.items() if k not in ("losses", "variables")} for one in alone]
        json_file.write_text(json.dumps({**spec, "cores": len(cores), "one": measured, "several": rows}, indent=2))


@app.command(hidden=True)
def worker(spec: str, number: int, output: Path) -> None:
    """One process of a measurement."""
    _measure(json.loads(spec), number, output)


def _run(folder: Path, spec: dict[str, Any], cores: list[int]) -> list[dict[str, Any]]:
    """What the chief of so many workers measured of each case."""
    folder.mkdir()
    workers = spec["workers"]
    with _namespaces(workers) as spaces:
        hosts = [f"10.77.0.{number + 1}:2222" for number in range(workers)]
        processes = []
        for number, space in enumerate(spaces):
            task = {"cluster": {"worker": hosts}, "task": {"type": "worker", "index": number}}
            own = cores if workers == 1 else [cores[number % len(cores)]]
            command = ["ip", "netns", "exec", space, "taskset", "-c", ",".join(map(str, own)), sys.executable]
            command += ["-m", "benchmarks.workers", "worker", json.dumps(spec), str(number), str(folder)]
            environment = {**os.environ, "TF_CONFIG": json.dumps(task), "CUDA_VISIBLE_DEVICES": ""}
            quiet = None if number == 0 else subprocess.DEVNULL
            processes.append(subprocess.Popen(command, env=environment, stderr=quiet))
        codes = [process.wait() for process in processes]
    if any(codes):
        raise RuntimeError(f"workers ended with {codes}")
    measured: list[dict[str, Any]] = json.loads((folder / "measured.json").read_bytes())
    for place, case in enumerate(measured):
        with np.load(folder / f"{place}.npz") as arrays:
            case["variables"] = [arrays[name] for name in arrays.files]
    return measured


@contextmanager
def _namespaces(number: int) -> Iterator[list[str]]:
    """Network namespaces with one interface each, 10.77.0.1 and so on, on a bridge."""
    names, bridge = [f"{PREFIX}{place}" for place in range(number)], f"{PREFIX}br"

    def ip(*words: str, check: bool = True) -> None:
        subprocess.run(["ip", *words], check=check, capture_output=not check)

    try:
        ip("link", "add", bridge, "type", "bridge")
        ip("link", "set", bridge, "up")
        for place, name in enumerate(names):
            ip("netns", "add", name)
            ip("link", "add", f"{PREFIX}v{place}", "type", "veth", "peer", "name", "eth0", "netns", name)
            ip("link", "set", f"{PREFIX}v{place}", "master", bridge, "up")
            ip("-n", name, "addr", "add", f"10.77.0.{place + 1}/24", "dev", "eth0")
            for link in ("eth0", "lo"):
                ip("-n", name, "link", "set", link, "up")
        yield names
    finally:
        for name in names:
            ip("netns", "del", name, check=False)
        ip("link", "del", bridge, check=False)


def _measure(spec: dict[str, Any], number: int, output: Path) -> None:
    """Train each case, and write losses, variables, bytes sent and seconds; TensorFlow is imported here."""
    from training.config.training import Training
    from training.distribution import DISTRIBUTIONS

    workers = spec["workers"]
    distribute = {"name": "multi_worker"} if workers > 1 else {"name": "one"}
    settings = Training.model_validate({"batch_size": spec["batch"], "distribute": distribute})
    distribution = DISTRIBUTIONS[settings.distribute.name](settings)
    distribution.join()
    measured = []
    for place, (method, rows) in enumerate(spec["cases"]):
        case = _trained(distribution, spec, method, rows, number)
        if distribution.chief:
            np.savez(output / f"{place}.npz", *case.pop("variables"))
            measured.append({"method": method, "table": rows, **case})
    if distribution.chief:
        (output / "measured.json").write_text(json.dumps(measured))


def _trained(distribution: "Distribution", spec: dict[str, Any], method: str, rows: int, number: int) -> dict[str, Any]:
    import tensorflow as tf

    from training.distribution.reading import signature_of

    workers, steps, warm = spec["workers"], spec["steps"], 3
    share = spec["batch"] // workers
    with distribution.scope():
        model = model_of(method, rows)

    def batches() -> Iterator[dict[str, Any]]:
        for step in count():
            whole = batch_of(spec["batch"], rows, step)
            yield {name: array[number * share : (number + 1) * share] for name, array in whole.items()}

    signature = signature_of(batch_of(1, rows, 0))
    iterator = iter(tf.data.Dataset.from_generator(batches, output_signature=signature).prefetch(2))
    step, losses = model.make_train_function(), []
    for place in range(warm + steps):
        if place == warm:
            sent, started, used = _sent(), time.perf_counter(), time.process_time()
        losses.append(step(iterator)["losses"].numpy().tolist())
    seconds, used, sent = time.perf_counter() - started, time.process_time() - used, _sent() - sent
    tables = {table.ref() for table in model.embedding.tables.values()}
    dense = sum(v.shape.num_elements() for v in model.trainable_variables if v.ref() not in tables)
    return {
        "losses": losses,
        "variables": [variable.numpy() for variable in model.trainable_variables],
        "sent": sent / steps,
        "ms": 1e3 * seconds / steps,
        "cpu_ms": 1e3 * used / steps,
        "dense_bytes": 4 * dense,
        "rows_read": float(np.mean([_read(spec["batch"], rows, warm + i, number, share) for i in range(steps)])),
    }


def model_of(method: str, rows: int, optimizer: Callable[[], Any] | None = None) -> "RankingModel":
    """An MMoE of a table of so many rows, compiled with an optimiser, by default Keras' Adagrad."""
    import tensorflow as tf

    from ranker.architectures import ARCHITECTURES
    from ranker.encoding.layout import LayoutBuilder
    from ranker.layers import Embedding
    from ranker.layers.interaction import INTERACTIONS
    from ranker.model import RankingModel
    from ranker.schema import Schema
    from ranker.weighting import WEIGHTINGS

    tf.keras.utils.set_random_seed(0)
    builder = LayoutBuilder()
    builder.table("item", rows, WIDTH)
    builder.ids("context", "history", "item", length=IDS - 1, pooling="mean")
    builder.ids("candidate", "item", "item")
    layout = builder.build()
    tasks = {task: {"kind": "binary"} for task in TASKS}
    schema = Schema.model_validate({"candidate": {"item": {"kind": "categorical"}}, "tasks": tasks})
    kind = ARCHITECTURES["mmoe"]
    architecture = kind(list(TASKS), kind.Options())
    interaction = INTERACTIONS["none"](layout)
    model = RankingModel(schema, Embedding(layout), [interaction], architecture, WEIGHTINGS[method]())
    made = tf.keras.optimizers.legacy.Adagrad(0.05) if optimizer is None else optimizer()
    made._create_all_weights([*model.trainable_variables, *model.weighting.trainable_variables])
    model.compile(optimizer=made)
    return model


def batch_of(size: int, rows: int, step: int) -> dict[str, Any]:
    """Rows whose items follow a long tail, with labels that depend on the item."""
    random = np.random.default_rng([7, step])
    ids = np.minimum(rows - 2 - (rows - 3) * random.random((size, IDS)) ** 0.25, rows - 1).astype(np.int32)
    chance = 0.2 + 0.6 * ((ids[:, -1:] * np.array([3, 5, 7])) % 11 / 11.0)
    labels = (random.random(chance.shape) < chance).astype(np.float32)
    known = (random.random(labels.shape) < 0.9).astype(np.float32)
    return {"context_ids": ids[:, :-1], "candidate_ids": ids[:, -1:], "labels": labels, "known": known}


def _read(size: int, rows: int, step: int, number: int, share: int) -> int:
    """Distinct rows of the table that a worker's share reads."""
    batch = batch_of(size, rows, step)
    own = slice(number * share, (number + 1) * share)
    return len(np.unique(np.concatenate([batch["context_ids"][own].ravel(), batch["candidate_ids"][own].ravel()])))


def _sent() -> int:
    """Bytes that this namespace has sent to others."""
    return sum(int((link / "statistics/tx_bytes").read_text()) for link in Path("/sys/class/net").glob("eth*"))


def _compared(one: dict[str, Any], other: dict[str, Any], workers: int) -> dict[str, Any]:
    """Largest differences to one worker, and bytes and times beside what is expected."""
    losses = np.abs(np.array(other["losses"]) - np.array(one["losses"])).max()
    differences = [np.abs(a - b).max() for a, b in zip(other["variables"], one["variables"], strict=True)]
    scale = max(np.abs(value).max() for value in one["variables"])
    expected = 2 * (workers - 1) / workers * one["dense_bytes"]
    expected += (workers - 1) * other["rows_read"] * 4 * (WIDTH + 1)
    return {
        "method": one["method"],
        "table": one["table"],
        "loss_difference": float(losses),
        "variable_difference": float(max(differences)),
        "relative_difference": float(max(differences) / scale),
        "sent": other["sent"],
        "expected": expected,
        "table_bytes": one["table"] * WIDTH * 4,
        "ms": other["ms"],
        "one_ms": one["ms"],
        "cpu_ms": other["cpu_ms"],
        "one_cpu_ms": one["cpu_ms"],
        "efficiency": one["cpu_ms"] / (workers * other["cpu_ms"]),
    }


def _print(rows: list[dict[str, Any]], batch: int, cores: int) -> None:
    table = Table(title=f"{batch:,} rows a step, {cores} cores in all; one worker has all of them")
    for name in ("workers", "method", "table rows", "loss diff.", "variables diff.", "KB sent", "KB expected"):
        table.add_column(name, justify="right")
    for name in ("KB of the table", "ms", "ms of one", "CPU ms", "CPU ms of one", "efficiency"):
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(
            str(row["workers"]),
            row["method"],
            f"{row['table']:,}",
            f"{row['loss_difference']:.1e}",
            f"{row['variable_difference']:.1e}",
            *(f"{row[name] / 1e3:,.0f}" for name in ("sent", "expected", "table_bytes")),
            *(f"{row[name]:.1f}" for name in ("ms", "one_ms", "cpu_ms", "one_cpu_ms")),
            f"{row['efficiency']:.2f}",
        )
    Console(width=160).print(table)


if __name__ == "__main__":
    app()
