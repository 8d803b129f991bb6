"""Doubly robust by items at places. Dudik, Langford & Li 2011, with the weights of Li et al. 2018."""

from typing import ClassVar

from training.off_policy.estimators.base import ESTIMATORS, DoublyRobust, Weighting


@ESTIMATORS.register("place_dr")
class PlaceDr(DoublyRobust):
    """For users who judge each place by itself."""

    weighting: ClassVar[Weighting] = "place"
    title: ClassVar[str] = "doubly robust, place"
