"""An ordinal task from the log to the served score."""

import numpy as np
import pandas as pd
import pytest

from ranker.inference import Model
from ranker.log_files.log_reader import DataError
from training.commands.evaluate import evaluate
from training.commands.fit import fit
from training.config.experiment import ConfigError

LEVELS = [1, 2, 4]
CONFIG = {
    "data": {"split": {"by": "random", "fraction": 0.2}},
    "schema": {
        "context": {"device": {"kind": "categorical", "dimension": 2}},
        "candidate": {"quality": {"kind": "numeric"}},
        "tasks": {"click": {"kind": "binary"}, "rating": {"kind": "ordinal", "levels": LEVELS, "given": "click"}},
    },
    "architecture": {"name": "shared_bottom", "bottom": [16], "towers": [8]},
    "optimizer": {"dense": {"learning_rate": 0.01}},
    "training": {"epochs": 6, "batch_size": 64},
    "early_stopping": {"metric": "rating.rmse"},
    "evaluation": {"bootstrap": 0},
    "fusion": {"name": "additive", "parameters": {"share": {"rating": 0.5}}},
}


def log(rows=2000):
    random = np.random.default_rng(0)
    quality = random.normal(size=rows)
    level = np.digitize(quality + random.logistic(size=rows) / 2, [-0.5, 1.0])
    click = random.integers(0, 2, rows)
    rating = np.where(click == 1, np.array(LEVELS)[level], np.nan)
    device = random.choice(["phone", "tablet"], rows)
    return pd.DataFrame({"device": device, "quality": quality, "click": click, "rating": rating})


def test_expected_levels_are_trained_exported_and_measured(tmp_path):
    frame = log()
    artifact = fit(CONFIG, frame, output=tmp_path / "run", progress=False).export()
    model = Model.load(artifact.folder)
    quality = [-3.0, -1.0, 0.0, 1.0, 3.0]
    scores = model.score({"device": "phone"}, {"quality": quality})
    expected = np.asarray(scores["rating"]) / np.asarray(scores["click"])
    assert (np.diff(expected) > 0).all()
    assert expected[0] == pytest.approx(1.05, abs=0.15)
    assert expected[-1] == pytest.approx(3.9, abs=0.25)
    report = evaluate(artifact, frame, bootstrap=0, progress=False)["tasks"]["rating"]
    assert report["calibration"] == pytest.approx(1, abs=0.1)
    assert report["rmse"] < frame["rating"].fillna(0).std()


def test_a_label_that_is_no_level_is_refused(tmp_path):
    frame = log(200)
    frame.loc[frame.index[frame["click"] == 1][3], "rating"] = 3
    with pytest.raises(DataError, match="is not one of the levels 1, 2, 4"):
        fit(CONFIG, frame, output=tmp_path / "run", progress=False)


@pytest.mark.parametrize("trees", [{}, {"trees": {"of": ["click"]}}])
def test_boosted_trees_refuse_it_whatever_the_trees(trees, tmp_path):
    names = ("data", "schema", "evaluation")
    config = {name: CONFIG[name] for name in names} | {"architecture": "boosted_trees"} | trees
    with pytest.raises(ConfigError, match=r"architecture\.name: no trees can be fitted to 'rating', of kind ordinal"):
        fit(config, log(50), output=tmp_path / "run", progress=False)
