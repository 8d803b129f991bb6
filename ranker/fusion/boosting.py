"""Fits boosted trees by LightGBM, and takes them apart into plain arrays; serving never comes here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ranker.fusion.base import Floats, FusionError
from ranker.fusion.worth import AT

Loss: TypeAlias = Literal["log_loss", "lambdarank"]
LEVELS = 32
"""Distinct gains that LambdaRank tells apart."""

_OBJECTIVES: Mapping[Loss, Mapping[str, Any]] = {
    "log_loss": {"objective": "cross_entropy", "metric": "cross_entropy"},
    "lambdarank": {"objective": "lambdarank", "metric": "ndcg", "eval_at": [AT], "lambdarank_truncation_level": 20},
}


@dataclass(frozen=True)
class Rows:
    """What trees are fitted to: inputs [M, F], labels and weights [M], the request of each row [M]."""

    inputs: Floats
    labels: Floats
    weights: Floats
    requests: NDArray[np.intp]

    def of(self, chosen: NDArray[np.bool_]) -> "Rows":
        """Some of the rows, those of a request one after the other, as LightGBM wants them."""
        places = np.flatnonzero(chosen)
        places = places[np.argsort(self.requests[places], kind="stable")]
        return Rows(self.inputs[places], self.labels[places], self.weights[places], self.requests[places])


@dataclass(frozen=True)
class Settings:
    """How trees grow; ``increasing`` are columns in which the result never falls."""

    loss: Loss
    trees: int
    leaves: int
    learning_rate: float
    least_rows: int
    folds: int
    increasing: tuple[int, ...]


@dataclass(frozen=True)
class Boosted:
    """Trees fitted to all rows, and for each row [M] the sum of trees that were fitted without its request."""

    trees: list[dict[str, Any]]
    held_out: Floats


def boost(rows: Rows, settings: Settings) -> Boosted:
    """Fit by cross-validation over requests: how many trees are best for rows that they did not see, then all rows.

    Raises ``FusionError`` for fewer requests than folds.
    """
    count = int(rows.requests.max(initial=-1)) + 1
    if count < settings.folds:
        raise FusionError(f"needs the rows of at least {settings.folds} requests to be fitted to, got {count}")
    fold = np.random.default_rng(0).permutation(count)[rows.requests] % settings.folds
    gains = levels(rows.labels) if settings.loss == "lambdarank" else None
    fitted, curves = [], []
    for k in range(settings.folds):
        booster, curve = _fit(rows.of(fold != k), settings, settings.trees, gains, rows.of(fold == k))
        fitted.append(booster)
        curves.append(curve * np.sum(fold == k))
    curve = np.sum(curves, axis=0)
    best = int(np.argmax(curve) if settings.loss == "lambdarank" else np.argmin(curve)) + 1
    held_out = np.empty(len(rows.labels))
    for k, booster in enumerate(fitted):
        held_out[fold == k] = booster.predict(rows.inputs[fold == k], num_iteration=best, raw_score=True)
    final, _ = _fit(rows.of(np.ones(len(rows.labels), dtype=bool)), settings, best, gains)
    return Boosted(arrays_of(final), held_out)


def levels(labels: Floats) -> Floats:
    """Gains, rising from the least label, that stand for labels [M]: all where they are few, else quantiles of them."""
    distinct = np.unique(labels)
    if len(distinct) <= LEVELS:
        return distinct
    return np.unique(np.quantile(distinct, np.linspace(0.0, 1.0, LEVELS)))


def _fit(
    rows: Rows, settings: Settings, trees: int, gains: Floats | None, seen: Rows | None = None
) -> tuple[Any, Floats]:
    """A booster, and what its metric is on the rows ``seen`` after each tree."""
    import lightgbm as lgb  # here: serving has no LightGBM

    given: dict[str, Any] = {
        **_OBJECTIVES[settings.loss],
        "num_leaves": settings.leaves,
        "learning_rate": settings.learning_rate,
        "min_data_in_leaf": settings.least_rows,
        "monotone_constraints": [int(i in settings.increasing) for i in range(rows.inputs.shape[1])],
        "deterministic": True,
        "force_row_wise": True,
        "seed": 0,
        "verbosity": -1,
    }
    if gains is not None:
        given["label_gain"] = (gains - gains[0]).tolist()
    record: dict[str, Any] = {}
    data = _dataset(rows, gains)
    checked = [] if seen is None else [_dataset(seen, gains, data)]
    booster = lgb.train(given, data, trees, valid_sets=checked, callbacks=[lgb.record_evaluation(record)])
    curve = next(iter(record["valid_0"].values())) if seen is not None else []
    return booster, np.array(curve)


def _dataset(rows: Rows, gains: Floats | None, like: Any = None) -> Any:
    import lightgbm as lgb

    if gains is None:
        return lgb.Dataset(rows.inputs, rows.labels, weight=rows.weights, reference=like)
    sizes = np.unique(rows.requests, return_counts=True)[1]
    nearest = np.abs(rows.labels[:, None] - gains).argmin(axis=1)
    return lgb.Dataset(rows.inputs, nearest, weight=rows.weights, group=sizes, reference=like)


def arrays_of(booster: Any) -> list[dict[str, Any]]:
    """A booster's trees as ``ranker.fusion.trees.Trees`` holds them."""
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
