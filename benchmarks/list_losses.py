"""List losses beside the cross-entropy of clicks, on a simulated log whose requests are the lists.

    python -m benchmarks.list_losses --output runs/list_losses

The log is `ranker-train simulate`'s, 200,000 impressions in requests of 10; the last day is held out. One model of
64-32 units learns clicks and likes (`given: click`), with each list loss at a share of the click's loss. `utility` is
the true expected clicks in the first 5 places of the held-out requests, ranked by the click score, as a share of the
best ranking's. Finished fits are not repeated.
"""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import pandas as pd
import typer

from training.quiet_imports import TRAINING, import_quietly

if TYPE_CHECKING:
    from ranker.inference import Model

LOSSES = ("none", "softmax", "pairwise_logistic", "bpr", "lambdarank", "approx_ndcg", "jrc")
COLUMNS = ("gauc", "ndcg@5", "auc", "log_loss", "calibration", "utility")
FIRST = 5


def main(
    output: Annotated[Path, typer.Option(help="Folder for intermediate and final results.")],
    rows: Annotated[int, typer.Option(min=10_000)] = 200_000,
    share: Annotated[float, typer.Option(help="Share of the list loss.")] = 0.5,
    seeds: Annotated[int, typer.Option(min=1)] = 3,
) -> None:
    """Run what is missing and print the table."""
    import_quietly(TRAINING)
    found: dict[str, list[list[float]]] = {}
    for seed in range(seeds):
        log = output / str(seed) / "log"
        if not log.is_dir():
            _simulate(log, rows, seed)
        for name in LOSSES:
            file = output / str(seed) / f"{name}_{share:g}.json"
            if not file.is_file():
                file.write_text(json.dumps(_measured(log, file.with_suffix(""), name, share, seed)))
            found.setdefault(name, []).append(json.loads(file.read_text()))
    table = f"| | {' | '.join(COLUMNS)} |\n|---|{'---:|' * len(COLUMNS)}\n"
    for name, values in found.items():
        means, spreads = np.mean(values, axis=0), np.std(values, axis=0)
        cells = [f"{mean:.4f} ± {spread:.4f}" for mean, spread in zip(means, spreads, strict=True)]
        table += f"| {name} | {' | '.join(cells)} |\n"
    (output / f"table_{share:g}.md").write_text(table)
    sys.stdout.write(table)


def _simulate(folder: Path, rows: int, seed: int) -> None:
    from training.simulator import SimulatorConfig, simulate

    folder.parent.mkdir(parents=True, exist_ok=True)
    simulate(SimulatorConfig(rows=rows, seed=seed, users=4000, items=1000), folder)


def _measured(log: Path, output: Path, loss: str, share: float, seed: int) -> list[float]:
    from ranker.inference import Model
    from training.commands.fit import fit

    click: dict[str, Any] = {"kind": "binary"}
    if loss != "none":
        click["rank_loss"] = {"name": loss, "weight": share}
    config = {
        "data": {"split": {"by": "time", "column": "date", "last": 1}},
        "schema": {
            "context": {
                "user_id": {"kind": "categorical", "dimension": 8},
                "user_activity": {"kind": "numeric", "transform": "log1p"},
            },
            "candidate": {
                "item_id": {"kind": "categorical", "dimension": 8},
                "category": {"kind": "categorical", "dimension": 4},
                "item_embedding": {"kind": "dense", "size": 8},
            },
            "tasks": {"click": click, "like": {"kind": "binary", "given": "click"}},
        },
        "architecture": {"name": "shared_bottom", "bottom": [64, 32], "towers": []},
        "embedding": {"dropout": 0.1, "l2": 1e-5},
        "training": {"epochs": 6, "batch_size": 1024, "seed": seed, "threads": 1},
        "early_stopping": {"metric": "click.gauc"},
        "evaluation": {"group_by": "request_id", "metrics": [f"click.ndcg@{FIRST}"], "bootstrap": 0},
    }
    run = fit(config, log, output=output, progress=False)
    report = run.metrics["tasks"]["click"]
    return [*(float(report[name]) for name in COLUMNS[:-1]), _utility(Model.load(run.export().folder), log)]


def _utility(model: "Model", log: Path) -> float:
    """True clicks of the first places, as a share of those of the best ranking, in the held-out requests."""
    from training.simulator import World

    world, rows = World.load(log), pd.read_parquet(log)
    rows = rows[rows["date"] == rows["date"].max()].sort_values(["request_id", "position"])
    whole = rows.groupby("request_id")["item_id"].transform("size") == world.config.shown_per_session
    lists = [list_ for _, list_ in rows[whole].groupby("request_id")]
    users = np.array([int(list_["user_id"].iloc[0]) for list_ in lists])
    items = np.array([list_["item_id"].to_numpy() for list_ in lists])
    scores = np.array([_click(model, list_) for list_ in lists])
    reached = world.collected(users, items, np.argsort(-scores, axis=1, kind="stable"), FIRST)["click"]
    best = world.expected(users[:, None], items)["click"]
    return float(reached.sum() / world.collected(users, items, np.argsort(-best, axis=1), FIRST)["click"].sum())


def _click(model: "Model", rows: pd.DataFrame) -> Any:
    context = {name: rows[name].iloc[0].item() for name in ("user_id", "user_activity")}
    candidates = {name: rows[name].tolist() for name in ("item_id", "category", "item_embedding")}
    return np.asarray(model.score(context, candidates)["click"])


if __name__ == "__main__":
    typer.run(main)
