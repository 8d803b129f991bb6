"""What has to be done next in an online search."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from training.online.state import Counts, Outcome, Round


@dataclass(frozen=True)
class Serve:
    """Have the services serve an experiment, then call ``Search.served``."""

    round: Round
    experiment: dict[str, Any]
    why: str


@dataclass(frozen=True)
class Wait:
    """Nothing to do yet: call ``Search.step`` again later.

    ``until`` is when the round ends at the latest, and ``problem`` why nothing was seen so far.
    """

    round: Round
    counts: Counts
    until: datetime | None
    problem: str = ""


@dataclass(frozen=True)
class Done:
    """The search is over: end the experiment."""

    outcome: Outcome


Action: TypeAlias = Serve | Wait | Done
