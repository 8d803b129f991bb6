"""Self-normalised weights of items at places. Li et al. 2018; Swaminathan & Joachims 2015."""

from typing import ClassVar

from training.off_policy.estimators.base import ESTIMATORS, SelfNormalised, Weighting


@ESTIMATORS.register("place_snips")
class PlaceSnips(SelfNormalised):
    """For users who judge each place by itself."""

    weighting: ClassVar[Weighting] = "place"
    title: ClassVar[str] = "self-normalised, place"
