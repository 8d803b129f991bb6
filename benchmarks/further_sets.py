"""The KuaiRand config on two further sets with other column names, beside LightGBM with the same features.

    python -m benchmarks.further_sets movielens --ratings ratings.dat --output runs/movielens
    python -m benchmarks.further_sets lists --output runs/lists

`movielens` has ids alone: a user, a film, and whether the film was liked (four stars) and loved (five); each seed draws
a fifth of the ratings for the test. `lists` has small lists of hotels as in `benchmarks.within_lists`, clicked and
booked. LightGBM chooses its leaves and rounds by a tenth of the other rows, as ours its epochs if the config stops
early; both are then fitted again on all but the test's. Finished steps are not repeated.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer
import yaml

from benchmarks.within_lists import WITHIN, lists

PARTS = ("train", "validation", "test")
TEST, VALIDATION = 0.2, 0.1


class Name(StrEnum):
    """The sets."""

    movielens = "movielens"
    lists = "lists"


IDS: dict[str, Any] = {
    "candidate_id": "film",
    "context": {"user": {"kind": "categorical", "min_count": 50, "dimension": 4}},
    "candidate": {"film": {"kind": "categorical", "min_count": 5, "dimension": 4}},
    "tasks": {"liked": {"kind": "binary"}, "loved": {"kind": "binary"}},
    "label_statistics": {"of": ["user", "film"], "smoothing": 20, "folds": 10},
}
HOTELS: dict[str, Any] = {
    "context": {"user": {"kind": "categorical", "min_count": 50, "dimension": 4}},
    "candidate": {
        "price": {"kind": "numeric", "transform": "log1p"},
        "stars": {"kind": "numeric"},
        "brand": {"kind": "categorical", "dimension": 4},
    },
    "tasks": {"click": {"kind": "binary"}, "book": {"kind": "binary"}},
    "within_list": WITHIN,
}
SCHEMAS = {Name.movielens: IDS, Name.lists: HOTELS}


def main(
    name: Annotated[Name, typer.Argument(help="The set.")],
    output: Annotated[Path, typer.Option(help="Folder for intermediate and final results.")],
    ratings: Annotated[
        Path | None, typer.Option(help="MovieLens' ratings: ratings.dat, or ratings.csv with a header.")
    ] = None,
    config: Annotated[Path, typer.Option(help="Config of which all but the schema is kept.")] = Path(
        "configs/kuairand_blend.yaml"
    ),
    seeds: Annotated[int, typer.Option(min=1)] = 3,
    searches: Annotated[int, typer.Option(min=10, help="Simulated lists.")] = 5000,
    peers_python: Annotated[Path, typer.Option(help="Python interpreter of the peers' environment.")] = Path(
        ".peers/bin/python"
    ),
) -> None:
    """Run what is missing and print the table."""
    if name is Name.movielens and ratings is None:
        raise typer.BadParameter("movielens needs --ratings FILE")
    lines = []
    for seed in range(seeds):
        folder = output / str(seed)
        if not (folder / "test.parquet").is_file():
            rows, group = (
                (_ratings(ratings), None) if name is Name.movielens and ratings else (lists(searches, seed), "request")
            )
            _write(folder, rows, group, seed)
        if not (folder / "lightgbm.json").is_file():
            (folder / "features.json").write_text(json.dumps(SCHEMAS[name]))
            subprocess.run(
                [str(peers_python), "-m", "benchmarks.peers.further_sets", str(folder), str(seed)], check=True
            )
        if not (folder / "ours.json").is_file():
            (folder / "ours.json").write_text(json.dumps(_ours(folder, config, SCHEMAS[name], seed)))
        peer, ours = (json.loads((folder / f"{side}.json").read_text()) for side in ("lightgbm", "ours"))
        lines += [("LightGBM", peer), ("ours", ours)]
    table = _table(lines)
    (output / "table.md").write_text(table)
    sys.stdout.write(table)


def _ratings(file: Path) -> pd.DataFrame:
    names = ["user", "film", "rating", "time"]
    if file.suffix == ".csv":
        frame = pd.read_csv(file, names=names, header=0)
    else:
        frame = pd.read_csv(file, names=names, sep="::", engine="python")
    return frame.assign(liked=(frame["rating"] >= 4).astype(int), loved=(frame["rating"] >= 5).astype(int))


def _write(folder: Path, rows: pd.DataFrame, group: str | None, seed: int) -> None:
    """Split at random by row, or by whole lists."""
    random = np.random.default_rng(seed)
    of = np.arange(len(rows)) if group is None else np.unique(rows[group], return_inverse=True)[1]
    drawn = random.random(int(of.max()) + 1)[of]
    kept = 1 - TEST
    part = np.select([drawn >= kept, drawn >= kept * (1 - VALIDATION)], [2, 1], 0)
    folder.mkdir(parents=True, exist_ok=True)
    for index, name in enumerate(PARTS):
        rows[part == index].to_parquet(folder / f"{name}.parquet", index=False)


def _ours(folder: Path, config: Path, schema: Mapping[str, Any], seed: int) -> dict[str, float]:
    from training.quiet_imports import TRAINING, import_quietly

    import_quietly(TRAINING)
    from training.commands.evaluate import evaluate
    from training.commands.fit import fit

    options = yaml.safe_load(config.read_text())
    del options["fusion"]
    options["data"] = {"split": {"by": "files", "paths": [str(folder / "validation.parquet")]}}
    options["schema"] = schema
    options["evaluation"] = {"bootstrap": 0}
    options["training"]["seed"] = seed
    run = fit(options, [folder / "train.parquet"], output=folder / "run")
    artifact = run.export()
    tasks = evaluate(artifact, folder / "test.parquet", bootstrap=0)["tasks"]
    return {task: float(report["auc"]) for task, report in tasks.items()}


def _table(lines: list[tuple[str, dict[str, float]]]) -> str:
    tasks = list(lines[0][1])
    text = f"| model | {' | '.join(tasks)} | mean |\n|---|{'---:|' * (len(tasks) + 1)}\n"
    for model in ("LightGBM", "ours"):
        aucs = np.array([[auc[task] for task in tasks] for side, auc in lines if side == model])
        cells = [f"{value:.4f}" for value in (*aucs.mean(axis=0), aucs.mean())]
        text += f"| {model} | {' | '.join(cells)} |\n"
    means = {side: np.array([np.mean(list(auc.values())) for of, auc in lines if of == side]) for side, _ in lines}
    gains = means["ours"] - means["LightGBM"]
    return text + f"\nours - LightGBM by seed: {' '.join(f'{gain:+.4f}' for gain in gains)}\n"


if __name__ == "__main__":
    typer.run(main)
