"""From answers of a real server to the next version: serve, simulate users, join, fit on from it, serve."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ranker.artifact import load
from ranker.exposures import read_log
from tests.serving.asking import CLIENT
from tests.serving.conftest import serving
from tests.training.command import Ended, ranker_train
from tests.training.conftest import QUICK, written
from tests.training.exposures.shown import log_of
from training.commands.join import join
from training.config.experiment import ConfigError
from training.data.earlier import opened

REQUESTS = 250
FIELDS = {
    "data": {"split": {"by": "group", "column": "request_id", "fraction": 0.25}},
    "daily": {"day": "date", "epochs": 1},
    "training": {"epochs": 1, "batch_size": 512},
}
LATER = (datetime.now(UTC) + timedelta(hours=4)).isoformat(timespec="seconds").replace("+00:00", "Z")


class Loop(NamedTuple):
    """A service's first version and its config, what it logged, and what its users did."""

    config: Path
    root: Path
    exposures: Path
    users: Path
    said: str


@pytest.fixture(scope="module")
def loop(log, tmp_path_factory) -> Loop:
    folder = tmp_path_factory.mktemp("loop")
    config, root = written(folder, QUICK, **FIELDS), folder / "models"
    assert ranker_train("fit", config, "--data", log, "--output", root).returncode == 0
    with serving(root, exposures=folder / "exposures", exposures_features="all", exposures_unit="user_id") as url:
        ended = ranker_train(
            *("simulate", "--live", url, "--world", log, "--output", folder / "users", "--requests", REQUESTS),
            *("--visit-seed", 5, "--pace", 60, "--twice", 0.1, "--orphans", 0.05, "--late", 0.1),
        )
    assert ended.returncode == 0, ended.stderr
    return Loop(config, root, folder / "exposures", folder / "users", ended.stdout)


def joined(loop: Loop, output: Path, *more: object) -> Ended:
    words = ("join", "--artifact", loop.root, "--exposures", loop.exposures, "--events", loop.users / "events")
    return ranker_train(*words, "--within", "30m", "--output", output, *more)


def table_of(folder: Path) -> pa.Table:
    return pa.concat_tables([pq.ParquetFile(path).read() for path in sorted(folder.rglob("*.parquet"))])


def test_from_what_was_shown_to_the_next_version(loop, tmp_path):
    assert f"{REQUESTS:,}" in loop.said
    truth = table_of(loop.users / "truth").to_pandas()
    assert len(truth) == REQUESTS
    assert truth["answered"].all()

    ended = joined(loop, tmp_path / "log", "--now", LATER, "--json", tmp_path / "join.json")
    assert ended.returncode == 0, ended.stderr
    rows = log_of(tmp_path / "log")
    shown = pa.concat_tables([table for _, table in read_log(loop.exposures)]).to_pandas()
    assert len(rows) == len(shown) == 10 * REQUESTS
    assert rows["date"].unique().tolist() == sorted({int(f"{time:%Y%m%d}") for time in shown["time"]})
    counts = json.loads((tmp_path / "join.json").read_text())
    assert counts["rows"] == len(rows)
    assert counts["events"]["late"] > 20
    assert counts["events"]["repeated"] > 20
    assert counts["events"]["orphan"] > 10

    # What the users did is what the log says, but for the visits whose events were late.
    events = table_of(loop.users / "events").to_pandas().drop_duplicates("event_id")
    late = set(events.loc[events["time"] > datetime.fromisoformat(LATER) - timedelta(hours=3), "request_id"])
    clicks = rows.groupby("request_id")["click"].sum()
    drawn = truth.set_index("request_id")["drawn_click"]
    assert clicks[~clicks.index.isin(late)].sum() == drawn[~drawn.index.isin(late)].sum()
    assert clicks[clicks.index.isin(late)].sum() == 0
    watched = rows.groupby("request_id")["watch_time"].sum()
    np.testing.assert_allclose(watched.sum(), truth.loc[~truth["request_id"].isin(late), "drawn_watch_time"].sum())

    ended = ranker_train("fit", loop.config, "--data", tmp_path / "log", "--from", loop.root, "--output", loop.root)
    assert ended.returncode == 0, ended.stderr
    artifact = load(loop.root)
    assert artifact.manifest.version == 2
    assert artifact.manifest.chain.parent.version == 1
    assert opened(artifact).facts.day_unit == "dates"
    request = {"context": artifact.golden[0].context, "candidates": artifact.golden[0].candidates}
    with serving(loop.root) as url:
        answer = CLIENT.post(f"{url}/rank", json=request).json()
    assert answer["model_version"] == 2
    for task, scores in artifact.golden[0].scores.items():
        np.testing.assert_allclose(sorted(answer["scores"][task]), sorted(scores), rtol=1e-3, atol=1e-5)


def test_a_second_run_adds_nothing(loop, tmp_path):
    joined(loop, tmp_path / "log", "--now", LATER)
    before = {path: path.read_bytes() for path in (tmp_path / "log").glob("date=*/*")}
    ended = joined(loop, tmp_path / "log", "--now", LATER)
    assert ended.returncode == 0, ended.stderr
    assert {path: path.read_bytes() for path in (tmp_path / "log").glob("date=*/*")} == before


def test_open_windows_are_held_back(loop, tmp_path):
    ended = joined(loop, tmp_path / "log", "--now", "2026-01-01T00:00:00Z")
    assert ended.returncode == 0, ended.stderr
    assert f"{10 * REQUESTS:,}" in next(line for line in ended.stdout.splitlines() if "held back" in line)
    assert not list((tmp_path / "log").glob("date=*/*"))


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--label", "click"), "--label 'click': must be COLUMN=EVENT:KIND, such as watch_time=watch:sum"),
        (("--label", "click=click:mean"), "no kind of label is named 'mean'"),
        (("--label", "click=clik:any"), "no event is of the kind 'clik'; did you mean 'click'?"),
        (("--within", "half an hour"), "--within: must be a number and s, m, h or d, such as 90s, 30m, 12h or 2d"),
        (("--now", "yesterday"), "--now 'yesterday': must be a time such as 2026-01-31T18:30:00Z"),
        (("--label", "click=click:any", "--label", "click=like:any"), "the column 'click' has another label already"),
        (("--unit-salt-file", "{none}"), "cannot be read"),
        (("--exposures", "{none}"), "holds no finished files of exposures"),
        (("--events", "{none}"), "no such file or folder"),
        (("--items", "{none}"), "no such file or folder"),
    ],
)
def test_mistakes_are_named(loop, tmp_path, words, reason):
    words = [word.format(none=tmp_path / "none") for word in words]
    ended = joined(loop, tmp_path / "log", *words)
    assert ended.returncode in (1, 2)
    assert reason in " ".join(ended.stderr.split())


@pytest.mark.parametrize("column", ["request_id", "time", "position", "propensity", "item_id"])
def test_a_label_does_not_replace_another_column(loop, tmp_path, column):
    with pytest.raises(ConfigError, match=f"--label {column}=click:any: the log has a column '{column}' of its own"):
        join(
            loop.root, loop.exposures, loop.users / "events", output=tmp_path / "log", within=timedelta(minutes=30),
            labels=[f"{column}=click:any"], progress=False,
        )  # fmt: skip
    assert not (tmp_path / "log").exists()
