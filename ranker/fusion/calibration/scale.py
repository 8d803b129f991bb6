"""Scaling: scores times a factor that matches their mean to the labels'."""

import math
from collections.abc import Mapping

import numpy as np

from ranker.fusion.base import Floats
from ranker.fusion.calibration.base import CALIBRATIONS, Calibration, CalibrationError, Constants
from ranker.tasks import Trait


@CALIBRATIONS.register("scale")
class Scale(Calibration):
    """``p mean(label) / mean(p)``: the ratio form of Duan's smearing estimate (1983).

    A regression of log(1 + y) predicts the exponential of a mean log, which is below the mean if labels vary. Additive
    and expected-value formulas need the mean.
    """

    needs = frozenset[Trait]({"amount"})
    keeps_order = True

    @staticmethod
    def fit(scores: Floats, labels: Floats) -> Constants:
        """Return ``factor``, one number above 0."""
        if not len(labels):
            raise CalibrationError("fitting needs rows with a label, got none")
        predicted, observed = float(np.mean(scores)), float(np.mean(labels))
        factor = observed / predicted if predicted else math.inf
        if not 0 < factor < math.inf:
            raise CalibrationError(
                f"mean score and mean label must both be above 0 or both below, got {predicted:g} and {observed:g}"
            )
        return {"factor": [factor]}

    @staticmethod
    def apply(scores: Floats, constants: Mapping[str, Floats]) -> Floats:
        """Map amounts [N] to amounts [N]."""
        return np.asarray(constants["factor"][0] * scores)
