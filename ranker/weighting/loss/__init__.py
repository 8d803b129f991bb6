"""Methods that combine losses; to add one, add a file and a line here."""

from ranker.weighting.loss.current_inverse import CurrentInverse
from ranker.weighting.loss.dtp import DTP
from ranker.weighting.loss.dwa import DWA
from ranker.weighting.loss.famo import FAMO
from ranker.weighting.loss.generalized_mean import GeneralizedMean
from ranker.weighting.loss.imtl_l import IMTLL
from ranker.weighting.loss.initial_inverse import InitialInverse
from ranker.weighting.loss.prior_inverse import PriorInverse
from ranker.weighting.loss.random_weights import RandomWeights
from ranker.weighting.loss.smooth_tchebycheff import SmoothTchebycheff
from ranker.weighting.loss.static import Static
from ranker.weighting.loss.uncertainty import Uncertainty

__all__ = [
    "DTP",
    "DWA",
    "FAMO",
    "IMTLL",
    "CurrentInverse",
    "GeneralizedMean",
    "InitialInverse",
    "PriorInverse",
    "RandomWeights",
    "SmoothTchebycheff",
    "Static",
    "Uncertainty",
]
