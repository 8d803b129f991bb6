"""Methods of online search, one per file; importing a module here registers its method."""

from training.online_methods.base import ONLINE_METHODS, Judged, MethodOptions, OnlineMethod, Points, Proposal
from training.online_methods.cross_entropy import CrossEntropy
from training.online_methods.gaussian_process import GaussianProcess
from training.online_methods.random import Random
from training.online_methods.thompson import Thompson

__all__ = [
    "ONLINE_METHODS",
    "CrossEntropy",
    "GaussianProcess",
    "Judged",
    "MethodOptions",
    "OnlineMethod",
    "Points",
    "Proposal",
    "Random",
    "Thompson",
]
