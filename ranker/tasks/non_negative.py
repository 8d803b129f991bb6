"""What kinds of task have in common whose labels are amounts of at least 0, most of which may be 0."""

from __future__ import annotations

import numpy as np

from ranker.tasks.base import Floats, Mask, Task


class NonNegative(Task):
    """An amount of at least 0, of which some must be above."""

    @property
    def expects(self) -> str:
        """Allowed labels, for messages."""
        return "a value of at least 0"

    def allowed(self, labels: Floats) -> Mask:
        """Whether each finite number [N] is at least 0; mask [N]."""
        return np.asarray(labels >= 0)

    def nothing_to_learn(self, known: int, nonzero: int) -> str | None:
        """Reason if no label is positive."""
        del known
        return None if nonzero else "no label is above 0"
