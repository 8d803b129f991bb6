"""A night's training from the version in service: judged, published, and never twice."""

import datetime
from pathlib import Path

import pytest
import yaml

from ranker.artifact import numbered
from ranker.artifact_store import local_copy, publish, versions
from ranker.file_locks import lock
from ranker.remote_files import RemoteFolder
from tests.object_store import object_store
from tests.training.command import ranker_train
from tests.training.days import CONFIG, rows
from training.commands import nightly as module
from training.commands.fit import fit

DAILY = {**CONFIG, "training": {"epochs": 1, "batch_size": 64}}
NEVER = {"promotion": {"click.auc": {"least": 0.9}, "latency_ms": {"most": 100.0}}}
ALWAYS = {"promotion": {"click.auc": {"least": -1.0}, "latency_ms": {"most": 100.0}}}


@pytest.fixture(scope="module")
def store():
    with object_store("nights") as options:
        yield options


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """The first version, trained on 1 January."""
    return fit(DAILY, rows(1, "abcd", 1), output=tmp_path_factory.mktemp("first"), progress=False).export()


@pytest.fixture
def night(store, first, tmp_path, monkeypatch, request):
    """Runs the command on a log of two days."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    log, models = tmp_path / "log", f"s3://nights/{request.node.name}{store}"
    publish(first.folder, models)
    for day in (1, 2):
        add(log, day)
    (log / "_join").mkdir()

    def run(config, until="2026-01-02"):
        (tmp_path / "config.yaml").write_text(yaml.safe_dump({**DAILY, **config}))
        place = ("--log", log, "--models", models, "--output", tmp_path / "out")
        return ranker_train("nightly", tmp_path / "config.yaml", *place, "--until", until)

    run.log, run.models, run.output = log, models, tmp_path / "out"
    run.published = lambda: versions(RemoteFolder.at(models))
    return run


def add(log, day):
    folder = log / f"date=2026-01-{day:02}"
    folder.mkdir(parents=True)
    rows(day, "bcde", day).drop(columns="date").to_parquet(folder / "rows.parquet")


def test_a_refused_version_is_not_published_and_its_days_come_again(night, monkeypatch):
    refused = night(NEVER)
    assert refused.returncode == 3, refused.stderr
    assert "not promoted: click.auc" in refused.stderr
    assert "training on date=2026-01-02\n" in refused.stdout
    assert night.published() == [1]

    with monkeypatch.context() as patched:  # the same night again
        patched.setattr(module, "promote", None)
        again = night(NEVER)
    assert (again.returncode, again.stderr) == (3, refused.stderr)
    assert "this run is finished and was exported as version 2" in again.stdout
    assert set(numbered(night.output)) == {2}

    add(night.log, 3)  # the next night, under a bound that can be met
    ended = night(ALWAYS, until="2026-01-03")
    assert ended.returncode == 0, ended.stderr
    assert "training on date=2026-01-02, date=2026-01-03\n" in ended.stdout
    assert night.published() == [1, 3]

    ended = night(ALWAYS, until="2026-01-03")
    assert ended.returncode == 0, ended.stderr
    assert "in service: version 3, trained on days up to 2026-01-03\nnothing to do: no later day" in ended.stdout
    assert night.published() == [1, 3]


def test_a_night_that_ends_before_it_publishes_only_publishes(night, monkeypatch):
    class PowerFailure(BaseException):
        pass

    def fails(*_):
        raise PowerFailure

    with monkeypatch.context() as patched:
        patched.setattr(module, "publish", fails)
        with pytest.raises(PowerFailure):
            night(ALWAYS)
    assert night.published() == [1]
    monkeypatch.setattr(module, "promote", None)
    ended = night(ALWAYS)
    assert ended.returncode == 0, ended.stderr
    assert "this run is finished" in ended.stdout
    assert night.published() == [1, 2]
    assert local_copy(night.models).joinpath("state").is_dir()


def test_late_rows_begin_an_interrupted_night_anew(night, monkeypatch):
    class PowerFailure(BaseException):
        pass

    def fails(*_, **__):
        raise PowerFailure

    with monkeypatch.context() as patched:
        patched.setattr("training.trainer.train._best", fails)  # checkpoints are there, and no version
        with pytest.raises(PowerFailure):
            night(ALWAYS)
    rows(2, "bc", 7).drop(columns="date").to_parquet(night.log / "date=2026-01-02" / "late.parquet")
    ended = night(ALWAYS)
    assert ended.returncode == 0, ended.stderr
    assert "resuming" not in ended.stdout
    assert night.published() == [1, 2]


def test_a_second_night_in_the_same_folder_waits(night, monkeypatch):
    free = []

    def fails(*_, **__):
        with (night.output / "nightly.lock").open("a") as file:
            free.append(lock(file, wait=False))
        raise ValueError("for now")

    monkeypatch.setattr(module, "fit", fails)
    assert "for now" in night(ALWAYS).stderr
    assert free == [False]
    with (night.output / "nightly.lock").open("a") as file:
        assert lock(file, wait=False)


def test_what_cannot_be_known_after_a_training_is_refused_before_it(night, first, tmp_path):
    for config, told in (
        ({"daily": {}}, "daily.day: is not set"),
        ({"training": {"refit": True}}, "training.refit: trains on the rows that a new version is judged by"),
    ):
        ended = night(config)
        assert ended.returncode == 1
        assert told in ended.stderr
    (night.log / "date=2026-13-01").mkdir()
    assert "2026-13-01 is not a date" in night({}).stderr
    (night.log / "date=2026-13-01").rename(night.log / "2026-01-02")
    assert "is another folder of the day of" in night({}).stderr
    (tmp_path / "empty").mkdir()
    config, place = tmp_path / "config.yaml", ("--models", night.models, "--output", night.output)
    assert "has no folder of a day" in ranker_train("nightly", config, "--log", tmp_path / "empty", *place).stderr
    assert "no such folder" in ranker_train("nightly", config, "--log", tmp_path / "none", *place).stderr
    local = ("--log", night.log, "--models", first.folder.parent, "--output", night.output)
    assert "is not the URL of a store" in ranker_train("nightly", config, *local).stderr
    assert not night.output.exists()


def test_days_of_a_log_in_a_store_are_found(store):
    system = RemoteFolder.at(f"s3://nights/log{store}")
    for name in ("date=2026-01-31", "date=2026-02-01", "_join"):
        (system / name).write("rows.parquet", Path(__file__))
    found = module._folders(f"s3://nights/log{store}")
    assert found == {
        datetime.date(2026, 1, 31): ("date=2026-01-31", f"s3://nights/log/date=2026-01-31{store}"),
        datetime.date(2026, 2, 1): ("date=2026-02-01", f"s3://nights/log/date=2026-02-01{store}"),
    }
