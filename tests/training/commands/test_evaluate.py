"""What `evaluate` makes of labels that contradict `given`."""

import numpy as np
import pandas as pd
import pytest

from ranker.log_files.log_reader import DataError
from tests.training.promotion.linear import fitted, simulated
from training.commands.evaluate import evaluate

CONTRADICTING = 40


@pytest.fixture(scope="module")
def contradicting(log, tmp_path_factory):
    """The log's first rows, of which some have a like without a click."""
    path = tmp_path_factory.mktemp("contradicting") / "log.parquet"
    frame = pd.read_parquet(log)[:1000].reset_index(drop=True)
    rows = np.flatnonzero(frame["click"] == 0)[:CONTRADICTING]
    frame.loc[rows, "like"] = 1
    frame.to_parquet(path)
    return path


def evaluated(trained, path, meant):
    return evaluate(trained.output, [path], bootstrap=0, given_conflicts=meant, progress=False)


def test_many_contradictions_are_refused_until_something_is_meant(trained, contradicting):
    with pytest.raises(DataError, match=rf"tasks\.like: .*in {CONTRADICTING} of them"):
        evaluated(trained, contradicting, None)


@pytest.mark.parametrize(
    ("meant", "click_rows", "like_rows"),
    [
        ("drop", 1000 - CONTRADICTING, 1000 - CONTRADICTING),
        ("mask", 1000, 1000 - CONTRADICTING),
        ("keep", 1000, 1000),
    ],
)
def test_what_is_meant_decides_which_rows_are_measured(trained, contradicting, meant, click_rows, like_rows):
    metrics = evaluated(trained, contradicting, meant)
    assert metrics["tasks"]["click"]["rows"] == click_rows
    assert metrics["tasks"]["like"]["rows"] == like_rows
    assert metrics["tasks"]["like"]["given_conflicts"] == CONTRADICTING
    assert any(f"given_conflicts: {meant}" in caution for caution in metrics["cautions"])


def test_the_files_that_a_config_validates_on_are_evaluated(tmp_path):
    frame = simulated(60, seed=0)
    frame[:200].to_parquet(tmp_path / "held.parquet")
    frame[200:].to_parquet(tmp_path / "trained.parquet")
    split = {"by": "files", "paths": [str(tmp_path / "held.parquet")]}
    artifact = fitted(tmp_path / "models", frame[200:], data={"split": split})
    for data in (None, tmp_path / "trained.parquet", tmp_path / "held.parquet"):
        metrics = evaluate(artifact, data, validation=True, bootstrap=0, progress=False)
        assert metrics["tasks"]["click"]["rows"] == 200
        assert not metrics["cautions"]
