"""Methods that combine losses; adding one is a file and a line here."""

from ranker.weighting.loss.static import Static
from ranker.weighting.loss.uncertainty import Uncertainty

__all__ = ["Static", "Uncertainty"]
