"""What the units of a round did: the narrow interface to exposures and events."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from training.experiments.unit_sums import Floats, UnitSums


class ObservationError(ValueError):
    """Logs that say nothing about an experiment; the message says what is missing."""


@dataclass(frozen=True, eq=False)
class Observed:
    """Sums of a round by unit.

    Attributes
    ----------
    sums
        Group of each of U units, and numerator and denominator of each metric. A unit that was in two groups has a row
        for each.
    keys
        What identifies a unit [U], to find it again in other rounds.
    requests
        Requests by unit [U].
    problem
        Why nothing was seen; empty if something was.
    remarks
        What is odd about what was seen.
    """

    sums: UnitSums
    keys: NDArray[Any]
    requests: Floats
    problem: str = ""
    remarks: tuple[str, ...] = ()

    @property
    def total_requests(self) -> int:
        """Requests of all groups."""
        return int(self.requests.sum())

    @property
    def total_units(self) -> int:
        """Units of all groups."""
        return len(np.unique(self.keys))


class Observations(Protocol):
    """Reads logs; implemented over the exposure log, and by tests and simulations in their process."""

    def of(self, experiment: str, groups: list[str], since: datetime, until: datetime) -> Observed:
        """Requests answered between two times in groups of an experiment, with the events of each that are in time.

        While the logs hold nothing, ``problem`` says why: they may not have been written yet.
        """
        ...
