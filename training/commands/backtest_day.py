"""One model of a backtest, trained and measured in its own process."""

import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from ranker.artifact import load
from ranker.encoding import label_columns
from ranker.files import replace_file
from training.commands.evaluate import evaluate
from training.commands.fit import fit
from training.config.experiment import Experiment
from training.data.day_files import DAY
from training.data.dropped_rows import without_dropped
from training.data.encode import labels_of
from training.data.every_row import EveryRow
from training.data.experiment_log import kinds_of, open_log
from training.trainer.run_folder import RESULT
from training.trainer.train import RUN

METRICS = ("auc", "log_loss", "calibration", "rmse")
"""Reported where a task has them."""


def train_and_score(
    experiment: str,
    data: Sequence[str],
    folder: str,
    parent: str | None,
    key: str,
    days: Mapping[int, str],
) -> dict[str, Any]:
    """Train a config, given as JSON, on files, export it into ``folder``, and score each of ``days``, by its files.

    Resumes an unfinished training. The result is written before it is returned; ``seconds`` of training are those of
    this process. A day whose rows are all dropped by ``given_conflicts`` has no metrics, and without any other row to
    train on the ``parent`` stays the model.
    """
    target, config = Path(folder), Experiment.model_validate_json(experiment)
    started, processor = time.perf_counter(), time.process_time()
    if parent is not None and not any(_has_rows(config, files) for files in data):
        artifact, epochs, rows, seconds, processor, export_seconds = load(Path(parent)), 0, 0, 0.0, 0.0, 0.0
        target.mkdir(parents=True, exist_ok=True)
    else:
        run = fit(config, list(data), output=target, from_artifact=parent, progress=False)
        epochs, rows = len(run.history), len(run.trained.prepared.training)
        seconds, processor = time.perf_counter() - started, time.process_time() - processor
        artifact = run.export()
        export_seconds = time.perf_counter() - started - seconds
    scores: dict[str, Any] = {}
    for day, files in days.items():
        if not _has_rows(config, files):
            scores[str(day)] = {task: {"rows": 0} for task in config.log_schema.tasks}
            continue
        metrics = evaluate(artifact, files, bootstrap=0, progress=False)["tasks"]
        scores[str(day)] = {
            task: {**{name: report[name] for name in METRICS if name in report}, "rows": report["rows"]}
            for task, report in metrics.items()
        }
    result = {
        "key": key,
        "artifact": str(artifact.folder.resolve()),
        "seconds": seconds,
        "processor_seconds": processor,
        "export_seconds": export_seconds,
        "rows": rows,
        "epochs": epochs,
        "scores": scores,
    }
    replace_file(target / RESULT, orjson.dumps(result, option=orjson.OPT_INDENT_2))
    shutil.rmtree(target / RUN, ignore_errors=True)  # its encoded rows would fill the disk
    return result


def _has_rows(experiment: Experiment, files: str) -> bool:
    """Whether ``given_conflicts: drop`` leaves any row of a day's files."""
    schema, log = experiment.log_schema, open_log(experiment, [files])
    rows = without_dropped(EveryRow(log.typed(kinds_of(experiment))), schema, labels_of(schema))
    columns = [column for column in label_columns(schema) if column not in labels_of(schema)]
    return any(mask.any() for _, mask in rows.validation(columns or [DAY]))
