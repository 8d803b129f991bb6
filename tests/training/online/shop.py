"""The simulator's users as those of a service in this process, whose exposures and events go to files."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ranker.exposures import write_exposures
from ranker.fusion import Candidates, Plan, Requests
from serving.experiments.assignment import Split
from serving.experiments.config import Experiment
from tests.training.online.world import BEGIN
from training.config.online import Online
from training.fusion_search.space import Space
from training.online.actions import Done, Serve
from training.online.read_logs import LogObservations
from training.online.search import Search
from training.online.state import Store
from training.simulator import World
from training.simulator.live import Answers, Crowd, CrowdOptions, EventOptions, Visits, exposures, rounds
from training.simulator.population import Ints

Floats = NDArray[np.float64]
Scorer: TypeAlias = Callable[[Crowd, Visits], Floats]
"""Scores [R, N, T] of the candidates of visits."""


def true_scores(crowd: Crowd, visits: Visits) -> Floats:
    """The true expectations, as if by a perfect model."""
    found = crowd.world.expected(visits.users[:, None], visits.candidates)
    return np.stack(list(found.values()), axis=-1)


def ranked(plan: Plan, candidates: Ints, scores: Floats, shown: int) -> Ints:
    """The first places [R, shown] of candidates [R, N] with scores [R, N, T], by a fusion."""
    width = candidates.shape[1]
    requests = Requests(np.repeat(np.arange(len(candidates)), width), len(candidates))
    keys = plan.rank(Candidates.of(plan.objectives, scores.reshape(-1, scores.shape[2]), requests)).sort_keys()
    order = np.argsort(-keys.reshape(candidates.shape), axis=1, kind="stable")
    return np.take_along_axis(candidates, order[:, :shown], axis=1)


class Shop:
    """Users who are ranked by the experiment that is served, and files of what they were shown and did.

    Attributes
    ----------
    crowd, plan, score
        Who comes, the fusion of today, and the model.
    now
        The virtual time: users come at the crowd's rate.
    experiment
        What is served; empty: the fusion of today to all.
    features
        Whether the log has what a training log needs.
    """

    def __init__(self, crowd: Crowd, plan: Plan, score: Scorer, folder: Path, *, features: bool = False) -> None:
        self.crowd, self.plan, self.score, self.folder, self.features = crowd, plan, score, folder, features
        self.now = BEGIN
        self.experiment: Mapping[str, Any] = {}
        self._number, self._rested = count(), timedelta()
        (folder / "events").mkdir(parents=True)

    def rank(self, visits: Visits) -> Answers:
        """Each visit by the fusion of its user's group."""
        scores, shown = self.score(self.crowd, visits), self.crowd.shown
        times = visits.times + round(self._rested / timedelta(milliseconds=1))
        if not self.experiment:
            return Answers(ranked(self.plan, visits.candidates, scores, shown), times)
        split = Split(Experiment.model_validate(self.experiment))
        groups = [split.group_of(str(user)) for user in visits.users.tolist()]
        items = np.empty((len(visits), shown), dtype=np.int64)
        for name, group in self.experiment["groups"].items():
            rows = np.flatnonzero(np.array(groups, dtype=object) == name)
            plan = self.plan.replaced(group.get("fusion", {}).get("parameters", {}))
            if len(rows):
                items[rows] = ranked(plan, visits.candidates[rows], scores[rows], shown)
        return Answers(items, times, groups, experiment=self.experiment["name"])

    def come(self, visits: int, block: int = 1000) -> None:
        """Let users visit; their events are reported as imperfectly as in life."""
        for one in rounds(self.crowd, self.rank, visits, EventOptions(twice=0.05), block=block):
            shown = exposures(self.crowd, one.visits, one.answers, features=self.features)
            write_exposures(shown, self.folder / "exposures")
            pq.write_table(one.events.table(), self.folder / "events" / f"{next(self._number):04d}.parquet")
        self.now += timedelta(seconds=visits / self.crowd.options.per_second)

    def rest(self, time: timedelta) -> None:
        """Let time pass in which nobody comes."""
        self._rested += time
        self.now += time


def crowd_of(world: World, seed: int, shown: int | None = None, candidates: int | None = None) -> Crowd:
    """Users who begin to come when the virtual clock does."""
    return Crowd(world, CrowdOptions(seed=seed, shown=shown, candidates=candidates, start=BEGIN))


def searched(config: Online, around: Space, shop: Shop, folder: Path, visits: Mapping[str, int]) -> Search:
    """A whole search, with so many visits of each round by its kind. They wait no longer than their events take."""
    search, logs, came = Search(config, around, Store(folder)), LogObservations(config.logs, config.metrics), 0
    while not isinstance(action := search.step(shop.now, logs), Done):
        one = search.rounds[-1]
        if isinstance(action, Serve):
            shop.experiment = action.experiment
            search.served(shop.now)
        elif came < one.number:
            came = one.number
            shop.come(visits[one.kind])
        else:
            shop.rest(config.logs.within)
    shop.experiment = {}
    return search


def truth(
    world: World, plan: Plan, score: Scorer, visits: int, shown: int | None = None, candidates: int | None = None
) -> dict[str, float]:
    """Expected utility of a request, and of a user over all requests, on the same visits for all fusions."""
    crowd, utilities, users = crowd_of(world, 9_999, shown, candidates), [], []
    for start in range(0, visits, 1000):
        some = crowd.arrive(min(1000, visits - start))
        responses = crowd.respond(some, ranked(plan, some.candidates, score(crowd, some), crowd.shown))
        utilities.append(responses.utility)
        users.append(some.users)
    whole = np.concatenate(utilities)
    return {"request": float(whole.mean()), "user": float(whole.sum() / len(np.unique(np.concatenate(users))))}
