"""A weighted sum of scores and of their logarithms: what trees are fitted on top of."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ranker.fusion.base import Floats

FLOOR = 1e-9
"""The least score that has a logarithm."""
SHRINKAGE = 1.0
"""Times half of the squared norm of the weights, of inputs of deviation 1."""


@dataclass(frozen=True)
class Linear:
    """``bias + sum_i score_i p_i + log_i log(p_i)``: an additive and a multiplicative fusion in one."""

    bias: float
    score: Floats
    log: Floats

    def __call__(self, scores: Floats) -> Floats:
        """Scores [N, T] -> sums [N]; a score below ``FLOOR`` counts as that in its logarithm."""
        total = np.full(len(scores), self.bias)
        for i in range(
            scores.shape[1]
        ):  # one at a time: equal candidates stay tied, as in a matrix product they may not
            total = total + self.score[i] * scores[:, i] + self.log[i] * np.log(np.maximum(scores[:, i], FLOOR))
        return total

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and lists, as an artifact stores them."""
        return {"bias": self.bias, "score": self.score.tolist(), "log": self.log.tolist()}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """What ``to_dict`` stored."""
        return cls(float(stored["bias"]), np.array(stored["score"]), np.array(stored["log"]))


def fit_linear(
    scores: Floats, labels: Floats, weights: Floats, requests: NDArray[np.intp] | None, increasing: tuple[int, ...]
) -> Linear:
    """Fit to scores [M, T], labels and weights [M] of at least 0, by a convex loss with a little shrinkage.

    Without requests by weighted log loss, labels in [0, 1]. With requests [M] by the cross-entropy between the shares
    of a request's labels and its softmax (ListNet's top one; Cao et al. 2007), so that the bias is 0. Weights of the
    objectives ``increasing``, by number, are at least 0.
    """
    from scipy.optimize import minimize  # here: serving has no SciPy

    inputs = np.concatenate([scores, np.log(np.maximum(scores, FLOOR))], axis=1)
    center, spread = inputs.mean(axis=0), inputs.std(axis=0)
    varied = spread > 1e-9 * np.abs(center)  # the deviation of equal numbers is 0 but for rounding
    scale = np.where(varied, 1.0 / np.where(varied, spread, 1.0), 0.0)
    x = (inputs - center) * scale
    tasks = scores.shape[1]
    gains = labels if requests is None else _shares(labels, requests)

    def loss(theta: Floats) -> tuple[float, Floats]:
        fused = theta[0] + x @ theta[1:]
        value, slope = (
            _softmax(fused, gains * weights, requests) if requests is not None else _log(fused, labels, weights)
        )
        gradient = np.concatenate([[slope.sum()], x.T @ slope + SHRINKAGE * theta[1:]])
        return value + 0.5 * SHRINKAGE * float(theta[1:] @ theta[1:]), gradient

    least = [0.0 if i % tasks in increasing else None for i in range(2 * tasks)]
    bounds = [(None, None) if requests is None else (0.0, 0.0), *((low, None) for low in least)]
    found = minimize(
        loss, np.zeros(1 + 2 * tasks), jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 500}
    )
    slopes = found.x[1:] * scale
    bias = 0.0 if requests is not None else float(found.x[0] - slopes @ center)
    return Linear(bias, slopes[:tasks], slopes[tasks:])


def _log(fused: Floats, labels: Floats, weights: Floats) -> tuple[float, Floats]:
    """Weighted log loss of log-odds [M], and its slope."""
    value = weights @ (np.logaddexp(0.0, fused) - labels * fused)
    return float(value), weights * (1.0 / (1.0 + np.exp(-np.clip(fused, -500.0, 500.0))) - labels)


def _shares(labels: Floats, requests: NDArray[np.intp]) -> Floats:
    """Each label's share of the sum over its request [M], 0 where that is 0: requests count alike, as in NDCG."""
    totals = np.bincount(requests, labels)[requests]
    return np.where(totals > 0, labels / np.where(totals > 0, totals, 1.0), 0.0)


def _softmax(fused: Floats, gains: Floats, requests: NDArray[np.intp]) -> tuple[float, Floats]:
    """Cross-entropy of gains [M] with the softmax over each request, and its slope."""
    count = int(requests.max()) + 1
    top = np.full(count, -np.inf)
    np.maximum.at(top, requests, fused)
    shifted = np.exp(fused - top[requests])
    total = np.bincount(requests, shifted, count)
    gained = np.bincount(requests, gains, count)
    logs = fused - top[requests] - np.log(total[requests])
    return float(-(gains @ logs)), gained[requests] * shifted / total[requests] - gains
