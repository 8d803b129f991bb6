"""A fitted calibration of one objective."""

from collections.abc import Callable
from functools import partial

import numpy as np
from pydantic import Field

from ranker.config.closed import Closed
from ranker.fusion.base import Floats
from ranker.fusion.calibration.base import CALIBRATIONS, CalibrationError


class Fitted(Closed):
    """A calibration method and its constants for one objective; ``method`` None leaves scores unchanged.

    ``note`` says why a requested calibration is missing.
    """

    method: str | None = None
    constants: dict[str, list[float]] = Field(default_factory=dict)
    note: str | None = None

    def curve(self) -> Callable[[Floats], Floats]:
        """The map of scores [N], with constants as arrays, since lists would be converted in every request."""
        if self.method is None:
            return lambda scores: scores
        arrays = {name: np.array(values) for name, values in self.constants.items()}
        return partial(CALIBRATIONS[self.method].apply, constants=arrays)

    def apply(self, scores: Floats) -> Floats:
        """Scores [N] -> calibrated scores [N]."""
        return self.curve()(scores)


def fit(method: str, scores: Floats, labels: Floats) -> Fitted:
    """Fit a calibration to scores and labels [M] of rows with known labels.

    If fitting is impossible, for example on a validation day without purchases, scores stay unchanged and a note says
    so: a model that took hours to train is not lost.
    """
    try:
        return Fitted(method=method, constants=dict(CALIBRATIONS[method].fit(scores, labels)))
    except CalibrationError as error:
        return Fitted(note=f"not calibrated by {method}: {error}")
