"""One request under a watch: how long stages took, whether its deadline has passed, what ranks it, its scores."""

import time
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ranker.encoding import Packed

if TYPE_CHECKING:
    from serving.ranking.route import Route

STAGES = ("read", "wait", "parse", "features", "encode", "turn", "score", "hold", "fuse", "respond")


class DeadlineError(Exception):
    """The request's deadline passed; nothing more is done for it."""


class RequestTrace:
    """Seconds by stage, counted from now; ``deadline`` is a time of ``time.monotonic``."""

    __slots__ = ("_last", "begun", "deadline", "looked_up", "packed", "route", "scores", "seconds", "unknown", "user")

    def __init__(self, deadline: float | None = None) -> None:
        self.begun = self._last = time.monotonic()
        self.deadline = deadline
        self.seconds: dict[str, float] = {}
        self.route: Route | None = None
        self.packed: Packed | None = None
        self.scores: NDArray[np.float32] | None = None
        self.looked_up = self.unknown = 0
        """Ids looked up among the items, and how many of them these do not have."""
        self.user: str | None = None
        """What became of the user that the request named; ``None`` where it named none."""

    def lap(self, stage: str) -> None:
        """End a stage. Raises ``DeadlineError`` where the deadline has passed by then."""
        now = time.monotonic()
        self.seconds[stage] = now - self._last
        self._last = now
        if self.deadline is not None and now > self.deadline:
            raise DeadlineError(stage)
