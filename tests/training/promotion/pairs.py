"""Pairs of score vectors of equal models: both see the same signal, each through noise of its own."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ranker.metrics.auc import auc_statistic
from ranker.metrics.calibration import calibration_statistic
from ranker.metrics.log_loss import log_loss_statistic
from training.config.promotion import Bound
from training.promotion.resampling import Drawn, Family, Paired, resampled

AT_THE_BOUND = {
    "click.auc": Bound(least=0.0),
    "click.log_loss": Bound(most=1.0),
    "click.calibration": Bound(least=0.0),
}
"""Bounds that a model which is as good as the old one meets, but none that is the least bit worse: the hardest case."""


class Pair(NamedTuple):
    """Labels [N], both models' scores [N], and the group of each row [N]."""

    labels: NDArray[np.float64]
    new: NDArray[np.float64]
    old: NDArray[np.float64]
    groups: NDArray[np.intp]


def equal_pair(random: np.random.Generator, groups: int = 120, base: float = -1.0) -> Pair:
    """Rows of a group share a part of the signal and of each model's noise, so that they are not independent."""
    sizes = random.integers(3, 10, groups)
    codes = np.repeat(np.arange(groups), sizes)
    logits = base + 0.8 * random.normal(size=groups)[codes] + random.normal(size=len(codes))
    labels = (random.random(len(codes)) < sigmoid(logits)).astype(np.float64)
    new, old = (
        sigmoid(logits + 0.3 * random.normal(size=groups)[codes] + 0.4 * random.normal(size=len(codes)))
        for _ in range(2)
    )
    return Pair(labels, new, old, codes)


def sigmoid(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1.0 / (1.0 + np.exp(-logits))


def measured(pair: Pair, resamples: int, seed: int) -> list[Drawn]:
    """AUC, log loss and calibration of both models."""
    labels, new, old, groups = pair
    measures = [
        Paired("click.auc", "more", auc_statistic(labels, new), auc_statistic(labels, old)),
        Paired("click.log_loss", "less", log_loss_statistic(labels, new), log_loss_statistic(labels, old)),
        Paired("click.calibration", None, calibration_statistic(labels, new), calibration_statistic(labels, old)),
    ]
    return resampled([Family(groups, measures)], int(groups.max()) + 1, resamples, seed)[0]
