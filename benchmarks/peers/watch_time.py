"""LightGBM on the rows that ``benchmarks.watch_time`` wrote: squared error of seconds, and of their logarithm.

The number of trees is chosen by the MAE of the last day of the training rows, then all of them are fitted on.
"""

from pathlib import Path
from typing import Annotated, Any

import lightgbm as lgb
import numpy as np
import numpy.typing as npt
import typer

Floats = npt.NDArray[np.float64]

PARAMETERS: dict[str, Any] = {
    "objective": "regression",
    "metric": "l1",
    "learning_rate": 0.05,
    "num_leaves": 31,
    "min_data_in_leaf": 100,
    "lambda_l2": 5.0,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
}
MAX_ROUNDS, PATIENCE = 600, 30


def main(
    rows: Annotated[Path, typer.Argument(help="Rows, .npz.")],
    answer: Annotated[
        Path, typer.Argument(help="Where to write the names [K] and scores [K, S, N] of the models, .npz.")
    ],
    seeds: Annotated[int, typer.Option(min=1)] = 3,
) -> None:
    """Fit and score."""
    with np.load(rows) as found:
        training, labels, last, scored = (found[name] for name in ("training", "labels", "last", "scored"))
    scores: dict[str, Floats] = {}
    for name, there, back in (
        ("LightGBM, l2", np.array, np.array),
        ("LightGBM, log1p", np.log1p, np.expm1),
    ):
        target = there(labels)

        def absolute(values: Floats, data: lgb.Dataset, back: Any = back) -> tuple[str, float, bool]:
            return "mae", float(np.abs(back(values) - back(data.get_label())).mean()), False

        tuning = lgb.Dataset(training[~last], target[~last])
        best = lgb.train(
            {**PARAMETERS, "metric": "None", "seed": 0},
            tuning,
            MAX_ROUNDS,
            valid_sets=[lgb.Dataset(training[last], target[last], reference=tuning)],
            feval=absolute,
            callbacks=[lgb.early_stopping(PATIENCE, verbose=False)],
        ).best_iteration
        scores[name] = np.stack(
            [
                np.maximum(
                    back(lgb.train({**PARAMETERS, "seed": seed}, lgb.Dataset(training, target), best).predict(scored)),
                    0,
                )
                for seed in range(seeds)
            ]
        )
        print(name, best, "trees")
    np.savez(answer, names=np.array(list(scores)), scores=np.stack(list(scores.values())))


if __name__ == "__main__":
    typer.run(main)
