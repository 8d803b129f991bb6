"""Self-normalised weights of whole lists. Swaminathan & Joachims 2015, "The Self-Normalized Estimator"."""

from typing import ClassVar

from training.off_policy.estimators.base import ESTIMATORS, SelfNormalised, Weighting


@ESTIMATORS.register("list_snips")
class ListSnips(SelfNormalised):
    """Assumes nothing about users."""

    weighting: ClassVar[Weighting] = "list"
    title: ClassVar[str] = "self-normalised, list"
