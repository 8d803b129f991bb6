"""The stages that run in a process of their own, by name: each takes its size and returns what it measured."""

import itertools
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.costs import tables
from benchmarks.costs.inputs import Inputs
from benchmarks.costs.processes import Clock, Found, stored
from ranker.encoding import Layout

if TYPE_CHECKING:
    from ranker.model import RankingModel
    from training.config.training import Training
    from training.data.batches import EncodedRows

WARM_STEPS = 5
REQUESTS = 64
"""Requests of a block whose exposures are written at once, as in ``benchmarks.exposures``."""


def encode(inputs: Inputs, rows: int) -> Found:
    """Fit the encoder and encode all rows; the seconds of the two passes, and bytes of encoded rows."""
    from ranker.log_files.log_reader import Log
    from training.data.encode import prepare

    log, folder, passes = inputs.rows(rows), inputs.work / f"rows_{rows}", {"fit": 0.0, "encode": 0.0}
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    last = [Clock()]

    def progress(stage: str, _: int) -> None:
        passes["fit" if stage == "fit encoding" else "encode"] += last[0].times()["cpu_s"]
        last[0] = Clock()

    clock = Clock()
    prepare(inputs.experiment(), Log([log]), folder, progress)
    passes["encode"] += last[0].times()["cpu_s"]
    found = {**clock.times(), "fit_cpu_s": passes["fit"], "encode_cpu_s": passes["encode"], "bytes": stored(folder)}
    shutil.rmtree(folder)
    return found


def ids(inputs: Inputs, count: int) -> Found:
    """Fit the encoder on so many users, with label statistics of them, also by category; bytes of the encoder."""
    from ranker.encoding import to_state
    from ranker.log_files.log_reader import Log
    from training.config.experiment import checked
    from training.data.encode import prepare

    folder, log = inputs.work / f"ids_{count}", inputs.work / f"ids_{count}.parquet"
    random = np.random.default_rng(0)
    known = random.permutation(count * 4)[:count].astype(np.int64)
    rows = {name: random.integers(0, n, count) for name, n in (("item_id", 1000), ("category", 20), ("click", 2))}
    rows["user_id"] = known
    pq.write_table(pa.table(rows), log, row_group_size=50_000)
    config = {
        "data": {"split": {"by": "random", "fraction": 0.05}},
        "schema": {
            "context": {"user_id": {"kind": "categorical", "dimension": 16}},
            "candidate": {name: {"kind": "categorical", "dimension": 16} for name in ("item_id", "category")},
            "tasks": {"click": {"kind": "binary"}},
            "label_statistics": {"of": ["user_id", ["user_id", "category"]]},
        },
        "architecture": "shared_bottom",
    }
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    clock = Clock()
    prepared = prepare(checked(config), Log([log]), folder)
    found = clock.times()
    _, arrays = to_state(prepared.encoder)
    shutil.rmtree(folder)
    log.unlink()
    return {**found, "bytes": sum(array.nbytes for array in arrays.values())}


def train(inputs: Inputs, rows: int, batch: int, steps: int | None) -> Found:
    """Train on one thread: ``steps`` steps of ``batch`` rows after the first few, or a whole epoch without a limit."""
    import ranker  # noqa: F401, I001 - selects Keras 2 before TensorFlow is imported
    import tensorflow as tf
    from ranker.log_files.log_reader import Log
    from training.data.encode import prepare
    from training.data.label_facts import label_facts
    from training.trainer.build_model import build_funnel, build_model

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    experiment, folder = inputs.experiment(), inputs.work / f"train_{rows}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    prepared = prepare(experiment, Log([inputs.rows(rows)]), folder)
    settings = experiment.training.model_copy(update={"batch_size": batch})
    layout = prepared.encoder.layout
    facts = label_facts(prepared.training, build_funnel(experiment, layout))
    model = build_model(experiment, layout, facts, prepared.training.steps(batch))
    step = model.make_train_function()
    coming = _steps(prepared.training, settings, itertools.count(1))
    for batches, _ in itertools.islice(coming, WARM_STEPS):
        logs = step(batches)
    logs["losses"].numpy()
    counted = _steps(prepared.training, settings, [0] if steps is None else itertools.count())
    clock, sizes = Clock(), []
    for batches, size in itertools.islice(counted, steps):
        logs = step(batches)
        sizes.append(size)
    logs["losses"].numpy()  # waits until the step is done
    found = {
        **clock.times(),
        "rows": sum(sizes),
        "steps": len(sizes),
        **_facts(inputs.rows(rows), rows, prepared.training.read(0), model, layout),
    }
    shutil.rmtree(folder)
    return found


