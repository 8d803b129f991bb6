"""Interface of calibrations: constants fitted to scores and labels, and a non-decreasing map of scores."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, TypeAlias

import numpy as np

from ranker.fusion.base import Floats, FusionError
from ranker.registry import Registry
from ranker.tasks import Trait

Constants: TypeAlias = Mapping[str, list[float]]
"""Fitted constants: lists of numbers by name, as stored in artifacts."""

LEAST_PROBABILITY = 1e-300


class CalibrationError(FusionError):
    """Scores and labels that a calibration cannot be fitted to; the message says why."""


class Calibration(ABC):
    """A map that calibrates one objective's scores; a namespace, never instantiated.

    Attributes
    ----------
    needs
        Required task traits.
    keeps_order
        Whether distinct scores stay distinct, so that AUC is unchanged. Otherwise scores may become tied, but are never
        swapped.
    """

    needs: ClassVar[frozenset[Trait]]
    keeps_order: ClassVar[bool]

    @staticmethod
    @abstractmethod
    def fit(scores: Floats, labels: Floats) -> Constants:
        """Fit constants to scores and labels [M] of rows with known labels. Raises ``CalibrationError``."""

    @staticmethod
    @abstractmethod
    def apply(scores: Floats, constants: Mapping[str, Floats]) -> Floats:
        """Scores [N] -> calibrated scores [N], with NumPy only."""


CALIBRATIONS: Registry[type[Calibration]] = Registry("calibration")


def logit(probabilities: Floats) -> Floats:
    """``log(p / (1 - p))`` [N]; finite at 0 and 1."""
    p = np.clip(probabilities, LEAST_PROBABILITY, 1.0 - 2.0**-53)
    return np.asarray(np.log(p) - np.log1p(-p))


def sigmoid(logits: Floats) -> Floats:
    """``1 / (1 + exp(-x))`` [N] without overflow."""
    small = np.exp(-np.abs(logits))
    return np.where(logits >= 0, 1.0, small) / (1.0 + small)


def require_both(labels: Floats) -> None:
    """Raise ``CalibrationError`` unless labels [M] contain both 0 and 1."""
    classes = sorted(set(np.unique(labels).tolist()))
    if classes != [0.0, 1.0]:
        raise CalibrationError(f"fitting needs rows with labels 0 and 1, got {classes or 'no labels'}")
