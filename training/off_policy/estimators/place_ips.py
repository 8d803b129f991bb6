"""Inverse propensity scores of items at places.

Li et al. 2018, "Offline Evaluation of Ranking Policies with Click Models", the item-position model.
"""

from typing import ClassVar

from training.off_policy.estimators.base import ESTIMATORS, Weighted, Weighting


@ESTIMATORS.register("place_ips")
class PlaceIps(Weighted):
    """Unbiased if users judge each place by itself."""

    weighting: ClassVar[Weighting] = "place"
    title: ClassVar[str] = "IPS, place"
