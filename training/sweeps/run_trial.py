"""Trains and evaluates one trial in its own process, and stores the result in a file."""

import shutil
import time
from pathlib import Path
from typing import Any

import orjson
import tensorflow as tf

from ranker.files import replace_file
from training.config.experiment import Experiment
from training.data.cache import digest
from training.data.encode import encode_all
from training.data.experiment_log import open_log
from training.evaluation.evaluate import predict
from training.evaluation.validation import measure_run
from training.export.onnx import to_onnx
from training.trainer.callbacks import STEPS
from training.trainer.curves import trace
from training.trainer.epoch import scorer
from training.trainer.run_folder import REFIT, RESULT
from training.trainer.train import RUN, train


def key(experiment: Experiment, facts: Any) -> str:
    """Digest of what a result depends on: the config and the files' fingerprints."""
    return digest(experiment.training_content(), facts)


def finished(folder: Path, expected: str) -> dict[str, Any] | None:
    """The stored result of the same trial, if it has finished."""
    file = folder / RESULT
    if not file.is_file():
        return None
    result: dict[str, Any] = orjson.loads(file.read_bytes())
    return result if result["key"] == expected else None


def run_trial(
    experiment: str,
    data: list[str],
    test: list[str],
    folder: str,
    rows: str,
    expected: str,
    threads: int,
    onnx: bool,
) -> dict[str, Any]:
    """Train one config, given as JSON, and evaluate it on its validation rows, and on ``test`` if given.

    Resumes an unfinished run in ``folder``; leaves its checkpoints there, and with ``onnx`` the ONNX model. The result
    is written before it is returned. Its ``metrics`` are on the test rows if there are any; ``validation`` always holds
    those on the validation rows, and the ``mean_loss``.
    """
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    chosen, target = Experiment.model_validate_json(experiment), Path(folder)
    started = time.perf_counter()
    trained = train(chosen, data, target, rows=Path(rows), refit=False)
    seconds = time.perf_counter() - started
    metrics = trained.metrics
    if test:
        schema, encoder = chosen.log_schema, trained.prepared.encoder
        encoded = encode_all(schema, encoder, open_log(chosen, test, encoder), chosen.evaluation.group_by)
        predictions = predict(scorer(trained.model), encoded, trained.model.schema)
        metrics = measure_run(chosen, predictions, chosen.evaluation.bootstrap, trained.predictions)
    if onnx:
        (target / "model.onnx").write_bytes(to_onnx(trained.model).SerializeToString())
    result = {
        "key": expected,
        "metrics": metrics,
        "validation": {**trained.metrics, "mean_loss": trained.history[trained.best_epoch - 1]["mean_loss"]},
        "best_epoch": trained.best_epoch,
        "epochs": len(trained.history),
        "seconds": seconds,
        "gates": trained.gates.to_dict(),
        "curves": trace(trained.folder / STEPS),
    }
    replace_file(target / RESULT, orjson.dumps(result, option=orjson.OPT_INDENT_2))
    return result


def drop_weights(folder: Path) -> None:
    """Delete a trial's checkpoints, and those of its refit, but keep its result."""
    shutil.rmtree(folder / RUN / "checkpoints", ignore_errors=True)
    shutil.rmtree(folder / RUN / REFIT, ignore_errors=True)


def has_weights(folder: Path) -> bool:
    """Whether a trial's checkpoints still exist."""
    return (folder / RUN / "checkpoints").is_dir()
