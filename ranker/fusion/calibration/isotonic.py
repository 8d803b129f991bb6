"""Isotonic regression."""

from collections.abc import Mapping

import numpy as np

from ranker.fusion.base import Floats
from ranker.fusion.calibration.base import CALIBRATIONS, Calibration, CalibrationError, Constants
from ranker.tasks import Trait


@CALIBRATIONS.register("isotonic")
class Isotonic(Calibration):
    """The non-decreasing map of least squared error, with linear interpolation. Zadrozny & Elkan 2002.

    It fits any shape, needs thousands of rows of each label, and ties scores between which the log shows no difference.
    """

    needs = frozenset[Trait]({"expected_value"})
    keeps_order = False

    @staticmethod
    def fit(scores: Floats, labels: Floats) -> Constants:
        """Return ``scores`` and their ``values``, both non-decreasing."""
        from sklearn.isotonic import IsotonicRegression  # lazy: serving has no scikit-learn

        if not len(labels):
            raise CalibrationError("fitting needs rows with a label, got none")
        regression = IsotonicRegression(out_of_bounds="clip").fit(scores, labels)
        return {"scores": regression.X_thresholds_.tolist(), "values": regression.y_thresholds_.tolist()}

    @staticmethod
    def apply(scores: Floats, constants: Mapping[str, Floats]) -> Floats:
        """Map scores [N] to values [N]; constant outside the fitted scores."""
        return np.asarray(np.interp(scores, constants["scores"], constants["values"]))
