"""Inverse propensity scores of the places so far.

McInerney et al. 2020, "Counterfactual Evaluation of Slate Recommendations with Sequential Reward Interactions".
"""

from typing import ClassVar

from training.off_policy.estimators.base import ESTIMATORS, Weighted, Weighting


@ESTIMATORS.register("cascade_ips")
class CascadeIps(Weighted):
    """Unbiased if users look down the list."""

    weighting: ClassVar[Weighting] = "cascade"
    title: ClassVar[str] = "IPS, cascade"