def _steps(rows: "EncodedRows", settings: "Training", epochs: Iterable[int]) -> Iterator[tuple[Any, int]]:
    """The iterator of each step's batch, and its rows, epoch after epoch."""
    from training.distribution.reading import dataset

    for epoch in epochs:
        batches = iter(dataset(rows, settings, epoch, 0, readers=1))
        for first in range(0, len(rows), settings.batch_size):
            yield batches, min(settings.batch_size, len(rows) - first)


def _facts(log: Path, rows: int, chunk: dict[str, Any], model: "RankingModel", layout: Layout) -> Found:
    """Bytes of dense variables, rows of tables that a row of the log reads, and bytes of a row of the log."""
    tables_of = {id(table) for table in model.embedding.trainable_variables}
    dense = sum(int(np.prod(v.shape)) * 4 for v in model.trainable_variables if id(v) not in tables_of)
    count = 0
    for name, side in layout.sides():
        if (codes := chunk.get(f"{name}_ids")) is None:
            continue
        for field in side.ids:
            count += int((codes[:, field.start : field.start + field.length] != 0).sum())
    return {"dense_bytes": dense, "reads": count / len(chunk["labels"]), "log_bytes": stored(log) / rows}


def score(inputs: Inputs, rows: int) -> Found:
    """Score a log on one thread."""
    from ranker.prediction.job import predict_files
    from ranker.prediction.options import PredictOptions

    output, artifact, log = inputs.work / f"scores_{rows}", inputs.artifact().folder, inputs.rows(rows)
    shutil.rmtree(output, ignore_errors=True)
    clock = Clock()
    predict_files(artifact, [log], output, PredictOptions(), threads=1)
    found = {**clock.times(), "bytes": stored(output)}
    shutil.rmtree(output)
    return found


def join(inputs: Inputs, rows: int) -> Found:
    """Join a day of exposures with its events, as ``benchmarks.join`` makes them."""
    from benchmarks.join import join as joined

    folder = made_day(inputs, rows)
    output = folder / "log"
    shutil.rmtree(output, ignore_errors=True)
    clock = Clock()
    joined(folder, output)
    found = {**clock.times(), "bytes": sum(file.stat().st_size for file in output.rglob("*.parquet"))}
    shutil.rmtree(output)
    return found


def made_day(inputs: Inputs, rows: int) -> Path:
    """Exposures and events of a day; made in a process of its own, so that its memory is not the join's."""
    import subprocess
    import sys

    folder = inputs.work / f"day_{rows}"
    if not folder.is_dir():
        code = f"from pathlib import Path; from benchmarks.join import make; make(Path({str(folder)!r}), {rows})"
        subprocess.run([sys.executable, "-c", code], check=True)
    return folder


def log(inputs: Inputs, returned: int, candidates: int, blocks: int) -> Found:
    """Processor seconds a request that the exposure log adds, and bytes of a row, for so many rows a request."""
    import pyarrow.parquet as parquet

    from benchmarks.exposures import block
    from ranker.engines import EngineOptions, OnnxRuntime
    from ranker.exposures import exposure_files
    from serving.exposures.log import ExposureLog
    from serving.ranking.ranker import Ranker
    from serving.settings import Settings

    artifact, folder = inputs.artifact(), inputs.work / "exposures"
    shutil.rmtree(folder, ignore_errors=True)
    ranker = Ranker(artifact, OnnxRuntime(artifact.model_path, EngineOptions("cpu", 1)), max_candidates=candidates)
    exposures = ExposureLog.of(Settings(artifact=artifact.folder, exposures=str(folder), exposures_features="ids"))
    assert exposures is not None
    bodies = [orjson.dumps(inputs.request(candidates, returned, seed), default=str) for seed in range(REQUESTS)]
    block(ranker, bodies, exposures, 0)  # to warm up
    parts = np.array([block(ranker, bodies, exposures, 1 + number) for number in range(blocks)])
    clock = Clock()
    exposures.writer.sink.close()
    finished = clock.times()["cpu_s"] / (blocks + 1) / REQUESTS
    files = [file.path for file in exposure_files(folder)]
    rows = sum(parquet.read_metadata(file).num_rows for file in files)
    taken, written = np.median(parts[:, 1:], axis=0).tolist()
    return {"cpu_s": taken + written + finished, "bytes": sum(file.stat().st_size for file in files) / rows * returned}


STAGES: dict[str, Callable[..., Found]] = {
    "encode": encode, "ids": ids, "train": train, "score": score, "join": join, "log": log, "tables": tables.tables,
}  # fmt: skip
