"""A search on the simulator's users, whose exposures and events are read from files: their true utility rises."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from ranker.exposures import write_exposures
from ranker.fusion import FusionOptions, build_plan
from serving.experiments.assignment import Split
from serving.experiments.config import Experiment
from tests.training.online.world import BEGIN, config_of
from training.fusion_search.space import space
from training.online.actions import Done, Serve, Wait
from training.online.read_logs import LogObservations
from training.online.search import Search
from training.online.state import Store
from training.simulator import SimulatorConfig, World
from training.simulator.live import Answers, Crowd, CrowdOptions, EventOptions, Visits, rounds
from training.simulator.live.exposures import exposures
from training.simulator.world import UTILITY

SHOWN = 5
VISITS = 3000
"""Visits of an hour."""
TODAY = {"click": 0.2, "long_view": 0.2, "like": 0.5, "share": 0.5, "watch_time": 0.1}
"""Hardly anything but watch time, as if it were all that mattered."""
REWARD = " + ".join(f"{weight} * {name}{'.value' * (name == 'watch_time')}" for name, weight in UTILITY.items())

Shares = Mapping[str, float]


@pytest.fixture(scope="module")
def world() -> World:
    return World(SimulatorConfig(rows=100_000, seed=3, users=3_000, items=1_000, authors=100, days=5))


def ranked(world: World, visits: Visits, shares: Any) -> Any:
    """Lists [R, SHOWN] by an additive fusion of the true expectations, with shares [R, T] or [T]."""
    expected = world.expected(visits.users[:, None], visits.candidates)
    scores = np.stack([expected[name] for name in TODAY], axis=-1)
    fused = (scores * np.asarray(shares)[..., None, :]).sum(axis=-1)
    return np.take_along_axis(visits.candidates, np.argsort(-fused, axis=1), axis=1)[:, :SHOWN]


def truth(world: World, shares: Shares) -> float:
    """Expected utility of a list, over the same visits for all fusions."""
    visits = Crowd(world, CrowdOptions(seed=99, shown=SHOWN, start=BEGIN)).arrive(4000)
    lists = ranked(world, visits, [shares[name] for name in TODAY])
    seen = world.config.examination(SHOWN)
    return float((world.utility(visits.users[:, None], lists) * seen).sum(axis=1).mean())


class Shop:
    """Users who are ranked by the experiment that is served, and files of what they were shown and did."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world, self.folder, self.now = world, folder, BEGIN
        self.experiment: dict[str, Any] = {}
        self._number = count()
        self._crowd = Crowd(world, CrowdOptions(seed=7, shown=SHOWN, start=BEGIN, per_second=VISITS / 3600))
        (folder / "events").mkdir()

    def rank(self, visits: Visits) -> Answers:
        split = Split(Experiment.model_validate(self.experiment))
        groups = [split.group_of(str(user)) for user in visits.users.tolist()]
        shares = {
            name: {**TODAY, **group.get("fusion", {}).get("parameters", {}).get("share", {})}
            for name, group in self.experiment["groups"].items()
        }
        chosen = np.array([[shares[str(name)][key] for key in TODAY] for name in groups])
        return Answers(ranked(self.world, visits, chosen), groups=groups, experiment=self.experiment["name"])

    def hour(self) -> None:
        for block in rounds(self._crowd, self.rank, VISITS, EventOptions(twice=0.05), block=VISITS):
            write_exposures(exposures(self._crowd, block.visits, block.answers), self.folder / "exposures")
            pq.write_table(block.events.table(), self.folder / "events" / f"{next(self._number):04d}.parquet")
        self.now = self.now + timedelta(hours=1)


def test_the_true_utility_of_simulated_users_rises(world: World, tmp_path: Path) -> None:
    options = {"name": "additive", "parameters": {"share": TODAY}}
    kinds = {name: "regression" if name == "watch_time" else "binary" for name in TODAY}
    plan = build_plan(FusionOptions.model_validate(options), kinds)
    around = space(plan, ["share.like=0:4", "share.share=0:4", "share.watch_time=0:0.1"], 1.0)
    config = config_of(
        logs={"exposures": str(tmp_path / "exposures"), "events": [str(tmp_path / "events")], "within": "1h"},
        reward=f"({REWARD}) / requests",
        method={"name": "gaussian_process", "sets": 4, "deviation": 0.3},
        round={"requests": 6000},
        confirm={"requests": 15_000},
        budget={"rounds": 3},
        seed=1,
    )
    shop, search = Shop(world, tmp_path), Search(config, around, Store(tmp_path / "search"))
    logs = LogObservations(config.logs, config.metrics)
    action: Any = None
    while not isinstance(action, Done):
        action = search.step(shop.now, logs)
        if isinstance(action, Serve):
            shop.experiment = action.experiment
            search.served(shop.now)
        elif isinstance(action, Wait):
            shop.hour()
        assert shop.now < datetime(2026, 1, 8, tzinfo=BEGIN.tzinfo)
    outcome = action.outcome
    assert outcome.verdict == "better"
    winner = {**TODAY, **{name.removeprefix("share."): value for name, value in outcome.values.items()}}
    before, after = truth(world, TODAY), truth(world, winner)
    best = truth(world, UTILITY | {name: 0.0 for name in TODAY if name not in UTILITY})
    assert before < after <= best
    assert (after - before) / (best - before) > 0.5
    gain = outcome.gains["reward"]
    assert gain.low < after / before - 1 < gain.high
