"""Logs of an exploring policy on simulated users, and the true values of others."""

from typing import NamedTuple

import numpy as np

from ranker.fusion.exploration import Exploration
from ranker.fusion.exploration.batch import drawn_lists
from training.off_policy.logged import Floats, Indices, Logged, Orders
from training.simulator.config import SimulatorConfig
from training.simulator.live import Crowd, CrowdOptions, Visits
from training.simulator.world import World

LIKE = 8.0
"""Reward of a like, in clicks."""
TOGETHER = 500
"""Requests behind a true value that come together."""


class Policy(NamedTuple):
    """Ranks by ``click + weight * like``, the scores of a model, and explores."""

    weight: float
    exploration: Exploration | None


class Setting(NamedTuple):
    """Sizes of requests, and the two policies."""

    candidates: int
    places: int
    logging: Policy
    target: Policy
    noise: float = 0.5
    """Standard deviation of the model's errors, in logits."""
    slope: float = 1.0
    """What logits of likes are multiplied by, so that the model errs by a rule."""


def world_of(users: int = 3000, items: int = 1000) -> World:
    """A small world."""
    return World(SimulatorConfig(users=users, items=items, authors=100, rows=1, seed=3))


class Served(NamedTuple):
    """Requests that a policy answered; arrays are by request and candidate, in the order of places."""

    logged: Logged
    click: Floats
    like: Floats

    def orders(self, policy: Policy) -> Orders:
        """How a policy orders the candidates."""
        fused = self.click + policy.weight * self.like
        base = np.argsort(np.argsort(-fused, axis=1, kind="stable"), axis=1, kind="stable")
        count, size = fused.shape
        none = np.zeros(count, dtype=np.intp)
        return Orders(base.ravel(), fused.ravel(), np.full(count, size), (policy.exploration,), none)


def served(world: World, setting: Setting, requests: int, seed: int) -> Served:
    """Draw requests, lists by the logging policy, and responses."""
    crowd = Crowd(world, CrowdOptions(seed=seed, shown=setting.places, candidates=setting.candidates))
    visits = crowd.arrive(requests)
    random = np.random.default_rng([seed, 1])
    click, like = scores(world, visits, setting, random)
    order = lists(setting.logging, click, like, random)
    responses = crowd.respond(visits, np.take_along_axis(visits.candidates, order[:, : setting.places], axis=1))
    rewards = np.zeros(order.shape)
    labels = responses.labels
    rewards[:, : setting.places] = labels["click"].astype(float) + LIKE * labels["like"].astype(float)
    click, like = (np.take_along_axis(values, order, axis=1) for values in (click, like))
    logged = Logged(
        starts=np.arange(requests + 1) * setting.candidates,
        units=np.unique(visits.users, return_inverse=True)[1],
        shown=np.full(requests, setting.places),
        candidates=np.full(requests, setting.candidates),
        rewards=rewards.ravel(),
        model=(click + LIKE * like).ravel(),
    )
    return Served(logged, click, like)


def true_value(world: World, setting: Setting, requests: int, seed: int) -> float:
    """Mean true reward of a request under the target policy, over drawn requests and lists.

    Requests are drawn ``TOGETHER`` at a time, because the candidates of those that come together are alike.
    """
    crowd = Crowd(world, CrowdOptions(seed=seed, shown=setting.places, candidates=setting.candidates))
    random, total = np.random.default_rng([seed, 2]), 0.0
    for _ in range(requests // TOGETHER):
        visits = crowd.arrive(TOGETHER)
        click, like = scores(world, visits, setting, random)
        shown = lists(setting.target, click, like, random)[:, : setting.places]
        items = np.take_along_axis(visits.candidates, shown, axis=1)
        expected = world.expected(visits.users[:, None], items)
        worth = expected["click"] + LIKE * expected["like"]
        total += float((worth * world.config.examination(setting.places)).sum())
    return total / (requests // TOGETHER * TOGETHER)


def scores(world: World, visits: Visits, setting: Setting, random: np.random.Generator) -> tuple[Floats, Floats]:
    """A model's click and like probabilities [R, N]: the true ones, with errors in logits."""
    expected = world.expected(visits.users[:, None], visits.candidates)
    found = []
    for name, slope in (("click", 1.0), ("like", setting.slope)):
        true = np.clip(expected[name], 1e-6, 1 - 1e-6)
        logits = slope * np.log(true / (1 - true)) + setting.noise * random.normal(size=true.shape)
        found.append(1 / (1 + np.exp(-logits)))
    return found[0], found[1]


def lists(policy: Policy, click: Floats, like: Floats, random: np.random.Generator) -> Indices:
    """All candidates [R, N] of requests in an order that the policy draws."""
    fused = click + policy.weight * like
    by_score = np.argsort(-fused, axis=1, kind="stable")
    count = fused.shape[1]
    drawn = drawn_lists(policy.exploration, np.take_along_axis(fused, by_score, axis=1), count, count, random)
    return np.take_along_axis(by_score, drawn, axis=1)
