"""Fits LightGBM on encoded rows, one booster per task and fold."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ranker.funnels import Funnel, FunnelOptions
from ranker.schema import Schema
from ranker.tasks import TreeTarget
from ranker.trees import Tree, arrays_of
from training.config.trees import TreeOptions
from training.data.batches import EncodedRows

PATIENCE = 20
"""Rounds without improvement on the held-out rows after which ``rounds: auto`` stops."""
MANY = 2_000_000
"""Fewest values for several threads, which with fewer mostly wait for each other; the trees are the same."""


@dataclass(frozen=True)
class Targets:
    """What the trees of one task are fitted to: target [N], and the weight of each row [N], 0 for rows left out."""

    target: TreeTarget
    weights: NDArray[np.float64]


def targets_of(schema: Schema, rows: EncodedRows) -> dict[str, Targets]:
    """Targets by task.

    The trees' sum is the task's logit, so trees of a task with ``given`` are fitted on the rows where its label is 1.
    """
    parts = [
        (labels, np.prod([known, *own], axis=0)) for labels, known, *own in rows.columns("labels", "known", "weights")
    ]
    labels, weights = (np.concatenate(part).astype(np.float64) for part in zip(*parts, strict=True))
    funnel, targets = Funnel(schema, FunnelOptions()), {}
    for place, (name, task) in enumerate(schema.tasks.items()):
        target = task.tree_target(labels[:, place])
        if target is None:  # the config refuses trees of such a task
            continue
        counted = np.asarray(funnel.within_parent(labels, weights, place), dtype=np.float64)
        targets[name] = Targets(target, counted if target.weights is None else counted * target.weights)
    return targets


class Boosting:
    """Fits boosters on rows with values [N, F], which are read from ``file`` once and kept as bins, a byte a value."""

    def __init__(self, file: Path, options: TreeOptions, seed: int, threads: int | None) -> None:
        import lightgbm as lgb  # lazy: only runs with trees need it

        values = np.load(file, mmap_mode="r", allow_pickle=False)
        self._options = options
        self._parameters: dict[str, Any] = {
            "num_leaves": options.leaves,
            "learning_rate": options.learning_rate,
            "min_data_in_leaf": options.least_rows,
            "lambda_l2": options.l2,
            "feature_fraction": options.column_fraction,
            "seed": seed,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": threads or (1 if values.size < MANY else 0),
            "verbosity": -1,
        }
        self._data = lgb.Dataset(values, np.zeros(len(values)), params=self._parameters).construct()

    def fit(
        self, targets: Targets, chosen: NDArray[np.bool_], rounds: int | None, held_out: NDArray[np.bool_] | None = None
    ) -> list[Tree]:
        """Fit on the ``chosen`` rows [N]; with no ``rounds``, as many as are best on the rows ``held_out`` [N]."""
        import lightgbm as lgb

        parameters = {**self._parameters, "objective": targets.target.objective, **targets.target.parameters}
        data = self._subset(targets, chosen)
        if rounds is not None:
            return arrays_of(lgb.train(parameters, data, rounds))
        assert held_out is not None, "rounds are chosen on rows that are held out"
        stopping = lgb.early_stopping(PATIENCE, verbose=False)
        valid = [self._subset(targets, held_out)]
        return arrays_of(lgb.train(parameters, data, self._options.max_rounds, valid_sets=valid, callbacks=[stopping]))

    def _subset(self, targets: Targets, chosen: NDArray[np.bool_]) -> Any:
        rows = np.flatnonzero(chosen & (targets.weights > 0)).astype(np.int32)
        subset = self._data.subset(rows, params=self._parameters).construct()
        subset.set_label(targets.target.labels[rows])
        subset.set_weight(targets.weights[rows])
        return subset
