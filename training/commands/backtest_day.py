"""One model of a backtest, trained and measured in its own process."""

import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from ranker.files import replace_file
from training.commands.evaluate import evaluate
from training.commands.fit import fit
from training.config.experiment import Experiment
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
    this process.
    """
    target = Path(folder)
    started = time.perf_counter()
    run = fit(
        Experiment.model_validate_json(experiment), list(data), output=target, from_artifact=parent, progress=False
    )
    epochs, rows = len(run.history), len(run.trained.prepared.training)
    seconds = time.perf_counter() - started
    artifact = run.export()
    export_seconds = time.perf_counter() - started - seconds
    scores = {}
    for day, files in days.items():
        metrics = evaluate(artifact, files, bootstrap=0, progress=False)["tasks"]
        scores[str(day)] = {
            task: {**{name: report[name] for name in METRICS if name in report}, "rows": report["rows"]}
            for task, report in metrics.items()
        }
    result = {
        "key": key,
        "artifact": str(artifact.folder.resolve()),
        "seconds": seconds,
        "export_seconds": export_seconds,
        "rows": rows,
        "epochs": epochs,
        "scores": scores,
    }
    replace_file(target / RESULT, orjson.dumps(result, option=orjson.OPT_INDENT_2))
    shutil.rmtree(target / RUN, ignore_errors=True)  # its encoded rows would fill the disk
    return result
