"""What a join is asked to do, and what it did."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from training.exposures.event_run import Fate
from training.exposures.labels import Label

REMEMBERED = timedelta(days=7)


@dataclass(frozen=True)
class JoinOptions:
    """What is joined, and how.

    Attributes
    ----------
    within
        How long after an exposure its events count.
    labels
        Columns of the log, and the events that they are made of.
    now
        Exposures whose window is not over then are held back; ``None``: the clock's time.
    grace
        How much longer exposures are held back, for events and files that arrive late.
    model
        Join only exposures of this model; ``None``: of all.
    salt
        With which the service hashes units.
    remember
        How long an event is known to be late, or to be the same as an earlier one, after its exposure was written.
    rejected
        Folder for files of late and of orphaned events; ``None``: they are only counted.
    """

    within: timedelta
    labels: Sequence[Label]
    now: datetime | None = None
    grace: timedelta = timedelta()
    model: str | None = None
    salt: str | None = None
    remember: timedelta = REMEMBERED
    rejected: Path | None = None


@dataclass
class Joined:
    """What a run did.

    Attributes
    ----------
    rows, days
        Rows written, and how many of each UTC day.
    held_back
        Rows whose window is not over yet.
    positive
        By label, rows whose label is neither 0 nor null.
    events
        How many events there were of each fate.
    kinds
        How many events there were of each kind, those of no label included.
    early
        Events that count although they are before their exposure: clocks differ.
    unknown
        Rows whose item or user was in no file of these.
    empty
        Columns of features that are null in all rows that were written.
    waiting
        When the oldest file that a living service still writes was begun, if exposures are held back for it.
    lost
        Names of files of exposures that are gone, though rows of them were held back.
    files
        The files written.
    """

    rows: int = 0
    days: dict[str, int] = field(default_factory=dict)
    held_back: int = 0
    positive: dict[str, int] = field(default_factory=dict)
    events: dict[Fate, int] = field(default_factory=dict)
    kinds: dict[str, int] = field(default_factory=dict)
    early: int = 0
    unknown: dict[str, int] = field(default_factory=dict)
    empty: list[str] = field(default_factory=list)
    waiting: datetime | None = None
    lost: list[str] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """All counts as plain data."""
        return {
            "rows": self.rows,
            "days": self.days,
            "held_back": self.held_back,
            "labels": self.positive,
            "events": {fate.name.lower(): count for fate, count in self.events.items()},
            "kinds": self.kinds,
            "early": self.early,
            "unknown": self.unknown,
            "empty": self.empty,
            "waiting": None if self.waiting is None else self.waiting.isoformat(),
            "lost": self.lost,
            "files": [str(file) for file in self.files],
        }
