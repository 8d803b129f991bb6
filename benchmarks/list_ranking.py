"""NDCG of graded lists: list losses beside LightGBM's LambdaRank, on the same features.

    python -m benchmarks.list_ranking --output runs/list_ranking

Recipe: a list has 10 to 40 items with 16 features, standard normal; half of them also have a level of their own in each
list. The utility of an item is smooth in some of them, steps in others, and products of pairs, plus a level of the list
and noise of standard deviation 1; its grade is 0 to 4, for shares of 52, 26, 14, 6 and 2 % of all items. Lists are
divided 6 : 1 : 3. Gains are 2^grade - 1, ties share their mean gain. LightGBM chooses its leaves, and both their rounds
or epochs, by NDCG@10 of the validation lists; our trees have the same number of rounds everywhere. Finished fits are
not repeated.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer

from training.quiet_imports import TRAINING, import_quietly

FEATURES = [f"x{i}" for i in range(16)]
NUMBER = {"kind": "numeric", "transform": "piecewise_linear", "bins": 8}
SHARES = (0.52, 0.26, 0.14, 0.06)
PARTS = ("train", "validation", "test")
LOSSES = (
    *("pointwise", "lambdarank", "softmax", "pairwise_logistic"),
    *("boosted_trees", "lambdarank with trees", "softmax with trees"),
)
TREES = {"rounds": 400, "leaves": 8, "least_rows": 50, "column_fraction": 0.8, "learning_rate": 0.05}
CUTOFF = 10


def lists(count: int, seed: int) -> pd.DataFrame:
    """Rows of simulated lists."""
    random = np.random.default_rng(seed)
    request = np.repeat(np.arange(count), random.integers(10, 41, count))
    x = random.normal(size=(len(request), len(FEATURES)))
    x[:, ::2] = 0.8 * x[:, ::2] + 0.6 * random.normal(size=(count, len(FEATURES) // 2))[request]
    utility = x[:, 0] + 0.6 * np.sin(2 * x[:, 1]) - 0.4 * x[:, 2] ** 2 + 0.5 * np.abs(x[:, 3])
    utility += 0.8 * (x[:, 4] > 0.5) + 0.6 * (x[:, 5] > 0) * (x[:, 6] > 0) + 0.7 * x[:, 7] * x[:, 8]
    utility += random.normal(size=count)[request] + random.normal(size=len(request))
    grade = np.digitize(utility, np.quantile(utility, np.cumsum(SHARES)))
    return pd.DataFrame(x.astype(np.float32), columns=FEATURES).assign(request=request, grade=grade)


def main(
    output: Annotated[Path, typer.Option(help="Folder for intermediate and final results.")],
    count: Annotated[int, typer.Option(min=100, help="Simulated lists.")] = 4000,
    seeds: Annotated[int, typer.Option(min=1)] = 3,
    peers_python: Annotated[Path, typer.Option(help="Python interpreter of the peers' environment.")] = Path(
        ".peers/bin/python"
    ),
) -> None:
    """Run what is missing and print the table."""
    found: dict[str, list[float]] = {}
    for seed in range(seeds):
        folder = output / str(seed)
        if not (folder / "test.parquet").is_file():
            _write(folder, lists(count, seed), count, seed)
        for name in ("lightgbm", *LOSSES):
            file = folder / f"{name}.json"
            if not file.is_file():
                scores = _lightgbm(folder, seed, peers_python) if name == "lightgbm" else _ours(folder, name, seed)
                file.write_text(json.dumps(_ndcg(folder, scores)))
            found.setdefault(name, []).append(json.loads(file.read_text()))
    table = "| | NDCG@10 | by seed, less LightGBM's |\n|---|---:|---|\n"
    for name, values in found.items():
        gains = " ".join(f"{a - b:+.4f}" for a, b in zip(values, found["lightgbm"], strict=True))
        table += f"| {name} | {np.mean(values):.4f} | {'' if name == 'lightgbm' else gains} |\n"
    (output / "table.md").write_text(table)
    sys.stdout.write(table)


def _write(folder: Path, rows: pd.DataFrame, count: int, seed: int) -> None:
    """Split by whole lists."""
    part = np.random.default_rng(seed).choice(3, count, p=(0.6, 0.1, 0.3))[rows["request"]]
    folder.mkdir(parents=True, exist_ok=True)
    for index, name in enumerate(PARTS):
        rows[part == index].to_parquet(folder / f"{name}.parquet", index=False)


def _ndcg(folder: Path, scores: Any) -> float:
    from ranker.metrics import ndcg

    test = pd.read_parquet(folder / "test.parquet")
    return ndcg(np.exp2(test["grade"]) - 1, scores, test["request"], CUTOFF).value


def _lightgbm(folder: Path, seed: int, python: Path) -> Any:
    subprocess.run([str(python), "-m", "benchmarks.peers.list_ranking", str(folder), str(seed)], check=True)
    return np.load(folder / "lightgbm.npy")


def _ours(folder: Path, name: str, seed: int) -> Any:
    import_quietly(TRAINING)
    from ranker.inference import Model
    from training.commands.fit import fit

    loss, _, trees = name.partition(" with ")
    task: dict[str, Any] = {"kind": "relevance", "column": "grade"}
    metric = f"rel.graded_ndcg@{CUTOFF}"
    if loss == "pointwise":
        task, metric = {"kind": "regression", "column": "grade"}, "rel.ndcg@10"
    elif loss != "boosted_trees":
        task["rank_loss"] = {"name": loss}
    config: dict[str, Any] = {
        "data": {"split": {"by": "files", "paths": [str(folder / "validation.parquet")]}},
        "schema": {"candidate": dict.fromkeys(FEATURES, NUMBER), "tasks": {"rel": task}},
        "architecture": {"name": "shared_bottom", "bottom": [256, 128], "towers": [], "dropout": 0.2},
        "interaction": "cross",
        "optimizer": {"dense": {"name": "adam", "learning_rate": 0.001}, "average": 0.998},
        "training": {"epochs": 30, "batch_size": 512, "seed": seed, "threads": 1},
        "early_stopping": {"metric": metric, "patience": 5},
        "evaluation": {"group_by": "request", "metrics": ["rel.ndcg@10"], "bootstrap": 0},
    }
    if trees:
        config["trees"] = {**TREES, "blend": 0.5}
    if loss == "boosted_trees":
        config |= {"architecture": loss, "trees": TREES}
    output = folder / f"run_{name.replace(' ', '_')}"
    artifact = fit(config, [folder / "train.parquet"], output=output, progress=False).export()
    test = pd.read_parquet(folder / "test.parquet")
    scores = Model.load(artifact.folder).score({}, {name: test[name].tolist() for name in FEATURES})
    return np.asarray(scores["rel"])


if __name__ == "__main__":
    typer.run(main)
