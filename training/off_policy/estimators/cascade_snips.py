"""Self-normalised weights of the places so far. McInerney et al. 2020."""

from typing import ClassVar

from training.off_policy.estimators.base import ESTIMATORS, SelfNormalised, Weighting


@ESTIMATORS.register("cascade_snips")
class CascadeSnips(SelfNormalised):
    """For users who look down the list."""

    weighting: ClassVar[Weighting] = "cascade"
    title: ClassVar[str] = "self-normalised, cascade"
