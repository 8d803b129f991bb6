"""Methods that combine losses; adding one is a file and a line here."""

from ranker.weighting.loss.current_inverse import CurrentInverse
from ranker.weighting.loss.generalized_mean import GeneralizedMean
from ranker.weighting.loss.imtl_l import IMTLL
from ranker.weighting.loss.smooth_tchebycheff import SmoothTchebycheff
from ranker.weighting.loss.static import Static
from ranker.weighting.loss.uncertainty import Uncertainty

__all__ = ["IMTLL", "CurrentInverse", "GeneralizedMean", "SmoothTchebycheff", "Static", "Uncertainty"]
