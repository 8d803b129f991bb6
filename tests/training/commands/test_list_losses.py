"""List losses from the log to the served ranking."""

import numpy as np
import pandas as pd
import pytest

from ranker.inference import Model
from ranker.log_files.log_reader import DataError
from training.commands.evaluate import evaluate
from training.commands.fit import fit
from training.config.experiment import ConfigError, checked

CONFIG = {
    "data": {"split": {"by": "group", "column": "request", "fraction": 0.2}},
    "schema": {
        "candidate": {"good": {"kind": "numeric"}, "loud": {"kind": "numeric"}},
        "tasks": {
            "grade": {"kind": "relevance", "rank_loss": {"name": "lambdarank", "group": "request"}},
            "click": {"kind": "binary", "rank_loss": {"name": "jrc", "weight": 0.3}},
        },
    },
    "architecture": {"name": "shared_bottom", "bottom": [16], "towers": [8]},
    "optimizer": {"dense": {"learning_rate": 0.02}},
    "training": {"epochs": 4, "batch_size": 100},
    "early_stopping": {"metric": "grade.graded_ndcg@5"},
    "evaluation": {"bootstrap": 20, "metrics": ["click.ndcg@5"]},
}


def log(lists=400):
    """Rows of a list lie far apart. ``loud`` moves whole lists up, ``good`` orders the items of one."""
    random = np.random.default_rng(0)
    sizes = random.integers(2, 9, lists)
    request = np.repeat(np.arange(lists), sizes)
    loud = np.repeat(random.normal(size=lists), sizes)
    good = random.normal(size=len(request))
    grade = np.clip(np.round(good + loud + random.normal(size=len(request)) / 4 + 1), 0, 4)
    click = random.random(len(request)) < 1 / (1 + np.exp(-2 * good - loud))
    frame = pd.DataFrame({"request": request, "good": good, "loud": loud, "grade": grade, "click": click.astype(int)})
    return frame.sample(frac=1, random_state=0, ignore_index=True)


def changed(task, **loss):
    tasks = {**CONFIG["schema"]["tasks"], task: {**CONFIG["schema"]["tasks"][task], "rank_loss": loss}}
    return {**CONFIG, "schema": {**CONFIG["schema"], "tasks": tasks}}


def test_lists_are_learnt_measured_exported_and_evaluated(tmp_path):
    frame = log()
    run = fit(CONFIG, frame, output=tmp_path / "run", progress=False)
    grade, click = (run.metrics["tasks"][task] for task in ("grade", "click"))
    assert grade["graded_ndcg"] > 0.95
    assert grade["graded_ndcg_lists"] <= 80
    assert grade["graded_ndcg@5"] > 0.95
    low, high = grade["graded_ndcg_interval"]
    assert low < grade["graded_ndcg"] < high
    assert click["gauc"] > 0.8
    assert 0.8 < click["calibration"] < 1.25
    artifact = run.export()
    scores = Model.load(artifact.folder).score({}, {"good": [-1.0, 0.0, 1.0], "loud": [0.0, 0.0, 0.0]})
    assert (np.diff(np.asarray(scores["grade"])) > 0).all()
    report = evaluate(artifact, frame, bootstrap=0, fusion="all", progress=False)
    assert report["tasks"]["grade"]["graded_ndcg"] > 0.95
    assert report["rankings"]["metrics"]["grade.graded_ndcg@10"]["value"] > 0.95


def test_a_list_longer_than_a_batch_is_refused(tmp_path):
    frame = log(60)
    frame.loc[:149, "request"] = 1000
    with pytest.raises(DataError, match=r"training.batch_size: 100 is less than the 1\d\d training rows of one list"):
        fit({**CONFIG, "data": {"split": {"by": "random", "fraction": 0.1}}}, frame, output=tmp_path, progress=False)


@pytest.mark.parametrize("change", [{"request": None}, {"grade": 2}])
def test_lists_without_an_order_are_refused(tmp_path, change):
    frame = log(60).assign(**change)
    split = {"split": {"by": "random", "fraction": 0.1}}
    tasks = {"grade": CONFIG["schema"]["tasks"]["grade"]}
    config = {**CONFIG, "data": split, "schema": {**CONFIG["schema"], "tasks": tasks}, "evaluation": {}}
    with pytest.raises(DataError, match=r"tasks.grade.rank_loss: no list .* \(equal values of 'request'\)"):
        fit(config, frame, output=tmp_path, progress=False)


def test_lists_without_a_column_are_refused():
    with pytest.raises(ConfigError, match=r"grade.rank_loss.group: names no column"):
        checked({**changed("grade", name="softmax"), "evaluation": {}, "early_stopping": None})


@pytest.mark.parametrize(
    ("task", "loss", "text"),
    [
        ("click", {"name": "softmax", "group": "session"}, "is 'session', and another task's is 'request'"),
        ("grade", {"name": "jrc"}, "jrc is for labels of 0 and 1, not for kind relevance"),
        ("grade", {"name": "softmax", "weight": 0.5}, "must be 1, since a task of kind relevance has no other loss"),
        ("grade", {"name": "softmax", "group": "grade"}, "'grade' is the label or mask of 'grade'"),
        ("grade", {"name": "sofmax"}, "sofmax"),
        ("click", {"name": "lambdarank", "gain": "square"}, "gain"),
    ],
)
def test_wrong_list_losses_are_refused(task, loss, text):
    with pytest.raises(ConfigError, match=text):
        checked(changed(task, **loss))


def test_labels_without_grades_have_no_list_loss():
    watch = {"kind": "regression", "rank_loss": "softmax"}
    schema = {**CONFIG["schema"], "tasks": {**CONFIG["schema"]["tasks"], "watch": watch}}
    with pytest.raises(ConfigError, match="use a task of kind relevance with the same label beside this one"):
        checked({**CONFIG, "schema": schema})


@pytest.mark.parametrize("how", ["alone", "blend", "inputs"])
def test_trees_learn_the_order_of_lists(tmp_path, how):
    frame, config = log(), {**CONFIG, "training": {**CONFIG["training"], "epochs": 1}}
    tasks = {"grade": CONFIG["schema"]["tasks"]["grade"]}
    config |= {"schema": {**CONFIG["schema"], "tasks": tasks}, "evaluation": {"bootstrap": 0}}
    config["trees"] = {"rounds": 40, "leaves": 4} | ({"blend": 0.8} if how == "blend" else {})
    if how == "alone":
        config["architecture"] = "boosted_trees"
    run = fit(config, frame, output=tmp_path / "run", progress=False)
    assert run.metrics["tasks"]["grade"]["graded_ndcg"] > 0.93
    scores = Model.load(run.export().folder).score({}, {"good": [-1.0, 0.0, 1.0], "loud": [0.0, 0.0, 0.0]})
    assert (np.diff(np.asarray(scores["grade"])) > 0).all()


def test_trees_do_not_fit_lists_of_binary_tasks():
    tasks = {"click": {"kind": "binary", "rank_loss": {"name": "softmax", "group": "request"}}}
    config = {**CONFIG, "schema": {**CONFIG["schema"], "tasks": tasks}, "early_stopping": None}
    with pytest.raises(ConfigError, match="fits trees to the rows of 'click', not to its lists"):
        checked({**config, "architecture": "boosted_trees"})
