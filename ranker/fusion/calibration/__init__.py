"""Calibration of one objective's scores: fitted on validation rows, applied with NumPy only.

Each method is a file that registers itself in ``CALIBRATIONS``; importing it here registers it.
"""

from ranker.fusion.calibration.base import CALIBRATIONS, Calibration, CalibrationError, Constants
from ranker.fusion.calibration.fitted_calibration import Fitted, fit
from ranker.fusion.calibration.isotonic import Isotonic
from ranker.fusion.calibration.platt import Platt
from ranker.fusion.calibration.scale import Scale
from ranker.fusion.calibration.temperature import Temperature

__all__ = [
    "CALIBRATIONS",
    "Calibration",
    "CalibrationError",
    "Constants",
    "Fitted",
    "Isotonic",
    "Platt",
    "Scale",
    "Temperature",
    "fit",
]
