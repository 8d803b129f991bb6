"""Sums the truth of a live simulation up by group."""

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

from training.simulator.live.rounds import Round


@dataclass
class GroupTruth:
    """What the users of a group got.

    Attributes
    ----------
    requests, answered
        Requests, and those with an answer.
    users
        Ids of its users.
    utility, best
        True expected utility of all lists, and that of the best possible ones.
    clicks
        Clicks that were drawn.
    """

    requests: int = 0
    answered: int = 0
    users: set[int] = field(default_factory=set)
    utility: float = 0.0
    best: float = 0.0
    clicks: int = 0

    @property
    def per_request(self) -> float:
        """True utility of a request."""
        return self.utility / max(self.requests, 1)

    @property
    def per_user(self) -> float:
        """True utility of a user, over all of the user's requests."""
        return self.utility / max(len(self.users), 1)


class Summary:
    """Truth by group, in order of appearance; requests outside of an experiment are under ``None``."""

    def __init__(self) -> None:
        self.groups: dict[str | None, GroupTruth] = defaultdict(GroupTruth)

    def add(self, block: Round) -> None:
        """Add a block."""
        groups = block.answers.groups or [None] * len(block.visits)
        names = np.array([name or "" for name in groups], dtype=object)
        clicks = block.responses.labels["click"].sum(axis=1)
        for name in dict.fromkeys(groups):
            its, truth = names == (name or ""), self.groups[name]
            truth.requests += int(its.sum())
            truth.answered += int(block.answers.answered[its].sum())
            truth.users.update(block.visits.users[its].tolist())
            truth.utility += float(block.responses.utility[its].sum())
            truth.best += float(block.responses.best[its].sum())
            truth.clicks += int(clicks[its].sum())
