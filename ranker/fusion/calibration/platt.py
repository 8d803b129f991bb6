"""Platt scaling: a linear map of logits."""

from collections.abc import Mapping

import numpy as np

from ranker.fusion.base import Floats
from ranker.fusion.calibration.base import CALIBRATIONS, Calibration, Constants, logit, require_both, sigmoid
from ranker.tasks import Trait


@CALIBRATIONS.register("platt")
class Platt(Calibration):
    """``sigmoid(slope logit(p) + intercept)``, by maximum likelihood. Platt 1999, on logits.

    If the best slope is not above 0 (scores rank no better than chance on the validation rows), the slope stays 1 and
    only the intercept is fitted, so that the calibration never reverses the model's order.
    """

    needs = frozenset[Trait]({"binary_labels", "probability"})
    keeps_order = True

    @staticmethod
    def fit(scores: Floats, labels: Floats) -> Constants:
        """Return ``slope`` and ``intercept``, one number each."""
        from scipy.optimize import brentq
        from sklearn.linear_model import LogisticRegression  # lazy: serving has neither

        require_both(labels)
        x = logit(scores)
        center, spread = x.mean(), x.std()
        if spread > 0:  # standardise logits: the solver's tolerance is absolute
            regression = LogisticRegression(C=np.inf, tol=1e-8, max_iter=1000).fit(
                ((x - center) / spread)[:, None], labels
            )
            slope = float(regression.coef_[0, 0] / spread)
            if slope > 0:
                return {"slope": [slope], "intercept": [float(regression.intercept_[0]) - slope * float(center)]}
        reach = float(np.abs(x).max()) + 100.0
        intercept = brentq(lambda b: float(sigmoid(x + b).mean() - labels.mean()), -reach, reach)
        return {"slope": [1.0], "intercept": [float(intercept)]}

    @staticmethod
    def apply(scores: Floats, constants: Mapping[str, Floats]) -> Floats:
        """Map probabilities [N] to probabilities [N]."""
        return sigmoid(constants["slope"][0] * logit(scores) + constants["intercept"][0])
