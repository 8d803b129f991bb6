import io
import re

import orjson
import pandas as pd
import pytest
from rich.console import Console

from ranker.artifact import load
from ranker.log_files.log_reader import DataError
from tests.training.days import CONFIG, rows
from tests.training.sweeps.in_this_process import Here
from training import own_process
from training.commands import backtest as command
from training.commands.backtest import backtest
from training.config.data import SplitAtRandom
from training.config.experiment import checked

SMALL = {"architecture": {"name": "shared_bottom", "bottom": [4], "towers": []}, "training": {"epochs": 1}}
SPLIT = {"split": {"by": "time", "column": "date", "last": 1}}
EXPERIMENT = checked({**CONFIG, **SMALL, "data": SPLIT, "daily": {"epochs": 2}, "early_stopping": {"patience": 1}})


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """Four days of 160 rows."""
    file = tmp_path_factory.mktemp("log") / "log.parquet"
    pd.concat([rows(day, "abcd", day) for day in (1, 2, 3, 4)]).to_parquet(file)
    return file


def test_each_day_is_scored_by_a_model_of_the_days_before(log, tmp_path, monkeypatch):
    monkeypatch.setattr(own_process, "ProcessPoolExecutor", Here)
    screen = io.StringIO()
    asked = {"days": 2, "output": tmp_path, "modes": ["incremental"], "progress": Console(file=screen, width=200)}
    found = backtest(EXPERIMENT, log, **asked)
    assert [day.date for day in found.days] == ["2026-01-03", "2026-01-04"]
    first, second = found.days
    assert 280 < first.rows < 320  # days 1 and 2, of which a twentieth is held out
    assert 140 < second.rows < 160  # day 3
    for day in found.days:
        assert {report["rows"] for report in day.tasks.values()} == {160}
        assert 0 <= day.mean_auc <= 1
        assert day.seconds > 0
        assert day.processor_seconds > 0
        assert set(day.tasks["click"]) == {"auc", "log_loss", "calibration", "rows"}
    assert (first.epochs, second.epochs) == (1, 2)
    chain = load(tmp_path / "incremental" / "seed-0" / "20457").manifest.chain
    assert (chain.fits, chain.days) == (2, 3)
    assert found.to_frame()["click.auc"].tolist() == [day.tasks["click"]["auc"] for day in found.days]
    page = found.report.read_text(encoding="utf-8")
    assert "2 days from 2026-01-03 to 2026-01-04" in page
    assert "incremental" in page
    assert orjson.loads((tmp_path / "results.json").read_bytes())[1]["rows"] == second.rows
    monkeypatch.setattr(command, "train_and_score", None)  # nothing is trained again
    assert backtest(EXPERIMENT, log, **asked).days == found.days
    assert screen.getvalue().count("incremental, seed 0, 2026-01-04: mean AUC") == 4


def model_of(key, folder, days):
    """The record of a model of nine rows that was not trained."""
    return {
        "key": key,
        "artifact": folder,
        "seconds": 1.0,
        "processor_seconds": 1.0,
        "export_seconds": 0.0,
        "rows": 9,
        "epochs": 1,
        "scores": {str(day): {"click": {"auc": 0.5, "rows": 1}} for day in days},
    }


def test_models_are_trained_on_the_days_asked_for(log, tmp_path, monkeypatch):
    trained = []

    def run(self, _, experiment, data, folder, parent, key, days):
        trained.append((self._mode, [path[-1] for path in data], parent, list(days)))
        return model_of(key, folder, days)

    monkeypatch.setattr(command._Models, "_run", run)
    asked = {"days": 3, "output": tmp_path, "every": 2, "window": 2, "progress": False}
    found = backtest(EXPERIMENT, log, **asked)
    first, second = 20455, 20457  # 2026-01-02 and 2026-01-04; the folders of days end with 4, 5, 6, 7
    parent = str(tmp_path / "incremental" / "seed-0" / str(first))
    assert trained == [
        ("full", ["4"], None, [first, first + 1]),
        ("full", ["5", "6"], None, [second]),
        ("incremental", ["4"], None, [first, first + 1]),
        ("incremental", ["5", "6"], parent, [second]),
    ]
    assert [day.rows for day in found.days] == [9, 0, 9] * 2


