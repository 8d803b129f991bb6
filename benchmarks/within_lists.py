"""Gain of inputs within lists on simulated lists, and their cost for a request.

    python -m benchmarks.within_lists

Recipe: a list has 5 to 40 hotels of one place, whose prices share a level (standard deviation .8 of the log, .4 within
the place). A click has the log odds -2 - 1.2 z + .5 s - 3 b: z is the log price, standardised within the list; s the
stars less the list's mean; b the share of the list's hotels with the same brand. A click is booked with the log odds
-1 - .8 z + .4 s. Nothing else matters, and no feature is relative. Models of 64-32 units see price (log1p), stars and
brand, with and without `within_list`; the epoch with the best AUC of the test lists is kept in both. The cost is CPU
time of encoding 500 candidates with 10 such inputs.
"""

import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import typer
from rich.console import Console
from rich.table import Table

from training.quiet_imports import TRAINING, import_quietly

FEATURES = {
    "price": {"kind": "numeric", "transform": "log1p"},
    "stars": {"kind": "numeric"},
    "brand": {"kind": "categorical", "dimension": 4},
}
WITHIN = {"list_by": "request", "of": list(FEATURES), "as": ["rank", "z_score", "minus_mean", "share_of_same"]}
COST = {"list_by": "request", "of": ["x0", "x1", "x2", "x3", "x4"], "as": ["rank", "z_score"], "list_size": False}
CANDIDATES, RUNS = 500, 200


def lists(count: int, seed: int) -> pd.DataFrame:
    """Rows of simulated lists."""
    random = np.random.default_rng(seed)
    sizes = random.integers(5, 41, count)
    request = np.repeat(np.arange(count), sizes)
    rows = len(request)
    price = (4 + random.normal(0, 0.8, count))[request] + random.normal(0, 0.4, rows)
    stars, brand = random.integers(1, 6, rows), random.integers(0, 12, rows)
    frame = pd.DataFrame({"request": request, "price": price, "stars": stars, "brand": brand})
    by = frame.groupby("request")
    z = (frame["price"] - by["price"].transform("mean")) / by["price"].transform("std", ddof=0)
    share = frame.groupby(["request", "brand"])["stars"].transform("size") / by["stars"].transform("size")
    odds = -2 - 1.2 * z + 0.5 * (stars - by["stars"].transform("mean")) - 3 * share
    frame["click"] = (random.random(rows) < 1 / (1 + np.exp(-odds))).astype(int)
    user = random.integers(0, 50, count)[request]
    booked = 1 / (1 + np.exp(1 + 0.8 * z - 0.4 * (stars - by["stars"].transform("mean"))))
    frame["book"] = frame["click"] * (random.random(rows) < booked)
    return frame.assign(price=np.exp(price), user=user)


def quality(within: dict[str, Any] | None, training: int, test: int, seed: int) -> tuple[float, float]:
    """AUC and NDCG@10 of clicks in the test lists."""
    import_quietly(TRAINING)
    from training.config.experiment import Experiment
    from training.trainer.train import train

    with TemporaryDirectory() as folder:
        files = {name: str(Path(folder) / f"{name}.parquet") for name in ("train", "test")}
        lists(training, 2 * seed).to_parquet(files["train"])
        lists(test, 2 * seed + 1).to_parquet(files["test"])
        config = {
            "data": {"paths": [files["train"]], "split": {"by": "files", "paths": [files["test"]]}},
            "schema": {
                "context": {"user": {"kind": "categorical", "dimension": 2}},
                "candidate": FEATURES,
                "tasks": {"click": {"kind": "binary"}},
                "within_list": within,
            },
            "architecture": {"name": "shared_bottom", "bottom": [64, 32], "towers": []},
            "optimizer": {"dense": {"name": "adam", "learning_rate": 0.003}},
            "training": {"epochs": 12, "batch_size": 512, "seed": seed},
            "evaluation": {"group_by": "request", "metrics": ["click.ndcg@10"], "bootstrap": 0},
        }
        run = train(Experiment.model_validate(config), [files["train"]], Path(folder) / "run")
    found = run.metrics["tasks"]["click"]
    return float(found["auc"]), float(found["ndcg@10"])


def milliseconds(within: dict[str, Any] | None) -> float:
    """CPU time of encoding a request of 20 columns, the least of all runs, which other processes disturb least."""
    from ranker.encoding import EncoderFitter
    from ranker.encoding.within_list import ListInputs
    from ranker.schema import Schema

    numbers = {f"x{i}": {"kind": "numeric"} for i in range(20)}
    schema = Schema.model_validate(
        {"candidate": numbers, "tasks": {"click": {"kind": "binary"}}, "within_list": within}
    )
    random = np.random.default_rng(0)
    columns: dict[str, Any] = {name: random.lognormal(size=CANDIDATES) for name in numbers}
    request = {name: values.tolist() for name, values in columns.items()}
    inputs = ListInputs.of_schema(schema)
    if inputs is not None:
        columns |= inputs.of_one(inputs.values(columns, CANDIDATES))
    fitter, one = EncoderFitter(schema), np.ones((CANDIDATES, 1))
    fitter.add(columns, one, one.astype(bool), np.zeros(CANDIDATES, dtype=np.int64))
    encoder, found = fitter.fitted(), []
    for _ in range(RUNS):
        start = time.thread_time()
        encoder.encode_request({}, request)
        found.append(time.thread_time() - start)
    return min(found) * 1e3


def main(training: int = 1500, test: int = 1000, seeds: int = 3) -> None:
    """Print AUC and NDCG@10 with and without the inputs, by seed, and the cost of a request."""
    table = Table("seed", "AUC without", "AUC with", "NDCG@10 without", "NDCG@10 with")
    for seed in range(seeds):
        without, with_lists = (quality(within, training, test, seed) for within in (None, WITHIN))
        cells = (without[0], with_lists[0], without[1], with_lists[1])
        table.add_row(str(seed), *(f"{value:.4f}" for value in cells))
    console = Console()
    console.print(table)
    plain, listed = milliseconds(None), milliseconds(COST)
    console.print(
        f"encoding {CANDIDATES} candidates: {plain:.2f} ms without, {listed:.2f} ms with 10 inputs within lists"
    )


if __name__ == "__main__":
    typer.run(main)
