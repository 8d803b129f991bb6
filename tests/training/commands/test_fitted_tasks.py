"""Tasks that are fitted on labels, from the log to the served score: spend, and watch time given duration."""

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from ranker.inference import Model
from ranker.log_files.log_reader import DataError
from tests.training.stored import file_of
from training.commands.distill import DistillOptions, distill
from training.commands.evaluate import evaluate
from training.commands.fit import fit
from training.config.experiment import ConfigError, checked
from training.config.student import StudentOptions
from training.data.earlier import opened
from training.data.encode import prepare
from training.data.experiment_log import open_log
from training.export.report_data import read
from training.reports.artifact.page import to_html
from training.trainer.train import reopen

CONFIG = {
    "data": {"split": {"by": "random", "fraction": 0.2}},
    "schema": {
        "context": {"age": {"kind": "numeric"}},
        "candidate": {"quality": {"kind": "numeric"}, "seconds": {"kind": "numeric", "transform": "log1p"}},
        "tasks": {
            "spend": {"kind": "ziln"},
            "watch": {"kind": "quantile_of_duration", "duration": "seconds", "groups": 5, "quantiles": 20},
            "read": {"kind": "discretised", "duration": "age", "groups": 2, "buckets": 4},
        },
    },
    "architecture": {"name": "shared_bottom", "bottom": [16], "towers": [8]},
    "weighting": "dwa",
    "optimizer": {"dense": {"learning_rate": 0.01}},
    "training": {"epochs": 4, "batch_size": 64, "refit": True},
    "early_stopping": {"metric": "watch.xauc"},
    "evaluation": {"bootstrap": 0, "by": "seconds", "by_groups": 9},
    "fusion": {"name": "additive"},
}
UNIT = 1e5
"""The unit of spend: cents, or thousandths of them."""


def log(rows=2000, seed=0):
    random = np.random.default_rng(seed)
    quality, age = random.normal(size=rows), random.normal(40, 10, rows)
    seconds = random.choice([5.0, 20.0, 80.0], rows)
    share = 1 / (1 + np.exp(-2 * quality - random.logistic(size=rows) / 2))
    buys = random.uniform(size=rows) < 1 / (1 + np.exp(1 - quality))
    return pd.DataFrame(
        {
            "age": age,
            "quality": quality,
            "seconds": seconds,
            "spend": np.where(buys, UNIT * np.exp(0.5 * quality + 0.5 * random.normal(size=rows)), 0),
            "watch": seconds * share,
            "read": (1 + quality.clip(-1)) * np.where(age > 40, 20, 2) * random.uniform(0.5, 1.5, rows),
        }
    )


@pytest.fixture(scope="module")
def artifact(tmp_path_factory):
    return fit(CONFIG, log(), output=tmp_path_factory.mktemp("run"), progress=False).export()


def test_they_are_trained_exported_and_measured(artifact):
    model = Model.load(artifact.folder)
    quality, seconds = [-2.0, 0.0, 2.0, 0.0], [20.0, 20.0, 20.0, 80.0]
    scores = {
        name: np.asarray(score)
        for name, score in model.score({"age": 55.0}, {"quality": quality, "seconds": seconds}).items()
    }
    expected = UNIT / (1 + np.exp(1 - np.array([-2.0, 0.0, 2.0]))) * np.exp([-1 + 0.125, 0.125, 1 + 0.125])
    np.testing.assert_allclose(scores["spend"][:3], expected, rtol=0.5)
    np.testing.assert_allclose(scores["watch"] / seconds, [0.02, 0.5, 0.98, 0.5], atol=0.12)
    young = np.asarray(model.score({"age": 25.0}, {"quality": quality, "seconds": seconds})["read"])
    np.testing.assert_allclose(scores["read"][1:3] / young[1:3], 10, rtol=0.25)
    measured = evaluate(artifact, log(seed=1), bootstrap=0, progress=False)
    report, groups = measured["tasks"], measured["by_feature"]["groups"]
    assert [group["from"] for group in groups] == pytest.approx([5, 20, 80], rel=1e-4)
    assert min(group["tasks"]["watch"]["xauc"] for group in groups) > 0.8
    assert sum(group["tasks"]["watch"]["rows"] for group in groups) == report["watch"]["rows"]
    assert len(artifact.manifest.metrics["by_feature"]["groups"]) == 3
    assert "Quality by seconds" in to_html(artifact, read(artifact.folder))
    assert report["watch"]["xauc"] > 0.8
    assert report["read"]["calibration"] == pytest.approx(1, abs=0.1)
    assert report["spend"]["calibration"] == pytest.approx(1, abs=0.15)
    assert report["spend"]["normalised_gini"] > 0.4


