"""The logging policy: retrieves candidates for a session and orders them."""

from typing import NamedTuple

import numpy as np

from training.simulator.behaviour import RESPONSES, Drivers
from training.simulator.config import SimulatorConfig
from training.simulator.population import Floats, Ints, Items, Users

CLICK = RESPONSES.index("click")


class Sessions(NamedTuple):
    """S sessions and the items shown in each, in position order."""

    users: Ints  # [S]
    items: Ints  # [S, shown_per_session], distinct within a session
    logits: Floats  # [S, shown_per_session, 5] of RESPONSES, before intercepts


class Policy:
    """Retrieves popular items and ranks them by a noisy click model."""

    def __init__(self, config: SimulatorConfig, users: Users, items: Items, drivers: Drivers) -> None:
        self._config = config
        self._items = items
        self._drivers = drivers
        self._visits = np.cumsum(users.activity, dtype=np.float64)
        self._prior = config.policy_popularity * np.log(items.popularity)

    def sessions(self, count: int, day: int, rng: np.random.Generator) -> Sessions:
        """Draw ``count`` sessions on ``day`` (days since the log's first); active users have more sessions."""
        users = self.visitors(count, rng)
        candidates = self.retrieve(count, day, rng)
        logits = self._drivers.logits(users[:, None], candidates)
        score = self._config.policy_skill * logits[..., CLICK] + self._prior[candidates]
        score += self._config.policy_noise * rng.standard_normal(score.shape, dtype=np.float32)
        order = np.argsort(-score, axis=1, kind="stable")[:, : self._config.shown_per_session]
        return Sessions(
            users=users,
            items=np.take_along_axis(candidates, order, axis=1),
            logits=np.take_along_axis(logits, order[..., None], axis=1),
        )

    def visitors(self, count: int, rng: np.random.Generator) -> Ints:
        """Users [count] of as many visits, drawn by their activity."""
        visits = np.searchsorted(self._visits, rng.random(count) * self._visits[-1], side="right")
        return np.asarray(np.minimum(visits, self._visits.size - 1))

    def retrieve(self, count: int, day: int, rng: np.random.Generator, slots: int | None = None) -> Ints:
        """Candidates [count, slots] among the items uploaded by ``day``; ``slots`` is by default the config's.

        Items are split at random into one group per slot, and each slot samples from its group by popularity, so that a
        session has no duplicate items, without rejection sampling.
        """
        slots = self._config.candidates_per_session if slots is None else slots
        live = rng.permutation(np.flatnonzero(self._items.upload_day <= day))
        age = day - self._items.upload_day[live]
        weight = self._items.popularity[live] * (1.0 + 1.5 * np.exp(-age / 3.0))  # new items are shown more
        ends = np.linspace(0, live.size, slots + 1).astype(np.int64)
        cumulative = np.concatenate([[0.0], np.cumsum(weight, dtype=np.float64)])
        low, high = cumulative[ends[:-1]], cumulative[ends[1:]]
        drawn = np.searchsorted(cumulative, low + rng.random((count, slots)) * (high - low), side="right") - 1
        return np.asarray(live[np.clip(drawn, ends[:-1], ends[1:] - 1)])


def stream(config: SimulatorConfig, *key: int) -> np.random.Generator:
    """Return an independent random stream for one purpose."""
    return np.random.default_rng(np.random.SeedSequence(config.seed, spawn_key=key))
