"""Trace of one request: stage times, deadline, route, encoded input and scores, for metrics and traces."""

import time
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ranker.encoding import Packed

if TYPE_CHECKING:
    from serving.ranking.exposure import Exposure, ExposureColumns
    from serving.ranking.route import Route
    from serving.scorer.messages import Done

STAGES = ("read", "wait", "parse", "features", "encode", "turn", "sift", "score", "hold", "fuse", "respond")


class DeadlineError(Exception):
    """The request's deadline has passed; its remaining steps are skipped."""


class RequestTrace:
    """Seconds by stage, starting now; ``deadline`` is on ``time.monotonic``'s clock."""

    __slots__ = (
        "_last", "begun", "by_full", "deadline", "exposed", "exposing", "looked_up", "packed", "request_id", "route",
        "scored", "scores", "seconds", "unit", "unknown", "user",
    )  # fmt: skip

    def __init__(self, deadline: float | None = None, request_id: str = "") -> None:
        self.begun = self._last = time.monotonic()
        self.deadline = deadline
        self.request_id = request_id
        """The answer's ``X-Request-ID``, and the seed of exploration."""
        self.seconds: dict[str, float] = {}
        self.route: Route | None = None
        self.packed: Packed | None = None
        self.scores: NDArray[np.float32] | None = None
        self.by_full: int | None = None
        """Number of candidates that the full model scored after the student; ``None`` if it scored all."""
        self.scored: Done | None = None
        """How a scorer ran the request; ``None`` without one."""
        self.looked_up = self.unknown = 0
        """Item ids looked up, and how many of them are unknown."""
        self.user: str | None = None
        """Outcome of the user look-up; ``None`` if the request named no user."""
        self.exposing: ExposureColumns | None = None
        """What the exposure log takes of the request; ``None`` if it is not logged."""
        self.exposed: Exposure | None = None
        self.unit: str | None = None
        """The user that the request is logged for."""

    def lap(self, stage: str) -> None:
        """End a stage. Raises ``DeadlineError`` if the deadline has passed."""
        now = time.monotonic()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self._last  # a request may wait for its turn twice
        self._last = now
        if self.deadline is not None and now > self.deadline:
            raise DeadlineError(stage)
