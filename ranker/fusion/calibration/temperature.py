"""Temperature scaling: logits divided by a temperature."""

import math
from collections.abc import Mapping

import numpy as np

from ranker.fusion.base import Floats
from ranker.fusion.calibration.base import CALIBRATIONS, Calibration, Constants, logit, require_both, sigmoid
from ranker.tasks import Trait


@CALIBRATIONS.register("temperature")
class Temperature(Calibration):
    """``sigmoid(logit(p) / temperature)``, by maximum likelihood. Guo et al. 2017.

    It corrects overconfident (temperature above 1) or underconfident probabilities and keeps 1/2 fixed; if the mean is
    off, use ``platt``.
    """

    needs = frozenset[Trait]({"binary_labels", "probability"})
    keeps_order = True

    @staticmethod
    def fit(scores: Floats, labels: Floats) -> Constants:
        """Return ``temperature``, one number between exp(-5) and exp(5)."""
        from scipy.optimize import minimize_scalar  # lazy: serving has no SciPy

        require_both(labels)
        signed = logit(scores) * np.where(labels == 1, 1.0, -1.0)
        result = minimize_scalar(
            lambda cold: float(np.logaddexp(0.0, -signed * math.exp(cold)).mean()),
            bounds=(-5.0, 5.0),
            method="bounded",
            options={"xatol": 1e-7},
        )
        return {"temperature": [math.exp(-float(result.x))]}

    @staticmethod
    def apply(scores: Floats, constants: Mapping[str, Floats]) -> Floats:
        """Map probabilities [N] to probabilities [N]."""
        return sigmoid(logit(scores) / constants["temperature"][0])
