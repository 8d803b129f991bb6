"""What a calibration is: constants fitted to scores and labels, and a non-decreasing map of scores by them."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, TypeAlias

import numpy as np

from ranker.fusion.base import Floats, FusionError
from ranker.registry import Registry
from ranker.tasks import Trait

Constants: TypeAlias = Mapping[str, list[float]]
"""What fitting found: lists of numbers by name, as an artifact stores them."""

LEAST_PROBABILITY = 1e-300


class CalibrationError(FusionError):
    """Scores and labels that a calibration cannot be fitted to; its text says why."""


class Calibration(ABC):
    """A map of one objective's scores that makes them right on average; a namespace, never instantiated.

    Attributes
    ----------
    needs
        The traits of the tasks that it is for.
    keeps_order
        Whether distinct scores stay distinct, so that the objective's AUC is unchanged. Otherwise scores may tie,
        and none are swapped.
    """

    needs: ClassVar[frozenset[Trait]]
    keeps_order: ClassVar[bool]

    @staticmethod
    @abstractmethod
    def fit(scores: Floats, labels: Floats) -> Constants:
        """Constants for scores and labels [M] of rows whose label is known. Raises ``CalibrationError``."""

    @staticmethod
    @abstractmethod
    def apply(scores: Floats, constants: Mapping[str, Floats]) -> Floats:
        """Scores [N] -> calibrated scores [N], by NumPy alone."""


CALIBRATIONS: Registry[type[Calibration]] = Registry("calibration")


def logit(probabilities: Floats) -> Floats:
    """``log(p / (1 - p))`` [N], finite also at 0 and 1."""
    p = np.clip(probabilities, LEAST_PROBABILITY, 1.0 - 2.0**-53)
    return np.asarray(np.log(p) - np.log1p(-p))


def sigmoid(logits: Floats) -> Floats:
    """``1 / (1 + exp(-x))`` [N]; the exponential never overflows."""
    small = np.exp(-np.abs(logits))
    return np.where(logits >= 0, 1.0, small) / (1.0 + small)


def require_both(labels: Floats) -> None:
    """Raise ``CalibrationError`` unless labels [M] hold both a 0 and a 1."""
    found = sorted(set(np.unique(labels).tolist()))
    if found != [0.0, 1.0]:
        raise CalibrationError(f"the rows to fit it on must hold labels of 0 and of 1, got {found or 'no labels'}")
