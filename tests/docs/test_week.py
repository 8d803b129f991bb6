"""The week of daily training does what its page says, on two small days."""

import json
import re

import pandas as pd
import pytest

from tests.docs.pages import ROOT, run
from tests.serving.server_process import free_port

PAGE = (ROOT / "docs" / "week.md").read_text(encoding="utf-8")
SMALLER = {
    "--rows 200000": "--rows 8000",
    "head -n 7": "head -n 2",
    "experts: 4, expert_units: [32]": "experts: 2, expert_units: [8]",
    "epochs: 2, batch_size: 1024": "epochs: 1, batch_size: 256",
    # Two days of so few rows differ by more than the page's bounds allow.
    "{least: -0.01}": "{least: -0.9}",
    "{least: -0.03}": "{least: -0.9}",
    "{within: 0.3}": "{least: -9}",
}
COMMANDS = ["simulate", "fit", "predict", "fit", "promote"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("week")


@pytest.fixture(scope="module")
def printed(folder, warm_python):
    """What each block printed."""
    return run(PAGE, folder, {**SMALLER, "8000": str(free_port())}, timeout=600, training=warm_python)


def test_it_covers_the_daily_loop():
    assert re.findall(r"^(?:if )?ranker-train (\w+)", PAGE, re.MULTILINE) == COMMANDS
    assert re.findall(r"^ranker-serve (\w+)", PAGE, re.MULTILINE) == ["models"]


def test_a_day_is_ranked_trained_on_and_its_version_served(printed, folder):
    first, second = (folder / "week.txt").read_text().split()
    scores = pd.read_parquet(folder / "scores" / second)
    log = pd.read_parquet(folder / "days" / second)
    assert len(scores) == len(log)
    places = scores.groupby("request_id", sort=False)["rank"].agg(lambda ranks: sorted(ranks))
    assert all(ranks == list(range(1, len(ranks) + 1)) for ranks in places)
    manifest = json.loads((folder / "models" / "2" / "manifest.json").read_text())
    assert manifest["chain"]["parent"]["version"] == 1
    assert json.loads((folder / f"gate-{second}.json").read_text())["promoted"] is True
    told = "\n".join(printed.values())
    assert f"{second}: version 2 is served" in told
    assert "served: 2" in told
    assert re.search(rf"{second}: promoted; first places clicked 0\.\d+, all places 0\.\d+", told)
    assert first not in {file.stem.removeprefix("gate-") for file in folder.glob("gate-*.json")}
