"""Isotonic regression: the best non-decreasing map."""

from collections.abc import Mapping

import numpy as np

from ranker.fusion.base import Floats
from ranker.fusion.calibration.base import CALIBRATIONS, Calibration, CalibrationError, Constants
from ranker.tasks import Trait


@CALIBRATIONS.register("isotonic")
class Isotonic(Calibration):
    """The non-decreasing map of least squared error, linear between its steps. Zadrozny & Elkan 2002.

    It takes any shape, needs thousands of rows with either label, and ties scores where the log shows no difference.
    """

    needs = frozenset[Trait]({"expected_value"})
    keeps_order = False

    @staticmethod
    def fit(scores: Floats, labels: Floats) -> Constants:
        """``scores`` and the ``values`` at them, both non-decreasing."""
        from sklearn.isotonic import IsotonicRegression  # here: serving has no scikit-learn

        if not len(labels):
            raise CalibrationError("there are no rows with a label to fit it on")
        regression = IsotonicRegression(out_of_bounds="clip").fit(scores, labels)
        return {"scores": regression.X_thresholds_.tolist(), "values": regression.y_thresholds_.tolist()}

    @staticmethod
    def apply(scores: Floats, constants: Mapping[str, Floats]) -> Floats:
        """Scores [N] to values [N]; beyond the fitted scores the first or last value holds."""
        return np.asarray(np.interp(scores, constants["scores"], constants["values"]))
