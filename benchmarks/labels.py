"""Effect of labels and weights on the top of the ranking: one task at a time on a simulated log.

    ranker-train simulate --rows 200000 --output demo/log
    python -m benchmarks.labels --data demo/log --output runs/labels

Each variation trains one task on the features of configs/watch_time.yaml, with a network of 64-32 and a tower of 16,
and keeps the epoch with the best AUC or RMSE. Measured on the last day: the ratio of mean score to mean label, the
error in seconds, and the share of clicks and the seconds watched among the 10 % of rows with the highest scores.
"""

import json
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import numpy as np
import typer
import yaml
from rich.console import Console
from rich.progress import track
from rich.table import Table

from training.quiet_imports import TRAINING, import_quietly

VARIATIONS: dict[str, dict[str, Any]] = {
    "click": {"kind": "binary", "column": "click"},
    "click, weighed by log1p(watch_time)": {
        "kind": "binary",
        "column": "click",
        "weight": "where(click == 1, log1p(watch_time), 1)",
    },
    "watch time: mse": {"kind": "regression"},
    "watch time: huber of log1p": {"kind": "regression", "transform": "log1p", "loss": "huber"},
    "watch time: weighted_logistic": {"kind": "regression", "loss": "weighted_logistic"},
    "watch time: weighted_logistic, negatives: zeros": {
        "kind": "regression",
        "loss": "weighted_logistic",
        "negatives": "zeros",
    },
}
CONFIG = Path(__file__).parents[1] / "configs" / "watch_time.yaml"
COLUMNS = {"calibration": 2, "mae": 2, "rmse": 2, "clicks": 3, "seconds": 1}


def measured(task: dict[str, Any], data: Path, seed: int) -> dict[str, float]:
    """Train one task and compare its scores with the true outcomes."""
    import_quietly(TRAINING)
    from training.config.experiment import Experiment
    from training.evaluation.evaluate import predict
    from training.trainer.epoch import scorer
    from training.trainer.train import train

    base = yaml.safe_load(CONFIG.read_text())
    schema = {key: base["schema"][key] for key in ("candidate_id", "context", "candidate")}
    # Extra tasks with their own networks and embeddings carry the watch time and the click to validation.
    watched, clicked = {"kind": "regression", "column": "watch_time"}, {"kind": "binary", "column": "click"}
    config = {
        "data": base["data"],
        "schema": {**schema, "tasks": {"watch_time": task, "watched": watched, "clicked": clicked}},
        "architecture": {"name": "independent", "network": [64, 32], "towers": [16], "embeddings": "own"},
        "weighting": {"name": "static", "weights": {"watched": 0, "clicked": 0}},
        "embedding": base["embedding"],
        "training": {"epochs": 4, "batch_size": 2048, "seed": seed},
        "early_stopping": {"metric": "watch_time.auc" if task["kind"] == "binary" else "watch_time.rmse"},
        "evaluation": {"bootstrap": 0},
    }
    with TemporaryDirectory() as folder:
        run = train(Experiment.model_validate(config), [data], Path(folder))
        predictions = predict(scorer(run.model), run.prepared.validation.chunks(), run.model.schema)
    scores, labels = predictions.scores[:, 0].astype(np.float64), predictions.labels.astype(np.float64)
    first = np.argsort(-scores)[: len(scores) // 10]
    found = {
        "calibration": scores.mean() / labels[:, 0].mean(),
        "clicks": labels[first, 2].mean(),
        "seconds": labels[first, 1].mean(),
    }
    if task["kind"] == "regression":
        errors = scores - labels[:, 0]
        found |= {"mae": np.abs(errors).mean(), "rmse": np.sqrt((errors**2).mean())}
    return {name: float(value) for name, value in found.items()}


def main(data: Annotated[Path, typer.Option()], output: Annotated[Path, typer.Option()], seeds: int = 3) -> None:
    """Run the missing fits, and print means over seeds with their standard deviations."""
    output.mkdir(parents=True, exist_ok=True)
    console = Console()
    table = Table("label", *COLUMNS)
    for number, (name, task) in enumerate(track(VARIATIONS.items(), "fitting", console=console)):
        found = []
        for seed in range(seeds):
            file = output / f"{number}-{seed}.json"
            if not file.is_file():
                with ProcessPoolExecutor(
                    1, mp_context=get_context("spawn")
                ) as fresh:  # TensorFlow does not free memory
                    file.write_text(json.dumps(fresh.submit(measured, task, data, seed).result()))
            found.append(json.loads(file.read_text()))
        cells = []
        for column, digits in COLUMNS.items():
            values = [one[column] for one in found if column in one]
            cells.append(f"{np.mean(values):.{digits}f} ± {np.std(values):.{digits}f}" if values else "")
        table.add_row(name, *cells)
    console.print(table)


if __name__ == "__main__":
    typer.run(main)
