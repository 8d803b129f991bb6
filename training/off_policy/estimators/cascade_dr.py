"""Doubly robust along the list.

Kiyohara et al. 2022, "Doubly Robust Off-Policy Evaluation for Ranking Policies under the Cascade Behavior Model".
"""

from typing import ClassVar

import numpy as np

from training.off_policy.estimators.base import ESTIMATORS, DoublyRobust, Terms, Weighting, model_of
from training.off_policy.logged import Floats
from training.off_policy.sample import Sample


@ESTIMATORS.register("cascade_dr")
class CascadeDr(DoublyRobust):
    """For users who look down the list; the model tells what this place and those after it are worth.

    With ``v`` the sum of ``E_target q`` over later places, each place has
    ``w_before (E_target[q | before] + v) + w (r - q - v)``; from this the same sum for the logging policy is taken off,
    ``E_logging[q | before] + r - q``, whose mean is that of ``r``, and ``r`` is added.
    """

    weighting: ClassVar[Weighting] = "cascade"
    title: ClassVar[str] = "doubly robust, cascade"

    def terms(self, sample: Sample, weights: Floats) -> Terms:
        """Rewards corrected place by place."""
        model = model_of(sample)
        before = np.insert(weights[:, :-1], 0, 1.0, axis=1)
        after = np.cumsum(model.target[:, ::-1], axis=1)[:, ::-1] - model.target
        target = before * (model.target_next + after) + weights * (sample.rewards - model.shown - after)
        logging = model.logging_next - model.shown
        return Terms(np.where(sample.has, target - logging, 0.0))
