"""Watch time given duration on KuaiRand's last day: each kind of task with the same network, beside LightGBM.

    python -m benchmarks.watch_time LOG.parquet --output runs/watch_time --peers-python .peers/bin/python

Labels are seconds of play, cut at five minutes for training and for measuring alike, since three in a thousand are
longer and would decide squared errors. The number of epochs, or of trees, is chosen by the MAE of the day before the
last, for seed 0; then each model is fitted on all days before the last and measured on the last one.
"""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.kuairand import DAY
from benchmarks.report import versions, write_json
from ranker.encoding import Layout
from ranker.encoding.tree_scores import TreeColumns
from ranker.metrics import calibration, mae, rmse, xauc
from training.commands.fit import fit
from training.data.batches import EncodedRows
from training.data.encode import columns_at, rows_of
from training.data.split.held_out import split
from training.data.trees.scores import packed_of
from training.trainer.run import Run

Floats = npt.NDArray[np.float64]

LONGEST_S = 300
TASK, DURATION = "watch", "duration"
KINDS: dict[str, dict[str, Any]] = {
    "regression": {"kind": "regression"},
    "regression, log1p": {"kind": "regression", "transform": "log1p"},
    "weighted logistic": {"kind": "regression", "loss": "weighted_logistic"},
    "ziln": {"kind": "ziln"},
    "discretised": {"kind": "discretised"},
    "discretised by duration": {"kind": "discretised", "duration": DURATION},
    "quantile_of_duration": {"kind": "quantile_of_duration", "duration": DURATION},
}
ID = {"kind": "categorical", "min_count": 5, "dimension": 8}
LOG1P = {"kind": "numeric", "transform": "log1p"}
GROUPS = 5
MOST_EPOCHS = 5


