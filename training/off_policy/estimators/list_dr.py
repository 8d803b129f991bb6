"""Doubly robust over whole lists. Dudik, Langford & Li 2011, "Doubly Robust Policy Evaluation and Learning"."""

from typing import ClassVar

from training.off_policy.estimators.base import ESTIMATORS, DoublyRobust, Weighting


@ESTIMATORS.register("list_dr")
class ListDr(DoublyRobust):
    """Assumes nothing about users."""

    weighting: ClassVar[Weighting] = "list"
    title: ClassVar[str] = "doubly robust, list"
