"""A service, its users and its logs in the test's process, with a virtual clock."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from ranker.fusion import FusionOptions, build_plan
from serving.experiments.assignment import Split
from serving.experiments.config import Experiment
from training.config.online import Online
from training.experiments.unit_sums import RatioSums, UnitSums
from training.fusion_search.space import Space, space
from training.online.actions import Done, Serve, Wait
from training.online.observed import Observed
from training.online.search import Search
from training.online.state import Store

BEGIN = datetime(2026, 1, 5, tzinfo=UTC)
TODAY = {"click": 1.0, "like": 1.0}
BEST = {"click": 0.7, "like": 1.35}
PLAN = build_plan(
    FusionOptions.model_validate({"name": "additive", "parameters": {"share": TODAY}}), dict.fromkeys(TODAY, "binary")
)
AROUND = space(PLAN, ["share"], 0.5)
"""From half to one and a half times of today: the best is at (0.2, 0.85) of the unit square."""

Values = Mapping[str, float]


def bowl(values: Values) -> float:
    """Mean reward of a request: 1 at ``BEST``, 0.785 today, less elsewhere."""
    return 1.0 - sum((values[name] - BEST[name]) ** 2 for name in BEST)


def flat(values: Values) -> float:
    """The same everywhere."""
    del values
    return 0.8


def config_of(**values: Any) -> Online:
    """A config whose services are not asked in these tests."""
    content = {
        "name": "tuning",
        "artifact": "artifacts",
        "vary": ["share"],
        "service": {"models": "models.yaml", "urls": ["http://localhost:1"], "admin_key_env": "KEY", "unit": "user"},
        "logs": {"exposures": "exposures", "events": ["events"], "within": "30m"},
        "reward": "click / requests",
        "round": {"units": 3000},
        "confirm": {"units": 6000},
        "check_every": "1h",
        **values,
    }
    return Online.model_validate(content)


class World:
    """Users who arrive at an even rate, with rewards of a known mean; implements ``Observations``.

    They are assigned as in the service. Every user of an hour makes two requests, and has a taste of its own that adds
    to all its rewards. ``truth`` gives the mean reward of a request, ``harm`` what is lost of the guardrail ``stay``,
    whose mean is 1 per request.
    """

    def __init__(
        self,
        truth: Callable[[Values], float] = bowl,
        *,
        units: int = 1000,
        noise: float = 0.5,
        harm: Callable[[Values], float] = lambda _: 0.0,
        drift: float = 0.0,
        today: Values = TODAY,
        seed: int = 0,
    ) -> None:
        self.today = today
        self.truth, self.harm, self.units, self.noise, self.drift, self.seed = truth, harm, units, noise, drift, seed
        self.now = BEGIN
        self.served: list[tuple[datetime, dict[str, Any]]] = []
        self._hours: dict[int, Any] = {}

    def serve(self, content: dict[str, Any]) -> None:
        """Serve an experiment from now on, as the service would read it."""
        Experiment.model_validate(content)
        self.served.append((self.now, content))

    def of(self, experiment: str, groups: list[str], since: datetime, until: datetime) -> Observed:
        """Whole hours of requests."""
        hours = range(int(np.ceil((since - BEGIN) / timedelta(hours=1))), int((until - BEGIN) / timedelta(hours=1)))
        parts = [self._hour(hour, experiment, groups) for hour in hours]
        found = [part for part in parts if part is not None] or [(np.zeros((0, 2), int), np.zeros((2, 0)))]
        rows, values = np.concatenate([rows for rows, _ in found]), np.hstack([values for _, values in found])
        pairs, codes = np.unique(rows, axis=0, return_inverse=True)
        requests = 2.0 * np.bincount(codes, minlength=len(pairs))
        sums = {
            name: RatioSums(np.bincount(codes, values[i], len(pairs)), requests)
            for i, name in enumerate(("reward", "stay"))
        }
        return Observed(UnitSums(groups, pairs[:, 1].astype(np.intp), sums), pairs[:, 0], requests)

    def _hour(self, hour: int, experiment: str, groups: list[str]) -> Any:
        """User and group [U, 2], and sums of clicks and of ``stay`` [2, U], of one hour."""
        at = BEGIN + timedelta(hours=hour)
        content = next((found for begun, found in reversed(self.served) if begun <= at), None)
        if content is None or content["name"] != experiment or not self.units:
            return None
        if hour not in self._hours:
            random = np.random.default_rng([self.seed, hour])
            users = random.choice(20 * self.units, self.units, replace=False)
            split = Split(Experiment.model_validate(content))
            members = np.array([groups.index(split.group_of(str(user)) or "control") for user in users.tolist()])
            served = [self._values(content["groups"][name]) for name in groups]
            means = np.array([[self.truth(values), 1.0 - self.harm(values)] for values in served])[members].T
            taste = np.random.default_rng(self.seed).normal(0, 0.3, 20 * self.units)[users]
            own = np.stack([taste + self.drift * hour, np.zeros(self.units)])
            noise = random.normal(0, self.noise, (2, self.units))
            self._hours[hour] = np.stack([users, members], axis=1), 2 * (means + own) + noise
        return self._hours[hour]

    def _values(self, group: dict[str, Any]) -> Values:
        return {**self.today, **group.get("fusion", {}).get("parameters", {}).get("share", {})}


def step(search: Search, world: World) -> Serve | Wait | Done:
    """One step: serve what is asked for, or let an hour pass."""
    action = search.step(world.now, world)
    if isinstance(action, Serve):
        world.serve(action.experiment)
        search.served(world.now)
    elif isinstance(action, Wait):
        world.now += timedelta(hours=1)
    return action


def run(config: Online, folder: Path, world: World | None = None, around: Space = AROUND) -> tuple[Search, World]:
    """A whole search."""
    world, search = world or World(), Search(config, around, Store(folder))
    for _ in range(2000):
        if isinstance(step(search, world), Done):
            return search, world
    raise AssertionError("the search does not end")
