"""Inverse propensity scores of whole lists. Horvitz & Thompson 1952; Precup, Sutton & Singh 2000."""

from typing import ClassVar

from training.off_policy.estimators.base import ESTIMATORS, Weighted, Weighting


@ESTIMATORS.register("list_ips")
class ListIps(Weighted):
    """Unbiased whatever users do, with weights that are products over all places."""

    weighting: ClassVar[Weighting] = "list"
    title: ClassVar[str] = "IPS, list"
