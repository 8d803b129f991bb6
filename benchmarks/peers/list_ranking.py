"""LightGBM's LambdaRank on the lists of `benchmarks.list_ranking`.

    python -m benchmarks.peers.list_ranking FOLDER SEED

Reads `train`, `validation` and `test`, writes the scores of the test rows to `lightgbm.npy`.
"""

from pathlib import Path

import lightgbm
import numpy as np
import pandas as pd
import typer

LEAVES = (8, 15, 31)


def main(folder: Path, seed: int) -> None:
    """Choose leaves and rounds by NDCG@10 of the validation lists."""
    parts = {name: pd.read_parquet(folder / f"{name}.parquet") for name in ("train", "validation", "test")}
    features = [name for name in parts["test"] if name not in ("request", "grade")]
    train = _dataset(parts["train"], features)
    fits = []
    for leaves in LEAVES:
        options = {
            "objective": "lambdarank",
            "metric": "ndcg",
            "eval_at": [10],
            "num_leaves": leaves,
            "learning_rate": 0.05,
            "feature_fraction": 0.8,
            "bagging_fraction": 0.8,
            "bagging_freq": 1,
            "min_data_in_leaf": 50,
            "seed": seed,
            "num_threads": 1,
            "verbosity": -1,
        }
        booster = lightgbm.train(
            options,
            train,
            num_boost_round=2000,
            valid_sets=[_dataset(parts["validation"], features)],
            callbacks=[lightgbm.early_stopping(100, verbose=False)],
        )
        fits.append((booster.best_score["valid_0"]["ndcg@10"], booster))
    best = max(fits, key=lambda fit: fit[0])[1]
    np.save(folder / "lightgbm.npy", best.predict(parts["test"][features], num_iteration=best.best_iteration))


def _dataset(rows: pd.DataFrame, features: list[str]) -> lightgbm.Dataset:
    sizes = rows.groupby("request", sort=False).size()
    return lightgbm.Dataset(rows[features], rows["grade"], group=sizes.to_numpy(), free_raw_data=False)


if __name__ == "__main__":
    typer.run(main)