def config(kind: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """The experiment of one kind of task; the last day of the log is held out."""
    return {
        "data": {"split": {"by": "time", "column": DAY, "last": 1}},
        "schema": {
            "context": {
                "user_id": ID,
                "tab": ID,
                "hour": ID,
                "u_user_active_degree": ID,
                "u_fans_user_num": LOG1P,
                "u_register_days": LOG1P,
                "u_prior_impressions": LOG1P,
                "u_prior_likes_last50": LOG1P,
            },
            "candidate": {
                "video_id": ID,
                "i_author_id": ID,
                "i_upload_type": ID,
                "tag_set": {**ID, "column": "i_tag"},
                DURATION: {**LOG1P, "column": "duration_ms"},
                "duration_bucket": {"kind": "numeric", "column": "duration_ms", "transform": "buckets", "dimension": 8},
                "i_age_days": {"kind": "numeric"},
                "i_prior_seen": LOG1P,
            },
            "tasks": {TASK: {**kind, "label": f"min(play_time_ms / 1000, {LONGEST_S})"}},
            "label_statistics": {
                "of": ["user_id", "video_id", "i_author_id", "tab", ["user_id", "tab"]],
                "fold_by": DAY,
            },
        },
        "architecture": {"name": "shared_bottom", "bottom": [64, 32], "towers": [16], "dropout": 0.1},
        "embedding": {"l2": 1e-5, "dropout": 0.1},
        "optimizer": {"dense": {"learning_rate": 0.002}, "embeddings": {"name": "adagrad", "learning_rate": 0.005}},
        "training": {"epochs": MOST_EPOCHS, "batch_size": 1024, "seed": seed, "threads": 1},
        "early_stopping": {"metric": f"{TASK}.mae", "patience": 1},
        "evaluation": {"bootstrap": 0},
        "fusion": {"name": "additive"},
    }


def fitted(kind: Mapping[str, Any], seed: int, epochs: int | None, log: pd.DataFrame, folder: Path) -> Run:
    """A run on a log whose last day is held out; without ``epochs``, with as many as are best for that day."""
    changes: dict[str, Any] = {}
    if epochs is not None:
        changes = {"early_stopping": None, "training": {**config(kind, seed)["training"], "epochs": epochs}}
    return fit({**config(kind, seed), **changes}, log, output=folder, progress=False).trained


def values(rows: EncodedRows, layout: Layout) -> npt.NDArray[np.float32]:
    """What the network reads as columns for trees [N, F]: numbers, label statistics, and ids as codes."""
    columns = TreeColumns(layout)
    sides = (columns.of(packed_of(chunk, layout)) for chunk in rows.chunks())
    return np.concatenate([np.concatenate(pair, axis=1) for pair in sides])


def measured(labels: Floats, scores: Floats, groups: npt.NDArray[np.intp]) -> dict[str, Any]:
    """Metrics of all rows and by group of durations [N]."""
    each = [groups == group for group in range(GROUPS)]
    return {
        "mae": mae(labels, scores),
        "rmse": rmse(labels, scores),
        "xauc": xauc(labels, scores),
        "calibration": calibration(labels, scores),
        "mae_by_duration": [mae(labels[own], scores[own]) for own in each],
        "xauc_by_duration": [xauc(labels[own], scores[own]) for own in each],
    }


def of_peers(python: Path, run: Run, days: npt.NDArray[Any], seeds: int, folder: Path) -> dict[str, list[Floats]]:
    """LightGBM's scores [N] of the last day by model and seed, on the inputs of ``run``, in another interpreter."""
    rows, answer = folder / "rows.npz", folder / "scores.npz"
    layout, labels = run.prepared.encoder.layout, run.prepared.training.columns("labels")
    np.savez(
        rows,
        training=values(run.prepared.training, layout),
        labels=np.concatenate([chunk[0][:, 0] for chunk in labels]),
        last=days == days.max(),
        scored=values(run.prepared.validation, layout),
    )
    command = [str(python), "-m", "benchmarks.peers.watch_time", str(rows), str(answer), "--seeds", str(seeds)]
    subprocess.run(command, check=True)
    with np.load(answer) as found:
        return {name: list(scores) for name, scores in zip(found["names"].tolist(), found["scores"], strict=True)}


def main(
    data: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="KuaiRand-Pure's impressions, Parquet.")],
    output: Annotated[Path, typer.Option(help="Folder of the runs and the results.")] = Path("runs/watch_time"),
    peers_python: Annotated[Path | None, typer.Option(help="Interpreter that has LightGBM; adds two models.")] = None,
    seeds: Annotated[int, typer.Option(min=1)] = 3,
    only: Annotated[list[str] | None, typer.Option(help="Kinds to fit; all by default.")] = None,
) -> None:
    """Fit all kinds, print two tables, and write ``results.json``."""
    log = pd.read_parquet(data)
    log[DAY] = log[DAY].astype(str)
    before = log[log[DAY] < log[DAY].max()]
    scores: dict[str, list[Floats]] = {}
    epochs: dict[str, int] = {}
    labels: Floats | None = None
    groups: npt.NDArray[np.intp] | None = None
    for name in only or KINDS:
        place = output / name.replace(",", "").replace(" ", "_")
        epochs[name] = fitted(KINDS[name], 0, None, before, place / "pilot").best_epoch
        runs = [fitted(KINDS[name], seed, epochs[name], log, place / str(seed)) for seed in range(seeds)]
        scores[name] = [run.predictions.scores[:, 0].astype(np.float64) for run in runs]
        if labels is None or groups is None:
            run = runs[0]
            labels = run.predictions.labels[:, 0].astype(np.float64)
            rows = rows_of(run.experiment.log_schema, split(run.log, run.experiment.data.split, 0))
            found = columns_at(run.experiment.log_schema, rows, ["duration_ms"])["duration_ms"].astype(np.float64)
            edges = np.quantile(found, np.arange(1, GROUPS) / GROUPS)
            groups = np.searchsorted(edges, found, side="right")
            if peers_python is not None:
                days = before[DAY].to_numpy()
                scores |= of_peers(peers_python, run, days, seeds, output)
        shown = [measured(labels, each, groups) for each in scores[name]]
        print(
            name, epochs[name], {key: round(float(np.mean([one[key] for one in shown])), 4) for key in ("mae", "xauc")}
        )
    assert labels is not None
    assert groups is not None
    results = {name: [measured(labels, each, groups) for each in of] for name, of in scores.items()}
    _print(results, [f"{edge / 1000:.0f} s" for edge in edges])
    write_json(
        output / "results.json",
        {
            "benchmark": "watch_time",
            "protocol": {"longest_s": LONGEST_S, "rows": len(labels), "seeds": seeds, "edges_ms": edges.tolist()},
            "versions": versions("ranker", "tensorflow", "numpy"),
            "epochs": epochs,
            "results": json.loads(json.dumps(results)),
        },
    )


def _print(results: Mapping[str, list[dict[str, Any]]], edges: list[str]) -> None:
    whole = Table("model", "MAE s", "RMSE s", "XAUC", "mean score / mean label")
    parts = Table(
        "model",
        *(f"XAUC, to {edge}" for edge in edges),
        "XAUC, longer",
        "mean",
        *(f"MAE {i + 1}" for i in range(GROUPS)),
    )
    for name, of in results.items():
        mean, spread = ({key: f([one[key] for one in of], axis=0) for key in of[0]} for f in (np.mean, np.std))
        whole.add_row(
            name,
            f"{mean['mae']:.2f} ± {spread['mae']:.2f}",
            f"{mean['rmse']:.2f} ± {spread['rmse']:.2f}",
            f"{mean['xauc']:.4f} ± {spread['xauc']:.4f}",
            f"{mean['calibration']:.2f}",
        )
        xaucs = mean["xauc_by_duration"]
        parts.add_row(
            name,
            *(f"{each:.4f}" for each in xaucs),
            f"{np.mean(xaucs):.4f}",
            *(f"{each:.2f}" for each in mean["mae_by_duration"]),
        )
    console = Console(width=200)
    console.print(whole)
    console.print(parts)


if __name__ == "__main__":
    typer.run(main)
