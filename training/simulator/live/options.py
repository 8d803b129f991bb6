"""Options of a live simulation: who comes when, and how events are reported."""

import datetime

from pydantic import Field

from ranker.config.closed import Closed


class CrowdOptions(Closed):
    """How users come to a service; what they like is the world's.

    Raises pydantic's ``ValidationError`` (a ``ValueError``) for a value out of range or an unknown key.
    """

    seed: int = Field(default=0, ge=0, description="seed of visits and behaviour; the world has its own")
    shown: int | None = Field(default=None, ge=1, le=1000, description="places that a user looks at; None: the world's")
    candidates: int | None = Field(
        default=None, ge=1, le=10_000, description="candidates of a request; None: the world's"
    )
    start: datetime.datetime | None = Field(
        default=None, description="simulated time of the first visit, in UTC; None: the midnight after the world's log"
    )
    per_second: float = Field(default=10.0, gt=0.0, le=1e6, description="visits a simulated second")


class EventOptions(Closed):
    """When events occur, and how badly they are reported.

    Raises pydantic's ``ValidationError`` (a ``ValueError``) for a value out of range or an unknown key.
    """

    delay: float = Field(default=5.0, ge=0.0, description="mean seconds between reaching an item and a click on it")
    pace: float = Field(
        default=1.0, gt=0.0, description="seconds of a user's life in a second of the clock: 60 is a minute a second"
    )
    late: float = Field(
        default=0.02, ge=0.0, le=1.0, description="visits whose events occur, and are written, much later"
    )
    late_by: float = Field(default=7200.0, ge=0.0, description="seconds by which those are later")
    twice: float = Field(default=0.01, ge=0.0, le=1.0, description="events that are reported twice")
    orphans: float = Field(
        default=0.0, ge=0.0, le=1.0, description="further events, of items or requests that were never shown"
    )
