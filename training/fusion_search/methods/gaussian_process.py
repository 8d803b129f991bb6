"""Bayesian optimisation with a Gaussian process and expected improvement."""

import warnings
from typing import Any

import numpy as np
from scipy.stats import norm, qmc
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
from threadpoolctl import threadpool_limits

from training.fusion_search.methods.base import METHODS, Method, Points

AT_ONCE = 4
REMEMBERED = 256
CANDIDATES = 512
NEAR = (0.1, 0.03, 0.01)


@METHODS.register("gaussian_process")
class GaussianProcess(Method):
    """Matérn 5/2 with one length scale per parameter, expected improvement. Jones et al. 1998; Snoek et al. 2012.

    Expected improvement is maximised over random points of the search space and points near the best so far. The points
    of a generation are chosen sequentially, each assuming that the previous ones had their expected values (kriging
    believer; Ginsbourger et al. 2010). Uses scikit-learn, because Optuna's process needs PyTorch; it is fitted on the
    best ``REMEMBERED`` points, since its cost is cubic.
    """

    def __init__(self, start: Points, budget: int, seed: int, terms: int) -> None:
        super().__init__(start, budget, seed, terms)
        first = max(4, min(3 * self.dimensions, budget // 3))
        drawn = qmc.LatinHypercube(self.dimensions, rng=np.random.default_rng(seed)).random(first)
        self._first = np.vstack([self.start, drawn])
        self._points, self._values = np.empty((0, self.dimensions)), np.empty(0)

    def ask(self) -> Points:
        """A Latin hypercube first, then the points of highest expected improvement."""
        if not len(self._points):
            return self._first
        with threadpool_limits(1):  # matrices are small: threads would be slower, and change rounding
            return self._expected_best()

    def _expected_best(self) -> Points:
        points, values = self._remembered()
        kernel = ConstantKernel(1.0, (1e-2, 1e3)) * Matern([0.5] * self.dimensions, (0.02, 20.0), nu=2.5)
        process = self._fitted(kernel + WhiteKernel(1e-4, (1e-8, 0.1)), points, values)
        chosen: list[Points] = []
        for _ in range(AT_ONCE):
            candidates = self._candidates(points[np.argmax(values)])
            mean, deviation = process.predict(candidates, return_std=True)
            gain = (mean - values.max()) / np.maximum(deviation, 1e-12)
            improvement = deviation * (gain * norm.cdf(gain) + norm.pdf(gain))
            best = int(np.argmax(improvement))
            chosen.append(candidates[best])
            points, values = np.vstack([points, candidates[best]]), np.append(values, mean[best])
            process = self._fitted(process.kernel_, points, values, learn=False)
        return np.array(chosen)

    def tell(self, points: Points, values: Points, terms: Points) -> None:  # noqa: ARG002
        """Store the results."""
        self._points, self._values = np.vstack([self._points, points]), np.append(self._values, values)

    def _remembered(self) -> tuple[Points, Points]:
        """The best points; very low values are raised, because the fit only matters near the maximum."""
        best = np.argsort(-self._values, kind="stable")[:REMEMBERED]
        values = self._values[best]
        values = np.maximum(values, values[0] - 4.0 * (values[0] - values[len(values) // 2]))
        spread = values.std()
        return self._points[best], (values - values.mean()) / (spread if spread > 0 else 1.0)

    def _fitted(self, kernel: Any, points: Points, values: Points, *, learn: bool = True) -> Any:
        process = GaussianProcessRegressor(kernel, optimizer="fmin_l_bfgs_b" if learn else None, random_state=self.seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a length scale at its bound means that a parameter matters little
            return process.fit(points, values)

    def _candidates(self, best: Points) -> Points:
        around = [best + size * self.random.standard_normal((CANDIDATES // 4, self.dimensions)) for size in NEAR]
        everywhere = self.random.random((CANDIDATES, self.dimensions))
        return np.clip(np.vstack([everywhere, *around]), 0.0, 1.0)
