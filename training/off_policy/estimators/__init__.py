"""Estimators of a policy's value. Each is a file that registers itself in ``ESTIMATORS``; importing it here does it."""

from training.off_policy.estimators.base import ASSUMES, ESTIMATORS, Estimator, Terms, Weighting
from training.off_policy.estimators.cascade_dr import CascadeDr
from training.off_policy.estimators.cascade_ips import CascadeIps
from training.off_policy.estimators.cascade_snips import CascadeSnips
from training.off_policy.estimators.list_dr import ListDr
from training.off_policy.estimators.list_ips import ListIps
from training.off_policy.estimators.list_snips import ListSnips
from training.off_policy.estimators.place_dr import PlaceDr
from training.off_policy.estimators.place_ips import PlaceIps
from training.off_policy.estimators.place_snips import PlaceSnips

__all__ = [
    "ASSUMES",
    "ESTIMATORS",
    "CascadeDr",
    "CascadeIps",
    "CascadeSnips",
    "Estimator",
    "ListDr",
    "ListIps",
    "ListSnips",
    "PlaceDr",
    "PlaceIps",
    "PlaceSnips",
    "Terms",
    "Weighting",
]
