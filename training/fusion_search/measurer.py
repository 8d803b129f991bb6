"""What a search needs of whatever measures parameter sets."""

from collections.abc import Callable
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ranker.fusion import Plan
from training.fusion_search.space import Sets

Floats = NDArray[np.float64]

Statistics: TypeAlias = Callable[[Floats], Floats]
"""Maps how often each group counts [G] to metrics [M]; once each gives the metrics themselves."""


class Measurer(Protocol):
    """Measures M metrics of parameter sets on rows in G groups."""

    @property
    def plan(self) -> Plan:
        """The fusion whose parameters the sets replace."""
        ...

    @property
    def row_count(self) -> int:
        """Number of rows."""
        ...

    @property
    def group_count(self) -> int:
        """Number of groups G, which are resampled."""
        ...

    def __call__(self, sets: Sets) -> Floats:
        """Metrics [P, M] of P parameter sets."""
        ...

    def baseline(self) -> Floats:
        """Metrics [M] with the plan's own parameters."""
        ...

    def statistics(self, one: Sets) -> Statistics:
        """One set's metrics as a function of group counts."""
        ...
