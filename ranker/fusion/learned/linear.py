"""A weighted sum of scores and their logarithms, on top of which trees are fitted."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ranker.fusion.base import Floats

FLOOR = 1e-9
"""Lower bound of scores in logarithms."""
SHRINKAGE = 1.0
"""L2 penalty of the weights (times half the squared norm) of standardised inputs."""


@dataclass(frozen=True)
class Linear:
    """``bias + sum_i score_i p_i + log_i log(p_i)``: additive and multiplicative fusion combined."""

    bias: float
    score: Floats
    log: Floats

    def __call__(self, scores: Floats) -> Floats:
        """Scores [N, T] -> sums [N]; logarithms clip scores below at ``FLOOR``."""
        total = np.full(len(scores), self.bias)
        for i in range(scores.shape[1]):  # unlike a matrix product, this keeps equal candidates tied
            total = total + self.score[i] * scores[:, i] + self.log[i] * np.log(np.maximum(scores[:, i], FLOOR))
        return total

    def to_dict(self) -> dict[str, Any]:
        """JSON data, as stored in artifacts."""
        return {"bias": self.bias, "score": self.score.tolist(), "log": self.log.tolist()}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """Rebuild from ``to_dict``."""
        return cls(float(stored["bias"]), np.array(stored["score"]), np.array(stored["log"]))


def fit_linear(
    scores: Floats, labels: Floats, weights: Floats, requests: NDArray[np.intp] | None, increasing: tuple[int, ...]
) -> Linear:
    """Fit to scores [M, T], labels and nonnegative weights [M], by a convex loss with a small L2 penalty.

    Without requests the loss is weighted log loss with labels in [0, 1]. With requests [M] it is the cross-entropy
    between a request's normalised labels and its softmax (ListNet top one; Cao et al. 2007), and the bias is 0. Weights
    of the objectives with indices in ``increasing`` are constrained to be nonnegative.
    """
    from scipy.optimize import minimize  # lazy: serving has no SciPy

    inputs = np.concatenate([scores, np.log(np.maximum(scores, FLOOR))], axis=1)
    center, spread = inputs.mean(axis=0), inputs.std(axis=0)
    varied = spread > 1e-9 * np.abs(center)  # equal numbers have a deviation of 0 up to rounding
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
    result = minimize(
        loss, np.zeros(1 + 2 * tasks), jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 500}
    )
    slopes = result.x[1:] * scale
    bias = 0.0 if requests is not None else float(result.x[0] - slopes @ center)
    return Linear(bias, slopes[:tasks], slopes[tasks:])


def _log(fused: Floats, labels: Floats, weights: Floats) -> tuple[float, Floats]:
    """Weighted log loss of log-odds [M], and its gradient."""
    value = weights @ (np.logaddexp(0.0, fused) - labels * fused)
    return float(value), weights * (1.0 / (1.0 + np.exp(-np.clip(fused, -500.0, 500.0))) - labels)


def _shares(labels: Floats, requests: NDArray[np.intp]) -> Floats:
    """Labels normalised to sum 1 per request [M] (0 if all are 0), so that requests count equally, as in NDCG."""
    totals = np.bincount(requests, labels)[requests]
    return np.where(totals > 0, labels / np.where(totals > 0, totals, 1.0), 0.0)


def _softmax(fused: Floats, gains: Floats, requests: NDArray[np.intp]) -> tuple[float, Floats]:
    """Cross-entropy of gains [M] with the softmax over each request, and its gradient."""
    count = int(requests.max()) + 1
    top = np.full(count, -np.inf)
    np.maximum.at(top, requests, fused)
    shifted = np.exp(fused - top[requests])
    total = np.bincount(requests, shifted, count)
    gained = np.bincount(requests, gains, count)
    logs = fused - top[requests] - np.log(total[requests])
    return float(-(gains @ logs)), gained[requests] * shifted / total[requests] - gains
