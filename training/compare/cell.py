"""One cell of a comparison: trained and measured in a process of its own, remembered in a file."""

import shutil
import time
from pathlib import Path
from typing import Any

import orjson
import tensorflow as tf

from training.callbacks import STEPS
from training.config import Experiment
from training.evaluate import measure, predict
from training.fit import RUN, scorer, train
from training.log import Log
from training.onnx_graph import to_onnx
from training.prepare import encode_all
from training.rows import digest
from training.trace import trace

RESULT = "result.json"


def key(experiment: Experiment, facts: Any) -> str:
    """What a result depends on: the config and the files' fingerprints."""
    return digest(experiment.model_dump(mode="json", by_alias=True), facts)


def finished(folder: Path, expected: str) -> dict[str, Any] | None:
    """The result of an earlier run of the same cell."""
    file = folder / RESULT
    if not file.is_file():
        return None
    result: dict[str, Any] = orjson.loads(file.read_bytes())
    return result if result["key"] == expected else None


def run_cell(
    experiment: str, data: list[str], test: list[str], folder: str, rows: str, expected: str, threads: int
) -> dict[str, Any]:
    """Train one config, given as JSON, and measure it on its validation rows, or on ``test`` if any is given.

    Goes on with an unfinished run in ``folder``. The result is written before it is returned.
    """
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    chosen, place = Experiment.model_validate_json(experiment), Path(folder)
    started = time.perf_counter()
    trained = train(chosen, data, place, rows=Path(rows))
    seconds = time.perf_counter() - started
    metrics = trained.metrics
    if test:
        schema = chosen.log_schema
        encoded = encode_all(schema, trained.prepared.encoder, Log(test), chosen.evaluation.group_by)
        predictions = predict(scorer(trained.model), encoded)
        metrics = measure(schema, predictions, chosen.evaluation.bootstrap, chosen.training.seed)
    (place / "model.onnx").write_bytes(to_onnx(trained.model).SerializeToString())
    result = {
        "key": expected,
        "metrics": metrics,
        "best_epoch": trained.best_epoch,
        "epochs": len(trained.history),
        "seconds": seconds,
        "gates": trained.gates.to_dict(),
        "curves": trace(trained.folder / STEPS),
    }
    partial = place / f".{RESULT}"
    partial.write_bytes(orjson.dumps(result, option=orjson.OPT_INDENT_2))
    partial.replace(place / RESULT)
    shutil.rmtree(place / RUN / "checkpoints", ignore_errors=True)  # the result is what is kept of a cell
    return result
