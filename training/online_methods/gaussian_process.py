"""Bayesian optimisation on live traffic: a Gaussian process over all rounds, which knows how noisy each gain is."""

import warnings
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from pydantic import Field
from scipy.stats import qmc

from training.online_methods.base import (
    ONLINE_METHODS,
    Judged,
    MethodOptions,
    OnlineMethod,
    Points,
    Proposal,
    equal_shares,
    gaussian,
)

CANDIDATES = 256
"""Points of the trust region among which the next sets are chosen, beside tried ones and their surroundings."""
JITTER = 1e-6
"""Added to the variances, so that rounding leaves no negative ones."""
KNOWN = 1e-3
"""Error of the gain of today, which is 0, in units of the gains' scale."""


@ONLINE_METHODS.register("gaussian_process")
class GaussianProcess(OnlineMethod):
    """Matérn 5/2 with a length scale per parameter and the gains' own errors. Letham et al. 2019.

    The sets of a round are the best points of as many functions drawn from the posterior (Thompson sampling, Hernández-
    Lobato et al. 2017): they spread while little is known, and gather where the gain is. The first round is drawn from
    a Gaussian around today. That today's gain is 0 is known from the start. The winner has the largest posterior mean
    of all tried sets and their surroundings.
    """

    class Options(MethodOptions):
        """Options of the first round."""

        name: Literal["gaussian_process"] = "gaussian_process"
        deviation: float = Field(
            0.25, gt=0, le=1, description="Standard deviation of the first sets around today, in widths of the range."
        )

    options: Options

    def propose(self, rounds: Sequence[Judged], random: np.random.Generator) -> Proposal:
        """Draw the sets of the round."""
        count = self.options.sets
        deviation = np.full(self.dimensions, self.options.deviation)
        if not any(one.usable.any() for one in rounds):
            points = gaussian(self.start, deviation / 2.0 ** len(rounds), count, random)
            return Proposal(points, equal_shares(count), self.start, deviation)
        candidates = self._candidates(rounds, random)
        mean, covariance = self._posterior(rounds, candidates)
        root = np.linalg.cholesky(covariance + JITTER * np.eye(len(mean)))
        drawn = mean + random.standard_normal((count, len(mean))) @ root.T
        chosen: list[int] = []
        for function in drawn:  # each set once
            function[chosen] = -np.inf
            chosen.append(int(function.argmax()))
        points = candidates[chosen]
        return Proposal(points, equal_shares(count), candidates[mean.argmax()], points.std(axis=0, ddof=1))

    def winner(self, rounds: Sequence[Judged]) -> Points | None:
        """The point with the largest posterior mean, if it is above 0."""
        if not any(one.usable.any() for one in rounds):
            return None
        candidates = self._candidates(rounds, np.random.default_rng(0), count=0)
        mean, _ = self._posterior(rounds, candidates)
        best = int(mean.argmax())
        return candidates[best] if mean[best] > 0 else None

    def _candidates(self, rounds: Sequence[Judged], random: np.random.Generator, count: int = CANDIDATES) -> Points:
        """Points all over the trust region, tried ones and points near them; none near a set that was stopped."""
        tried = np.concatenate([one.points[one.usable] for one in rounds])
        everywhere = qmc.Sobol(self.dimensions, rng=random).random(count)
        near = np.clip(
            np.repeat(tried, 3, axis=0) + 0.05 * random.standard_normal((3 * len(tried), self.dimensions)), 0, 1
        )
        points = np.concatenate([everywhere, tried, near])
        stopped = np.concatenate([one.points[one.stopped] for one in rounds])
        if len(stopped):
            apart = np.linalg.norm(points[:, None] - stopped, axis=2).min(axis=1)
            from_start = np.linalg.norm(points - self.start, axis=1)
            points = points[apart > np.minimum(0.1 * np.sqrt(self.dimensions), from_start)]
        return points if len(points) else self.start[None]

    def _posterior(self, rounds: Sequence[Judged], candidates: Points) -> tuple[Points, Points]:
        """Mean [C] and covariance [C, C] of the gains of candidates, in units of the gains' scale."""
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import ConstantKernel, Matern
        from threadpoolctl import threadpool_limits

        points = np.concatenate([self.start[None], *(one.points[one.usable] for one in rounds)])
        gains = np.concatenate([[0.0], *(one.gains[one.usable] for one in rounds)])
        errors = np.concatenate([np.hypot(one.noise, one.control_noise)[one.usable] for one in rounds])
        scale = float(np.sqrt(np.mean(gains[1:] ** 2))) or 1.0
        alpha = np.concatenate([[KNOWN], errors / scale]) ** 2
        kernel: Any = ConstantKernel(1.0, (1e-3, 1e3)) * Matern([0.5] * self.dimensions, (0.1, 10.0), nu=2.5)
        process = GaussianProcessRegressor(kernel, alpha=alpha, random_state=0)
        with warnings.catch_warnings(), threadpool_limits(1):
            warnings.simplefilter("ignore")  # a length scale at its bound means that a parameter matters little
            mean, covariance = process.fit(points, gains / scale).predict(candidates, return_cov=True)
        return mean, covariance
