"""Confirmations of one pair of fusions on the simulator's users, to see whether their intervals hold the truth."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ranker.fusion import Plan
from serving.experiments.assignment import point
from tests.training.online.shop import Floats, Scorer, ranked
from training.experiments.statistics import compare
from training.experiments.unit_sums import RatioSums, UnitSums
from training.simulator.live import Crowd, Responses, respond
from training.simulator.population import Ints
from training.simulator.world import UTILITY


class BothWays(NamedTuple):
    """What users would do under each of two fusions, with the same luck.

    Attributes
    ----------
    users : [U]
        Ids of those who came.
    requests : [U]
        Their visits.
    rewards : [U, 2]
        Their rewards under each fusion: what they did, weighed by the true utility's weights.
    expected : [2]
        The true expected utility of a request.
    luck
        By how many of its own standard errors the mean difference of these very visits is off by chance alone, relative
        to the error of an experiment: what all experiments on these visits have in common.
    """

    users: Ints
    requests: Floats
    rewards: Floats
    expected: Floats
    luck: float

    @property
    def gain(self) -> float:
        """True relative gain."""
        return float(self.expected[1] / self.expected[0] - 1)


class Confirmations(NamedTuple):
    """Of each experiment [E], whether the interval of the relative gain holds the truth, and errors off the truth."""

    covers: NDArray[np.bool_]
    off: Floats


def reward(responses: Responses) -> Floats:
    """What users did with lists [R], by the true utility's weights."""
    parts = [weight * responses.labels[name].sum(axis=1, dtype=np.float64) for name, weight in UTILITY.items()]
    return np.asarray(np.sum(parts, axis=0))


def both_ways(crowd: Crowd, plans: tuple[Plan, Plan], score: Scorer, visits: int) -> BothWays:
    """Let users visit, and rank each visit by both fusions."""
    users, rewards, expected = [], [], []
    for start in range(0, visits, 1000):
        some = crowd.arrive(min(1000, visits - start))
        scores = score(crowd, some)
        shown = [ranked(plan, some.candidates, scores, crowd.shown) for plan in plans]
        found = [respond(crowd.world, some.users, some.candidates, some.chance, items) for items in shown]
        users.append(some.users)
        expected.append(np.stack([one.utility for one in found], axis=1))
        rewards.append(np.stack([reward(one) for one in found], axis=1))
    drawn, truth = np.concatenate(rewards), np.concatenate(expected)
    ids, codes = np.unique(np.concatenate(users), return_inverse=True)
    sums = np.stack([np.bincount(codes, column) for column in drawn.T], axis=1)
    paired = float((drawn[:, 1] - drawn[:, 0]).std() / np.sqrt(visits))
    apart = float(np.sqrt(2 * drawn.var(axis=0).sum() / visits))
    return BothWays(ids, np.bincount(codes).astype(np.float64), sums, truth.mean(axis=0), 3 * paired / apart)


def confirmations(found: BothWays, salts: Sequence[str], level: float = 0.05) -> Confirmations:
    """Draw the users into two halves by each salt, as a service does, and judge each experiment."""
    covers, off = [], []
    difference = found.expected[1] - found.expected[0]
    for salt in salts:
        group = np.array([point(salt, str(user)) >= 0.5 for user in found.users.tolist()]).astype(np.intp)
        own = np.take_along_axis(found.rewards, group[:, None], axis=1)[:, 0]
        units = UnitSums(["control", "winner"], group, {"reward": RatioSums(own, found.requests)})
        [one] = compare(units, "reward", "control", level)
        assert one.difference is not None
        assert one.error is not None
        ends = one.relative_interval
        covers.append(ends is not None and ends[0] < found.gain < ends[1])
        off.append((one.difference - difference) / one.error)
    return Confirmations(np.array(covers), np.array(off))
