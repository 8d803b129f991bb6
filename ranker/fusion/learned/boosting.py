"""Fits boosted trees by LightGBM, and takes them apart into plain arrays; serving never comes here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ranker.fusion.base import Floats, FusionError
from ranker.fusion.labels import AT
from ranker.fusion.learned.linear import Linear, fit_linear
from ranker.metrics import ndcg

Loss: TypeAlias = Literal["log_loss", "lambdarank"]
LEVELS = 32
"""Distinct gains that LambdaRank tells apart."""

MANY = 500_000
"""Rows from which on all cores are used; with fewer, of so few columns, threads mostly wait for each other."""
COUNTS = 25
"""Numbers of trees that are tried."""

_OBJECTIVES: Mapping[Loss, Mapping[str, Any]] = {
    "log_loss": {"objective": "cross_entropy"},
    "lambdarank": {"objective": "lambdarank", "lambdarank_truncation_level": 20},
}


@dataclass(frozen=True)
class Rows:
    """What trees are fitted to: inputs [M, F], labels and weights [M], the request of each row [M]."""

    inputs: Floats
    labels: Floats
    weights: Floats
    requests: NDArray[np.intp]

    def of(self, chosen: NDArray[np.bool_]) -> "Rows":
        """Some of the rows, those of a request one after the other, as LightGBM wants them.

        Within a request they are shuffled: logs have them by position, and LambdaRank takes ties in the given order.
        """
        places = np.random.default_rng(0).permutation(np.flatnonzero(chosen))
        places = places[np.argsort(self.requests[places], kind="stable")]
        return Rows(self.inputs[places], self.labels[places], self.weights[places], self.requests[places])


@dataclass(frozen=True)
class Settings:
    """How trees grow; ``increasing`` are columns in which the result never falls.

    The first ``scores`` columns of the inputs are scores of objectives, which the linear part reads.
    """

    loss: Loss
    trees: int
    leaves: int
    learning_rate: float
    least_rows: int
    folds: int
    increasing: tuple[int, ...]
    scores: int


@dataclass(frozen=True)
class Boosted:
    """What was fitted to all rows, and for each row [M] what parts that were fitted without its request give it."""

    linear: Linear
    trees: list[dict[str, Any]]
    held_out: Floats


def boost(rows: Rows, settings: Settings) -> Boosted:
    """Fit by cross-validation over requests: how many trees, if any, are best for rows that they did not see.

    Raises ``FusionError`` for fewer requests than folds.
    """
    count = int(rows.requests.max(initial=-1)) + 1
    if count < settings.folds:
        raise FusionError(f"needs the rows of at least {settings.folds} requests to be fitted to, got {count}")
    fold = np.random.default_rng(0).permutation(count)[rows.requests] % settings.folds
    gains = levels(rows.labels) if settings.loss == "lambdarank" else None
    counts = np.unique(np.geomspace(1, settings.trees, COUNTS).round().astype(int))
    held_out = np.zeros((1 + len(counts), len(rows.labels)))
    for k in range(settings.folds):
        seen, inputs = rows.of(fold != k), rows.inputs[fold == k]
        linear = _linear(seen, settings)
        trees = _staged(_fit(seen, linear, settings, settings.trees, gains), inputs, counts)
        held_out[:, fold == k] = linear(inputs[:, : settings.scores]) + np.pad(trees, ((1, 0), (0, 0)))
    best = int(np.argmax([_GOODNESS[settings.loss](rows, scores) for scores in held_out]))
    everything = rows.of(np.ones(len(rows.labels), dtype=bool))
    linear = _linear(everything, settings)
    final = [] if best == 0 else arrays_of(_fit(everything, linear, settings, int(counts[best - 1]), gains))
    return Boosted(linear, final, held_out[best])


def _linear(rows: Rows, settings: Settings) -> Linear:
    requests = rows.requests if settings.loss == "lambdarank" else None
    return fit_linear(rows.inputs[:, : settings.scores], rows.labels, rows.weights, requests, settings.increasing)


def _staged(booster: Any, inputs: Floats, counts: NDArray[np.int_]) -> Floats:
    """Raw scores of inputs [N, F] by the first so many trees, for each of the rising ``counts`` [C]: [C, N]."""
    starts = [0, *counts[:-1].tolist()]
    parts = [
        booster.predict(inputs, start_iteration=start, num_iteration=int(count) - start, raw_score=True)
        for start, count in zip(starts, counts, strict=True)
    ]
    return np.cumsum(parts, axis=0)


def _likelihood(rows: Rows, scores: Floats) -> float:
    """Minus the weighted log loss of log-odds [M]."""
    return float(np.average(rows.labels * scores - np.logaddexp(0.0, scores), weights=rows.weights))


def _ndcg(rows: Rows, scores: Floats) -> float:
    """NDCG; equal scores count as the mean over their orders, where LightGBM's own would take the log's order."""
    return ndcg(rows.labels, scores, rows.requests, AT).value


_GOODNESS: Mapping[Loss, Callable[[Rows, Floats], float]] = {"log_loss": _likelihood, "lambdarank": _ndcg}


def levels(labels: Floats) -> Floats:
    """Gains, rising from the least label, that stand for labels [M]: all where they are few, else quantiles of them."""
    distinct = np.unique(labels)
    if len(distinct) <= LEVELS:
        return distinct
    return np.unique(np.quantile(distinct, np.linspace(0.0, 1.0, LEVELS)))


def _fit(rows: Rows, linear: Linear, settings: Settings, trees: int, gains: Floats | None) -> Any:
    """A booster on top of the linear part; ``gains`` are those of LambdaRank's levels."""
    import lightgbm as lgb  # here: serving has no LightGBM

    given: dict[str, Any] = {
        **_OBJECTIVES[settings.loss],
        "num_leaves": settings.leaves,
        "learning_rate": settings.learning_rate,
        "min_data_in_leaf": settings.least_rows,
        "monotone_constraints": [int(i in settings.increasing) for i in range(rows.inputs.shape[1])],
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1 if len(rows.labels) < MANY else 0,
        "seed": 0,
        "verbosity": -1,
    }
    begun = linear(rows.inputs[:, : settings.scores])
    if gains is None:
        data = lgb.Dataset(rows.inputs, rows.labels, weight=rows.weights, init_score=begun)
        return lgb.train(given, data, trees)
    given["label_gain"] = (gains - gains[0]).tolist()
    sizes = np.unique(rows.requests, return_counts=True)[1]
    nearest = np.abs(rows.labels[:, None] - gains).argmin(axis=1)
    data = lgb.Dataset(rows.inputs, nearest, weight=rows.weights, group=sizes, init_score=begun)
    return lgb.train(given, data, trees)


def arrays_of(booster: Any) -> list[dict[str, Any]]:
    """A booster's trees as ``ranker.fusion.learned.trees.Trees`` holds them."""
    return [_flat(tree["tree_structure"]) for tree in booster.dump_model()["tree_info"]]


def _flat(root: Mapping[str, Any]) -> dict[str, Any]:
    tree: dict[str, Any] = {name: [] for name in ("feature", "threshold", "missing_left", "left", "right", "value")}

    def add(node: Mapping[str, Any]) -> int:
        if "split_feature" not in node:
            tree["value"].append(float(node["leaf_value"]))
            return -len(tree["value"])
        place, threshold = len(tree["feature"]), float(node["threshold"])
        # Where no value was missing in fitting, LightGBM takes a missing one for 0.
        missing_left = node["default_left"] if node["missing_type"] == "NaN" else threshold >= 0
        tree["feature"].append(int(node["split_feature"]))
        tree["threshold"].append(threshold)
        tree["missing_left"].append(bool(missing_left))
        tree["left"].append(0)
        tree["right"].append(0)
        tree["left"][place] = add(node["left_child"])
        tree["right"][place] = add(node["right_child"])
        return place

    add(root)
    return tree
