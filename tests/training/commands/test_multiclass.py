"""A task of several classes from the log to the served score."""

import numpy as np
import pandas as pd
import pytest

from ranker.inference import Model
from ranker.log_files.log_reader import DataError
from training.commands.evaluate import evaluate
from training.commands.fit import fit
from training.config.experiment import ConfigError
from training.export.report_data import read
from training.reports.artifact.page import to_html

CONFIG = {
    "data": {"split": {"by": "random", "fraction": 0.2}},
    "schema": {
        "context": {"device": {"kind": "categorical", "dimension": 2}},
        "candidate": {"quality": {"kind": "numeric"}},
        "tasks": {
            "click": {"kind": "binary"},
            "end": {"kind": "multiclass", "classes": [10, 20, 30], "values": [0, 1, 5]},
            "way": {"kind": "multiclass", "classes": 3, "positive": [0, 2], "given": "click"},
        },
        "label_statistics": {"of": ["device"]},
    },
    "architecture": {"name": "shared_bottom", "bottom": [16], "towers": [8]},
    "optimizer": {"dense": {"learning_rate": 0.01}},
    "training": {"epochs": 6, "batch_size": 64},
    "early_stopping": {"metric": "end.xauc"},
    "evaluation": {"bootstrap": 0},
    "fusion": {"name": "additive"},
}


def log(rows=2000):
    """The odds of the classes 20 and 30 to 10 are exp(quality) and exp(-quality)."""
    random = np.random.default_rng(0)
    quality = random.normal(size=rows)
    odds = np.stack([np.ones(rows), np.exp(quality), np.exp(-quality)], axis=1)
    place = (np.cumsum(odds / odds.sum(axis=1, keepdims=True), axis=1) < random.uniform(size=(rows, 1))).sum(axis=1)
    click = random.integers(0, 2, rows)
    device = random.choice(["phone", "tablet"], rows)
    way = np.where(click == 1, place, np.nan)
    return pd.DataFrame({"device": device, "quality": quality, "click": click, "end": 10.0 * (1 + place), "way": way})


def test_expected_values_are_trained_exported_and_measured(tmp_path):
    frame = log()
    artifact = fit(CONFIG, frame, output=tmp_path / "run", progress=False).export()
    quality = np.array([-1.5, 0.0, 1.5])
    scores = Model.load(artifact.folder).score({"device": "phone"}, {"quality": quality.tolist()})
    odds = np.stack([np.ones(3), np.exp(quality), np.exp(-quality)], axis=1)
    chances = odds / odds.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(scores["end"], chances @ [0, 1, 5], atol=0.4)
    expected = np.asarray(scores["click"]) * chances[:, [0, 2]].sum(axis=1)
    np.testing.assert_allclose(scores["way"], expected, atol=0.08)
    measured = evaluate(artifact, frame, bootstrap=0, progress=False)["tasks"]
    values = frame["end"].map({10: 0, 20: 1, 30: 5})
    assert measured["end"]["mean"] == pytest.approx(values.mean())
    assert measured["end"]["calibration"] == pytest.approx(1, abs=0.1)
    assert measured["way"]["mean"] == pytest.approx(frame["way"].isin([0, 2]).mean())
    found = artifact.manifest.metrics["classes"]
    assert found["end"]["rows"] == np.sum(found["end"]["confusion"])
    assert found["way"]["rows"] < found["end"]["rows"]
    assert found["end"]["log_loss"] < 0.98 * np.log(3)
    assert found["end"]["macro_auc"] > 0.6
    page = to_html(artifact, read(artifact.folder))
    assert "Classes of end" in page
    assert "Classes of way" in page


def test_a_label_that_is_no_class_is_refused(tmp_path):
    frame = log(200)
    frame.loc[3, "end"] = 40
    with pytest.raises(DataError, match="is not one of the classes 10, 20, 30"):
        fit(CONFIG, frame, output=tmp_path / "run", progress=False)


def test_boosted_trees_refuse_it(tmp_path):
    config = {name: CONFIG[name] for name in ("data", "schema", "evaluation")} | {"architecture": "boosted_trees"}
    with pytest.raises(ConfigError, match=r"architecture\.name: no trees can be fitted to 'end', of kind multiclass"):
        fit(config, log(50), output=tmp_path / "run", progress=False)
