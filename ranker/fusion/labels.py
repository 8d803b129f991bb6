"""Labels and weights computed from config formulas, and the ranking quality of scores on such labels."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ranker.encoding import ColumnError
from ranker.encoding.formulas import computed
from ranker.fusion.base import Floats, FusionError
from ranker.fusion.rules import Mask
from ranker.metrics.auc import auc
from ranker.metrics.ndcg import ndcg

AT = 10
"""Cutoff rank of NDCG."""


def labels_and_weights(
    label: str, weight: str | None, log: Mapping[str, Any], most: float
) -> tuple[Floats, Floats, Mask]:
    """Compute labels and weights [M] from formulas of log columns, and a mask of known labels.

    Raises ``FusionError`` for a known label outside [0, ``most``], a weight that is null or negative, and constant
    labels.
    """
    labels, null = _values("label", label, log)
    known = ~(null & np.isnan(labels))
    _require("label", label, ~known | ((labels >= 0) & (labels <= most) & np.isfinite(labels)), labels, most)
    if not known.any() or np.ptp(labels[known]) == 0:
        raise FusionError(f"options.label: {label!r} is unknown or constant in all rows, so there is nothing to learn")
    if weight is None:
        return labels, np.ones(len(labels)), known
    weights, _ = _values("weight", weight, log)
    _require("weight", weight, ~known | ((weights >= 0) & np.isfinite(weights)), weights, np.inf)
    return labels, weights, known


def measure(labels: Floats, scores: Floats, weights: Floats, requests: NDArray[np.intp] | None) -> float:
    """Ranking quality of scores [M]: NDCG@10 over requests, or AUC without requests.

    For AUC, a label y in (0, 1) counts as y positives and 1 - y negatives.
    """
    if requests is not None:
        return ndcg(labels, scores, requests, AT).value
    twice = np.concatenate([np.ones(len(labels)), np.zeros(len(labels))])
    shares = np.concatenate([weights * labels, weights * (1.0 - labels)])
    return auc(twice, np.concatenate([scores, scores]), shares)


def _values(key: str, text: str, log: Mapping[str, Any]) -> tuple[Floats, Mask]:
    try:
        value, null = computed(text, log)
    except ColumnError as error:
        raise FusionError(
            f"options.{key}: column {error.column!r} must be {error.expected}, got {error.value!r}"
        ) from None
    return np.array(value, dtype=np.float64), null


def _require(key: str, text: str, fine: Mask, values: Floats, most: float) -> None:
    if not fine.all():
        row = int(np.flatnonzero(~fine)[0])
        raise FusionError(
            f"options.{key}: {text!r} must be a number in [0, {most:g}], got {values[row]:g} in validation row {row}"
        )
