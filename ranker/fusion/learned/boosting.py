"""Fits boosted trees with LightGBM and converts them to plain arrays; not used in serving."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ranker.fusion.base import Floats, FusionError
from ranker.fusion.labels import AT
from ranker.fusion.learned.linear import Linear, fit_linear
from ranker.fusion.learned.list_objectives import LIST_OBJECTIVES
from ranker.metrics.ndcg import ndcg
from ranker.trees import Tree, arrays_of

Loss: TypeAlias = Literal["log_loss", "lambdarank", "softmax", "pairwise_logistic", "bpr"]
LEVELS = 32
"""Maximum number of distinct LambdaRank gains."""

MANY = 500_000
"""Minimum rows for multithreading; with fewer rows of few columns, threads mostly wait for each other."""
COUNTS = 25
"""Number of tree counts to evaluate."""

_OBJECTIVES: Mapping[Loss, Mapping[str, Any]] = {
    "log_loss": {"objective": "cross_entropy"},
    "lambdarank": {"objective": "lambdarank", "lambdarank_truncation_level": 20},
}
"""LightGBM's own; other losses are those of ``LIST_OBJECTIVES``."""


@dataclass(frozen=True)
class Rows:
    """Training data: inputs [M, F], labels and weights [M], the request of each row [M]."""

    inputs: Floats
    labels: Floats
    weights: Floats
    requests: NDArray[np.intp]

    def of(self, chosen: NDArray[np.bool_]) -> "Rows":
        """Select rows, grouped by request as LightGBM requires.

        Rows of a request are shuffled: logs are ordered by position, and LambdaRank breaks ties by row order.
        """
        places = np.random.default_rng(0).permutation(np.flatnonzero(chosen))
        places = places[np.argsort(self.requests[places], kind="stable")]
        return Rows(self.inputs[places], self.labels[places], self.weights[places], self.requests[places])


@dataclass(frozen=True)
class Settings:
    """Training settings; ``increasing`` lists columns with a monotone increasing constraint.

    The first ``scores`` columns of the inputs are objectives' scores, which the linear part reads.
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
    """The model fitted to all rows, and held-out scores [M] from cross-validation over requests."""

    linear: Linear
    trees: list[Tree]
    held_out: Floats


def boost(rows: Rows, settings: Settings) -> Boosted:
    """Fit with the number of trees, possibly 0, that is best in cross-validation over requests.

    Raises ``FusionError`` for fewer requests than folds.
    """
    count = int(rows.requests.max(initial=-1)) + 1
    if count < settings.folds:
        raise FusionError(f"fitting needs rows of at least {settings.folds} requests, got {count}")
    fold = np.random.default_rng(0).permutation(count)[rows.requests] % settings.folds
    gains = levels(rows.labels) if settings.loss == "lambdarank" else None
    goodness = _likelihood if settings.loss == "log_loss" else _ndcg
    counts = np.unique(np.geomspace(1, settings.trees, COUNTS).round().astype(int))
    held_out = np.zeros((1 + len(counts), len(rows.labels)))
    for k in range(settings.folds):
        seen, inputs = rows.of(fold != k), rows.inputs[fold == k]
        linear = _linear(seen, settings)
        trees = _staged(_fit(seen, linear, settings, settings.trees, gains), inputs, counts)
        held_out[:, fold == k] = linear(inputs[:, : settings.scores]) + np.pad(trees, ((1, 0), (0, 0)))
    best = int(np.argmax([goodness(rows, scores) for scores in held_out]))
    everything = rows.of(np.ones(len(rows.labels), dtype=bool))
    linear = _linear(everything, settings)
    final = [] if best == 0 else arrays_of(_fit(everything, linear, settings, int(counts[best - 1]), gains))
    return Boosted(linear, final, held_out[best])


def _linear(rows: Rows, settings: Settings) -> Linear:
    requests = None if settings.loss == "log_loss" else rows.requests
    return fit_linear(rows.inputs[:, : settings.scores], rows.labels, rows.weights, requests, settings.increasing)


def _staged(booster: Any, inputs: Floats, counts: NDArray[np.int_]) -> Floats:
    """Raw scores [C, N] of inputs [N, F] with the first trees, for each number in the ascending ``counts`` [C]."""
    starts = [0, *counts[:-1].tolist()]
    parts = [
        booster.predict(inputs, start_iteration=start, num_iteration=int(count) - start, raw_score=True)
        for start, count in zip(starts, counts, strict=True)
    ]
    return np.cumsum(parts, axis=0)


def _likelihood(rows: Rows, scores: Floats) -> float:
    """Negative weighted log loss of log-odds [M]."""
    return float(np.average(rows.labels * scores - np.logaddexp(0.0, scores), weights=rows.weights))


def _ndcg(rows: Rows, scores: Floats) -> float:
    """NDCG with ties averaged over all orders; LightGBM's NDCG would use the log's order."""
    return ndcg(rows.labels, scores, rows.requests, AT).value


def levels(labels: Floats) -> Floats:
    """Ascending gains that represent labels [M]: all distinct labels if few, else their quantiles."""
    distinct = np.unique(labels)
    if len(distinct) <= LEVELS:
        return distinct
    return np.unique(np.quantile(distinct, np.linspace(0.0, 1.0, LEVELS)))


def _fit(rows: Rows, linear: Linear, settings: Settings, trees: int, gains: Floats | None) -> Any:
    """Fit a booster on top of the linear part; ``gains`` are LambdaRank's label gains."""
    import lightgbm as lgb  # lazy: serving has no LightGBM

    given: dict[str, Any] = {
        **_objective(rows, settings.loss),
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


def _objective(rows: Rows, loss: Loss) -> Mapping[str, Any]:
    """LightGBM's parameters of a loss; it calls those that are not its own with the scores [M] of the rows."""
    if loss in _OBJECTIVES:
        return _OBJECTIVES[loss]
    sizes, slopes = np.unique(rows.requests, return_counts=True)[1], LIST_OBJECTIVES[loss]
    return {"objective": lambda scores, _: slopes(scores, rows.labels, rows.weights, sizes)}