def test_a_log_without_enough_days_is_refused(log, tmp_path):
    with pytest.raises(DataError, match=r"--days 4: the log has 4 day\(s\) by column 'date'.* score at most 3"):
        backtest(EXPERIMENT, log, days=4, output=tmp_path, progress=False)
    timeless = checked({**CONFIG, "daily": {}})
    with pytest.raises(DataError, match=r"a backtest needs days: set daily\.day"):
        backtest(timeless, log, days=1, output=tmp_path, progress=False)
    with pytest.raises(ValueError, match="every: must be at least 1, got 0"):
        backtest(EXPERIMENT, log, days=1, every=0, output=tmp_path, progress=False)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"ensemble": {"seeds": 2}}, "ensemble: cannot carry an artifact on"),
        ({"trees": {}}, "trees: the config has trees"),
        ({"architecture": "boosted_trees"}, "trees: the config has trees"),
        ({"embedding": {"reinitialise_each_epoch": True}}, "embedding.reinitialise_each_epoch"),
        ({"export": {"keep_state": False}}, "export.keep_state"),
    ],
)
def test_models_that_cannot_be_carried_on_are_refused_before_any_is_trained(log, tmp_path, monkeypatch, changes, named):
    monkeypatch.setattr(command, "train_and_score", None)
    config = checked({**CONFIG, **SMALL, "data": SPLIT, "daily": {"epochs": 2}, **changes})
    with pytest.raises(DataError, match=re.escape(named)) as error:
        backtest(config, log, days=2, output=tmp_path, progress=False)
    assert "--mode full" in str(error.value)
    assert not any(tmp_path.iterdir())


def test_files_to_validate_on_are_not_read(log):
    """They may hold rows of the days that are scored."""
    files = checked({**CONFIG, "data": {"split": {"by": "files", "paths": [str(log)]}}})
    assert command._without_days(files, 0.1).data.split == SplitAtRandom(by="random", fraction=0.1)


def test_the_last_days_of_a_models_rows_are_held_out_where_asked(log, tmp_path, monkeypatch):
    monkeypatch.setattr(own_process, "ProcessPoolExecutor", Here)
    asked = {"days": 2, "modes": ["full"], "progress": False}
    found = backtest(EXPERIMENT, log, output=tmp_path, validation_days=1, **asked)
    assert [day.rows for day in found.days] == [160, 320]  # day 1, and days 1 and 2
    manifest = load(tmp_path / "full" / "seed-0" / "20457").manifest
    assert manifest.metrics["tasks"]["click"]["rows"] == 160
    with pytest.raises(DataError, match="needs 3 days before those that are scored; score at most 1"):
        backtest(EXPERIMENT, log, output=tmp_path / "a", validation_days=2, **asked)
    for wrong, told in (({"modes": ["incremental"]}, "no days to spare"), ({"window": 1}, "window: must be more than")):
        with pytest.raises(ValueError, match=told):
            backtest(EXPERIMENT, log, output=tmp_path / "a", validation_days=1, **asked | wrong)


def test_another_format_of_times_splits_the_log_again(log, tmp_path, monkeypatch):
    def run(self, _, experiment, data, folder, parent, key, days):
        return model_of(key, folder, days)

    monkeypatch.setattr(command._Models, "_run", run)
    frame = pd.read_parquet(log)
    frame["date"] = frame["date"].str.replace("2026-01-", "2026.01.")
    frame.to_parquet(tmp_path / "log.parquet")
    found = []
    for form in ("%Y.%m.%d", "%Y.%d.%m"):
        split = {"split": {"by": "time", "column": "date", "last": 1, "format": form}}
        experiment = checked({**CONFIG, **SMALL, "data": split, "daily": {}})
        asked = {"days": 1, "output": tmp_path / "out", "modes": ["full"], "progress": False}
        found += [day.date for day in backtest(experiment, tmp_path / "log.parquet", **asked).days]
    assert found == ["2026-01-04", "2026-04-01"]


def test_a_day_whose_rows_are_all_dropped_has_no_metrics_and_the_backtest_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(own_process, "ProcessPoolExecutor", Here)
    days = [rows(day, "abcd", day) for day in (1, 2, 3)]
    days = [day.assign(like=day["like"] * day["click"]) for day in days]
    days[1] = days[1].assign(click=0, like=1)  # a like without a click
    pd.concat(days).to_parquet(tmp_path / "log.parquet")
    tasks = {"click": {"kind": "binary"}, "like": {"kind": "binary", "given": "click", "given_conflicts": "drop"}}
    schema = {**CONFIG["schema"], "tasks": tasks}
    experiment = checked({**CONFIG, **SMALL, "schema": schema, "data": SPLIT, "daily": {}})
    asked = {"days": 2, "output": tmp_path / "out", "modes": ["incremental"], "progress": False}
    dropped, last = backtest(experiment, tmp_path / "log.parquet", **asked).days
    assert dropped.tasks == {"click": {"rows": 0}, "like": {"rows": 0}}
    assert dropped.mean_auc is None
    assert dropped.rows > 140
    assert (last.rows, last.tasks["click"]["rows"]) == (0, 160)  # there was no row to train on
    assert 0 <= last.tasks["click"]["auc"] <= 1
