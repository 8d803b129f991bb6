"""Fits LightGBM on encoded rows, one booster per task and fold."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ranker.funnels import Funnel, FunnelOptions
from ranker.rank_losses import LISTS
from ranker.schema import Schema
from ranker.tasks import TreeTarget
from ranker.trees import Tree, arrays_of
from training.config.trees import TreeOptions
from training.data.batches import EncodedRows
from training.data.grouping import NO_GROUP

PATIENCE = 20
"""Rounds without improvement on the held-out rows after which ``rounds: auto`` stops."""
MANY = 2_000_000
"""Fewest values for several threads, which with fewer mostly wait for each other; the trees are the same."""


@dataclass(frozen=True)
class Targets:
    """What the trees of one task are fitted to.

    Attributes
    ----------
    target
        The loss and its labels [N].
    weights
        The weight of each row [N], 0 for rows left out.
    lists
        Of a loss that compares the rows of a list, each row's list key [N].
    """

    target: TreeTarget
    weights: NDArray[np.float64]
    lists: NDArray[np.int64] | None = None

    def reordered(self, order: NDArray[np.intp]) -> "Targets":
        """The same of the rows in another order [N]."""
        target = self.target._replace(labels=self.target.labels[order])  # its weights are in the rows'
        return Targets(target, self.weights[order], None if self.lists is None else self.lists[order])


def targets_of(schema: Schema, rows: EncodedRows) -> dict[str, Targets]:
    """Targets by task, in the order of the rows.

    The trees' sum is the task's logit, so trees of a task with ``given`` are fitted on the rows where its label is 1.
    """
    parts = [
        (labels, np.prod([known, *own], axis=0)) for labels, known, *own in rows.columns("labels", "known", "weights")
    ]
    labels, weights = (np.concatenate(part).astype(np.float64) for part in zip(*parts, strict=True))
    keys = [key for found in rows.columns(LISTS) for key in found]
    funnel, targets = Funnel(schema, FunnelOptions()), {}
    for place, (name, task) in enumerate(schema.tasks.items()):
        target = task.tree_target(labels[:, place])
        if target is None:  # the config refuses trees of such a task
            continue
        counted = np.asarray(funnel.within_parent(labels, weights, place), dtype=np.float64)
        if target.of_lists:
            lists = np.concatenate(keys)
            targets[name] = Targets(target, np.where(lists == NO_GROUP, 0.0, counted), lists)
        else:
            targets[name] = Targets(target, counted if target.weights is None else counted * target.weights)
    return targets


class Boosting:
    """Fits boosters on rows with values [N, F], which are read from ``file`` once and kept as bins, a byte a value.

    Rows of a list must follow one another for a loss that compares them.
    """

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
        if targets.lists is not None:
            starts = np.flatnonzero(np.diff(targets.lists[rows], prepend=-1))
            subset.set_group(np.diff(starts, append=len(rows)))
        return subset