def test_a_reopened_run_has_the_same_states_and_scores(artifact):
    run = reopen(artifact.folder.parent)
    golden = artifact.golden[0]
    scores = Model.load(artifact.folder).score(golden.context, golden.candidates)
    packed = run.prepared.encoder.encode_request({k: [v] for k, v in golden.context.items()}, golden.candidates)
    again = run.model({name: tf.constant(a) for name, a in packed._asdict().items() if a.shape[1]}).numpy()
    for place, name in enumerate(scores):
        np.testing.assert_allclose(again[:, place], scores[name], rtol=1e-5)


def test_members_of_an_ensemble_share_the_states(tmp_path):
    schema = {**CONFIG["schema"], "tasks": {"watch": CONFIG["schema"]["tasks"]["watch"]}}
    members = {"ensemble": {"seeds": 2}, "training": {"epochs": 1, "batch_size": 64}}
    exported = fit({**CONFIG, "schema": schema, **members}, log(300), output=tmp_path / "run", progress=False).export()
    golden = exported.golden[0]
    scores = Model.load(exported.folder).score(golden.context, golden.candidates)
    np.testing.assert_allclose(scores["watch"], golden.scores["watch"], rtol=1e-5)
    assert exported.encoder.tasks["watch"].arrays["values"].max() > 70


def test_a_later_fit_keeps_the_state_that_scores_were_learnt_by(artifact, tmp_path):
    later = log(600, seed=2)
    later[["spend", "watch"]] *= 3
    file = file_of(later)

    def carried_on(folder, **changes):
        experiment = checked({**CONFIG, **changes})
        return prepare(experiment, open_log(experiment, [file]), tmp_path / folder, earlier=opened(artifact)).encoder

    kept, fresh = carried_on("kept"), carried_on("fresh", daily={"refit_scales": True})
    for name, before in artifact.encoder.tasks.items():
        for part, array in before.arrays.items():
            np.testing.assert_array_equal(kept.tasks[name].arrays[part], array)
    spend = [float(encoder.tasks["spend"].arrays["mean"]) for encoder in (artifact.encoder, fresh)]
    assert spend[1] - spend[0] == pytest.approx(np.log(3), abs=0.2)


def test_a_student_learns_their_scores(artifact, tmp_path):
    student = StudentOptions.model_validate({"epochs": 6, "batch_size": 64, "recombined": 1})
    options = DistillOptions(candidates=40, lists=4, student=student)
    taught = distill(artifact, log(), options, output=tmp_path / "out", progress=False).student
    for name in ("spend", "watch", "read"):
        full = np.concatenate([one.scores[name] for one in artifact.golden])
        small = np.concatenate([one[name] for one in taught.golden])
        assert np.corrcoef(np.log1p(full), np.log1p(small))[0, 1] > 0.95


@pytest.mark.parametrize(
    ("duration", "message"),
    [
        ("second", r"tasks\.watch\.duration: 'second' is not a numeric feature.*did you mean 'seconds'"),
        ("bucketed", "'bucketed' is not a numeric feature, of any transform but buckets"),
    ],
)
def test_the_duration_is_a_numeric_feature(duration, message, tmp_path):
    schema = CONFIG["schema"]
    tasks = {"watch": {"kind": "quantile_of_duration", "duration": duration}}
    candidate = {**schema["candidate"], "bucketed": {"kind": "numeric", "transform": "buckets"}}
    config = {**CONFIG, "schema": {**schema, "candidate": candidate, "tasks": tasks}}
    with pytest.raises(ConfigError, match=message):
        fit(config, log(50), output=tmp_path / "run", progress=False)


@pytest.mark.parametrize("task", ["spend", "watch", "read"])
def test_labels_below_0_are_refused(task, tmp_path):
    frame = log(100)
    frame.loc[3, task] = -1.0
    with pytest.raises(DataError, match="is not a value of at least 0"):
        fit(CONFIG, frame, output=tmp_path / "run", progress=False)


@pytest.mark.parametrize("task", ["spend", "watch", "read"])
def test_boosted_trees_refuse_them(task, tmp_path):
    schema = {**CONFIG["schema"], "tasks": {task: CONFIG["schema"]["tasks"][task]}}
    config = {"data": CONFIG["data"], "schema": schema, "architecture": "boosted_trees"}
    with pytest.raises(ConfigError, match=rf"architecture\.name: no trees can be fitted to '{task}'"):
        fit(config, log(50), output=tmp_path / "run", progress=False)
