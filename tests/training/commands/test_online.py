"""``ranker-train online`` with a real service: rounds, guardrail, winner, restart, and what it refuses."""

import itertools
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import yaml
from rich.console import Console

from ranker.artifact import load
from ranker.exposures import write_exposures
from serving.experiments.assignment import Split
from serving.experiments.config import Experiment
from tests.serving.asking import CLIENT
from tests.serving.conftest import server
from tests.training.command import ranker_train
from tests.training.reports.browser import dom
from training.admin_client import ServiceError
from training.commands.online import online
from training.config.experiment import ConfigError
from training.config.online import Online
from training.online.runner import Runner

KEY = "a key for administrators"
BEGIN = datetime(2026, 3, 2, tzinfo=UTC)
UNITS = 400
"""Users of an hour."""
OPTIONS = ("once", "dry_run", "replace", "progress", "sleep")
MODELS = "# models of the shop\nmodels:\n  main: {artifact: %s}  # the only one\n"


@pytest.fixture(scope="module")
def root(write_artifact, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("artifacts")
    write_artifact(folder)
    return folder


class Place:
    """A service's files, a clock, and users who like high values of ``share.click``."""

    def __init__(self, folder: Path, root: Path) -> None:
        self.folder, self.now = folder, BEGIN
        self.models, self.key = folder / "models.yaml", folder / "keys.txt"
        self.models.write_text(MODELS % root)
        self.key.write_text(f"# keys\n{KEY}\n")
        (folder / "exposures").mkdir()
        (folder / "events").mkdir()
        pd.DataFrame(
            {"request_id": ["x"], "item": ["x"], "kind": ["click"], "time": [BEGIN], "value": [1.0]}
        ).to_parquet(folder / "events" / "none.parquet")
        self._count = itertools.count()
        self.url = "http://127.0.0.1:1"
        self.root = root

    def config(self, **values: Any) -> Online:
        return Online.model_validate(self.content(**values))

    def content(self, **values: Any) -> dict[str, Any]:
        return {
            "name": "shop",
            "artifact": str(self.root),
            "vary": ["share.click"],
            "service": {
                "models": str(self.models),
                "urls": [self.url],
                "admin_key_file": str(self.key),
                "header": "X-User",
            },
            "logs": {"exposures": str(self.folder / "exposures"), "events": [str(self.folder / "events")]},
            "reward": "click.value / requests",
            "method": {"name": "cross_entropy", "sets": 3, "deviation": 0.4, "alike": 0},
            "control": 0.25,
            "round": {"units": 1000},
            "confirm": {"units": 1000},
            "check_every": "1h",
            "budget": {"rounds": 2},
            "seed": 1,
            **values,
        }

    def run(self, **values: Any) -> Any:
        """The steps that are due now."""
        options = {name: values.pop(name) for name in OPTIONS if name in values}
        return online(
            self.config(**values),
            output=self.folder / "search",
            clock=lambda: self.now,
            **{"once": True, "progress": False, **options},
        )

    def hour(self) -> None:
        """An hour of requests in groups of the experiment that is served, and of events."""
        content = yaml.safe_load(self.models.read_text()).get("experiment")
        number = next(self._count)
        random = np.random.default_rng(number)
        users = [f"u{user}" for user in random.choice(100_000, UNITS, replace=False)]
        split = Split(Experiment.model_validate(content))
        names = [split.group_of(user) for user in users]
        means = {
            name: group.get("fusion", {}).get("parameters", {}).get("share", {}).get("click", 1.0)
            for name, group in content["groups"].items()
        }
        ids = [f"r{number}-{i}" for i in range(UNITS)]
        times = [self.now + timedelta(seconds=i) for i in range(UNITS)]
        columns: dict[str, Any] = {
            "request_id": ids, "time": times, "model": "main", "version": 1, "experiment": content["name"],
            "group": names, "outside": None, "fusion": "default", "formula": "additive", "parameters": "{}",
            "unit": users, "candidates": 1, "returned": 1, "item": "i1", "place": 1, "base_place": 1,
            "propensity": 1.0, "fused": 0.5, "score.click": 0.5,
        }  # fmt: skip
        write_exposures(pa.Table.from_pandas(pd.DataFrame(columns)), self.folder / "exposures")
        values = [means[name] + noise for name, noise in zip(names, random.normal(0, 0.4, UNITS), strict=True)]
        events = pd.DataFrame({"request_id": ids, "item": "i1", "kind": "click", "time": times, "value": values})
        events.to_parquet(self.folder / "events" / f"{number:04d}.parquet")
        self.now += timedelta(hours=1)

    def ask(self, path: str) -> Any:
        return CLIENT.get(f"{self.url}{path}", headers={"Authorization": f"Bearer {KEY}"}).json()

    def rank(self, body: Any, user: str) -> Any:
        return CLIENT.post(f"{self.url}/rank", json=body, headers={"X-User": user}).json()


@pytest.fixture
def place(tmp_path, root) -> Place:
    return Place(tmp_path, root)


@pytest.fixture
def body(root) -> dict[str, Any]:
    golden = load(root).golden[0]
    return {"context": golden.context, "candidates": golden.candidates}


def test_a_search_on_a_running_service_from_dry_run_to_winner(place, body) -> None:
    before = place.models.read_text()
    with server("--models", place.models, admin_keys=KEY) as service:
        place.url = service.url
        console = Console(record=True, width=200)
        assert place.run(dry_run=True, progress=console).outcome is None
        told = console.export_text()
        assert "shop-g001" in told
        assert "the logs hold too little" in told
        assert place.models.read_text() == before
        assert not (place.folder / "search").exists()

        run = place.run()
        first = place.ask("/admin/status")["experiment"]
        assert (first["name"], list(first["groups"])) == ("shop-g001", ["control", "s1", "s2", "s3"])
        assert place.models.read_text().startswith(before)
        split = Split(Experiment.model_validate(yaml.safe_load(place.models.read_text())["experiment"]))
        for user in map(str, range(12)):
            answer = place.rank(body, user)
            group = answer["experiment"]["group"]
            assert group == split.group_of(user)
            served = {one.name: one.values["share.click"] for one in run.rounds[0].sets}.get(group, 1.0)
            assert answer["fusion"]["parameters"]["share"]["click"] == served
        place.hour()
        assert place.run().rounds[-1].seen.requests == UNITS
        place.hour()
        assert len(place.run().rounds) == 1
        place.hour()
        rounds = place.run().rounds
        assert [one.experiment for one in rounds] == ["shop-g001", "shop-g002"]
        assert place.ask("/admin/status")["experiment"]["name"] == "shop-g002"
        pauses: list[float] = []

        def sleep(seconds: float) -> None:
            pauses.append(seconds)
            place.hour()

        console = Console(record=True, width=200)
        run = place.run(export=str(place.folder / "exported"), once=False, sleep=sleep, progress=console)
        assert pauses == [3600.0] * len(pauses)
        assert 2 < len(pauses) < 9
        told = console.export_text()
        assert "serving shop-confirm: begins with 1 set beside control" in told
        assert "Better than today: the confirmed gain is" in told
        assert run.outcome.verdict == "better"
        value = run.outcome.values["share.click"]
        assert value > 1.1
        gain = run.outcome.gains["reward"]
        assert gain.low < value - 1 < gain.high
        assert place.ask("/admin/status")["experiment"] is None
        assert place.models.read_text() == before

    assert run.artifact.fusions["shop"].fusion.values["share"]["click"] == value
    winner = yaml.safe_load((place.folder / "search" / "winner.yaml").read_text())
    assert winner["fusions"]["shop"]["parameters"]["share"]["click"] == value
    page = (place.folder / "search" / "search.html").read_text()
    assert "Better than today: the confirmed gain is" in page
    drawn = dom(page, place.folder)
    assert drawn.count('class="marks"') == 5  # confirmation, parameter, deviations, two rounds
    place.url = "http://127.0.0.1:1"  # what is finished needs no service
    again = place.run(export=str(place.folder / "exported"))
    assert again.outcome == run.outcome
    assert again.artifact.folder == run.artifact.folder


def test_a_service_that_lost_the_experiment_gets_it_again(place) -> None:
    with server("--models", place.models, admin_keys=KEY) as service:
        place.url = service.url
        place.run()
        text = place.models.read_text()
        place.models.write_text(MODELS % place.root)
        CLIENT.post(f"{service.url}/admin/experiment/reload", headers={"Authorization": f"Bearer {KEY}"})
        assert place.ask("/admin/status")["experiment"] is None
        run = place.run()
        assert place.models.read_text() == text
        assert place.ask("/admin/status")["experiment"]["name"] == "shop-g001"
        assert "served again" in run.rounds[0].notes[0]
        foreign = yaml.safe_dump({"experiment": {"name": "other", "unit": "user", "groups": {"a": {"share": 1.0}}}})
        place.models.write_text(MODELS % place.root + foreign)
        with pytest.raises(ConfigError, match="has the experiment 'other', which is not of this search"):
            place.run()
        assert place.models.read_text() == MODELS % place.root + foreign
        place.run(replace=True)
        assert place.models.read_text() == text
        assert "other" in (place.folder / "search" / "replaced-experiment.yaml").read_text()


def test_a_service_that_does_not_answer_for_a_while_is_asked_again(place, monkeypatch) -> None:
    with server("--models", place.models, admin_keys=KEY) as service:
        place.url = service.url
        steps, slept, step = itertools.count(), [], Runner.step

        def flaky(self, now, observations):
            if next(steps) in (1, 2):
                raise ServiceError("GET http://host/admin/status: cannot be asked")
            return step(self, now, observations)

        def sleep(seconds: float) -> None:
            slept.append(seconds)
            if len(slept) == 3:
                raise KeyboardInterrupt

        monkeypatch.setattr(Runner, "step", flaky)
        console = Console(record=True, width=200)
        with pytest.raises(KeyboardInterrupt):
            place.run(once=False, sleep=sleep, progress=console)
        assert slept == [60.0, 60.0, 3600.0]
        assert console.export_text().count("cannot be asked; trying again") == 2
    assert place.config().name in (place.folder / "search" / "search.json").read_text()


def test_services_that_cannot_be_used_are_named(place) -> None:
    with pytest.raises(ServiceError, match=r"GET http://127.0.0.1:1/admin/status: cannot be asked"):
        place.run()
    with server(place.root) as service:
        place.url = service.url
        with pytest.raises(ServiceError, match="has no admin routes; start the service with admin keys"):
            place.run()
    other = place.folder / "other.yaml"
    other.write_text(MODELS % place.root)
    with server("--models", other, admin_keys=KEY) as service:
        place.url = service.url
        with pytest.raises(ServiceError, match="does it read the models file"):
            place.run()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"vary": ["shre"]}, r"vary: shre: fusion 'additive' has no parameter 'shre'; did you mean 'share'"),
        ({"fusion": "bold"}, "fusion: .* has no fusion 'bold'"),
        ({"winner": "default", "reward": "click"}, "reward: metric 'click': a metric is NUMERATOR / DENOMINATOR"),
        ({"guardrails": {"stay": "click / "}}, r"guardrails\.stay\.metric: "),
        ({"logs": {"exposures": "nowhere", "events": ["e"]}}, "logs.exposures nowhere: is no folder"),
    ],
)
def test_configs_that_do_not_fit_are_refused(place, values, message) -> None:
    with pytest.raises(ConfigError, match=message):
        place.run(**values)


def test_the_command_reports_mistakes_in_one_line(place) -> None:
    file = place.folder / "online.yaml"
    file.write_text(yaml.safe_dump(place.content(control=0.99)))
    ended = ranker_train("online", file, "--output", place.folder / "search")
    assert ended.returncode == 1
    assert "leaves each of 3 sets 0.00333 of the users" in ended.stderr
    file.write_text(yaml.safe_dump(place.content()))
    ended = ranker_train("online", file, "--output", place.folder / "search", "--dry-run")
    assert ended.returncode == 0, ended.stderr
    assert "shop-g001" in ended.stdout
