"""Logged requests with their candidates and rewards, and how a policy orders them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ranker.fusion.exploration import Exploration

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Orders:
    """How a policy ranks the logged candidates of R requests, N in all.

    Attributes
    ----------
    base
        Place of each candidate in its request before exploration, from 0 [N].
    fused
        Fused scores [N].
    free
        Number of candidates that exploration may draw, the first in that order [R], at least 1.
    explorations
        The ways in which the policy explores; ``None`` is not at all.
    explores
        Which of these each request has [R].
    """

    base: Indices
    fused: Floats
    free: Indices
    explorations: tuple[Exploration | None, ...]
    explores: Indices

    def taken(self, requests: NDArray[np.bool_], rows: NDArray[np.bool_]) -> "Orders":
        """Some of the requests [R], with their candidates [N]."""
        return Orders(
            self.base[rows], self.fused[rows], self.free[requests], self.explorations, self.explores[requests]
        )


@dataclass(frozen=True, eq=False)
class Logged:
    """R requests with N logged candidates; candidates are in the order of requests, then of places.

    Attributes
    ----------
    starts
        The first candidate of each request, and N at the end [R + 1].
    units
        The user of each request, from 0 [R].
    shown
        Number of places of each request that have rewards, at least 1 [R].
    candidates
        Number of candidates of each request that were ranked, logged or not [R].
    rewards
        Reward of each candidate [N]; 0 where it was not shown.
    model
        The reward that the model expects of each candidate, without regard to its place [N]; ``None`` if unknown.
    scores
        Raw scores of the model [N, T].
    features
        Values [N] of logged features by their name in the schema.
    ids
        Ids of the requests [R], for messages.
    """

    starts: Indices
    units: Indices
    shown: Indices
    candidates: Indices
    rewards: Floats
    model: Floats | None = None
    scores: Floats = field(default_factory=lambda: np.zeros((0, 0)))
    features: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    ids: NDArray[Any] | None = None

    def __len__(self) -> int:
        return len(self.shown)

    @property
    def sizes(self) -> Indices:
        """Number of logged candidates of each request [R]."""
        return np.diff(self.starts)

    @property
    def codes(self) -> Indices:
        """The request of each candidate, from 0 [N]."""
        return np.repeat(np.arange(len(self)), self.sizes)

    @property
    def place(self) -> Indices:
        """The place of each candidate, from 0 [N]."""
        return np.arange(int(self.starts[-1])) - np.repeat(self.starts[:-1], self.sizes)

    def by_place(self, values: Floats, places: int, rest: float = 0.0) -> Floats:
        """Values [N] of the shown candidates as [R, places]; ``rest`` where a request showed fewer."""
        found = np.full((len(self), places), rest)
        codes, place = self.codes, self.place
        rows = place < np.minimum(self.shown, places)[codes]
        found[codes[rows], place[rows]] = values[rows]
        return found

    def taken(self, requests: NDArray[np.bool_]) -> "Logged":
        """Some of the requests [R], with users numbered as before."""
        rows = requests[self.codes]
        return Logged(
            starts=np.insert(np.cumsum(self.sizes[requests]), 0, 0),
            units=self.units[requests],
            shown=self.shown[requests],
            candidates=self.candidates[requests],
            rewards=self.rewards[rows],
            model=None if self.model is None else self.model[rows],
            scores=self.scores[rows],
            features={name: values[rows] for name, values in self.features.items()},
            ids=None if self.ids is None else self.ids[requests],
        )

    def with_features(self, features: Mapping[str, NDArray[Any]]) -> "Logged":
        """The same requests with other features [N]."""
        return replace(self, features=features)

    @property
    def truncated(self) -> NDArray[np.bool_]:
        """Requests [R] of which not all candidates are logged."""
        return np.asarray(self.sizes < self.candidates)
