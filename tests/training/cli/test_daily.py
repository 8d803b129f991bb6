"""``fit --from`` and ``backtest`` as they are typed; what they do is tested with their Python functions."""

import pytest
import yaml

from tests.training.command import ranker_train
from tests.training.days import CONFIG, rows


@pytest.fixture
def config(tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump(CONFIG))
    return file


@pytest.fixture
def log(tmp_path):
    file = tmp_path / "log.parquet"
    rows(1, "abcd", 0).to_parquet(file)
    return file


def test_fit_from_a_folder_without_artifact_is_refused(config, log, tmp_path):
    (tmp_path / "models").mkdir()
    ended = ranker_train("fit", config, "--data", log, "--from", tmp_path / "models", "--output", tmp_path / "out")
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"error: {tmp_path / 'models'}: has no manifest.json and no numbered version")


def test_backtest_needs_more_days_than_it_scores(config, log, tmp_path):
    asked = ("backtest", config, "--data", log, "--output", tmp_path / "out", "--mode", "incremental")
    ended = ranker_train(*asked, "--days", 1)
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: --days 1: the log has 1 day(s) by column 'date'")
    assert ranker_train(*asked, "--days", 0).returncode == 2
