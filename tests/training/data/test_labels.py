"""What formulas of labels and weights do to a model that is trained on a log and exported."""

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
import yaml

from ranker.artifact import difference
from ranker.expressions import FUNCTIONS
from ranker.log_files.log_reader import DataError, Log
from ranker.schema import Schema
from tests.training.conftest import CONFIG, written
from tests.training.stored import file_of
from training.config.experiment import Experiment, load
from training.data.encode import prepare
from training.data.split.held_out import split
from training.evaluation.onnx_scorer import onnx_scorer
from training.export.export import examples_of, export
from training.export.fit_fusions import fitted_fusions
from training.trainer.epoch import scorer
from training.trainer.train import Run, train

ROOT = Path(__file__).parents[3]
LONG, SHORT = 0, 1
"""Two items that are clicked alike, half of the time; the first holds for 60 seconds, the second for 2."""

TASKS = {
    "click": {"kind": "binary"},
    "dwelt": {"kind": "binary", "column": "click", "weight": "where(click == 1, log1p(dwell), 1)"},
    "tripled": {"kind": "binary", "column": "click", "positive_weight": 3.0},
    "seconds": {"kind": "regression", "label": "coalesce(dwell, 0)", "loss": "weighted_logistic"},
    "paper": {
        "kind": "regression",
        "label": "coalesce(dwell, 0)",
        "loss": "weighted_logistic",
        "negatives": "zeros",
    },
    "held": {"kind": "binary", "label": "click and dwell > 30"},
    "given_click": {"kind": "regression", "column": "dwell", "loss": "weighted_logistic", "given": "click"},
}


def frame(rows=2000):
    random = np.random.default_rng(0)
    item, click = random.integers(0, 2, rows), random.permutation(np.arange(rows) % 2)
    dwell = np.where(item == LONG, 60.0, 2.0)
    return pd.DataFrame({"item": item, "click": click, "dwell": np.where(click == 1, dwell, np.nan)})


def experiment(tasks=TASKS, **schema):
    return Experiment.model_validate(
        {
            "data": {"split": {"by": "random", "fraction": 0.2}},
            "schema": {
                "candidate_id": "item",
                "candidate": {"item": {"kind": "categorical", "dimension": 4}},
                "tasks": tasks,
                **schema,
            },
            "architecture": {"name": "shared_bottom", "bottom": [8], "towers": []},
            "optimizer": {
                "dense": {"name": "adam", "learning_rate": 0.1},
                "embeddings": {"name": "adam", "learning_rate": 0.1},
            },
            "training": {"epochs": 8, "batch_size": 160},
            "early_stopping": None,
            "evaluation": {"bootstrap": 0},
        }
    )


class Learnt(NamedTuple):
    run: Run
    scores: dict[str, np.ndarray]  # by task, of the long and the short item


def scores_of(run, score):
    columns = {"item": np.array([LONG, SHORT])}
    packed = run.prepared.encoder.encode({}, columns)
    batch = {name: array for name, array in packed._asdict().items() if array.shape[1]}
    return dict(zip(run.model.tasks, score(batch).T.astype(np.float64), strict=True))


@pytest.fixture(scope="module")
def learnt(tmp_path_factory) -> Learnt:
    run = train(experiment(), [file_of(frame())], tmp_path_factory.mktemp("labels"))
    return Learnt(run, scores_of(run, scorer(run.model)))


def odds(p):
    return p / (1 - p)


def test_dwell_time_lifts_the_item_that_holds(learnt):
    np.testing.assert_allclose(learnt.scores["click"], [0.5, 0.5], atol=0.07)
    got = odds(learnt.scores["dwelt"]) / odds(learnt.scores["click"])
    np.testing.assert_allclose(got, np.log1p([60, 2]), rtol=0.2)


def test_a_positive_weight_multiplies_the_odds(learnt):
    np.testing.assert_allclose(odds(learnt.scores["tripled"]) / odds(learnt.scores["click"]), 3, rtol=0.2)


def test_the_odds_of_weighted_logistic_regression_are_seconds(learnt):
    np.testing.assert_allclose(learnt.scores["seconds"], [30, 1], rtol=0.2)
    np.testing.assert_allclose(learnt.scores["paper"] / learnt.scores["seconds"], 2, rtol=0.25)  # half are zeros
    np.testing.assert_allclose(learnt.scores["given_click"], [30, 1], rtol=0.2)  # p(click) times 60, times 2
    assert learnt.run.metrics["tasks"]["seconds"]["calibration"] == pytest.approx(1, abs=0.15)
    assert learnt.run.metrics["tasks"]["paper"]["calibration"] == pytest.approx(2, abs=0.3)


def test_a_composed_label_is_learnt(learnt):
    assert learnt.scores["held"][LONG] == pytest.approx(0.5, abs=0.1)
    assert learnt.scores["held"][SHORT] < 0.05


def test_it_is_served_alike(learnt, tmp_path):
    run = learnt.run
    rows = split(run.log, run.experiment.data.split, run.experiment.training.seed)
    fusions, examples = fitted_fusions(run.experiment, run.predictions), examples_of(rows, run.experiment)
    artifact = export(
        tmp_path,
        run.experiment,
        run.prepared.encoder,
        run.model,
        fusions,
        run.metrics,
        examples,
        run.predictions.scores,
    )
    served, kept = scores_of(run, onnx_scorer(artifact.model_path)), learnt.scores
    assert max(difference(served[task], kept[task]) for task in TASKS) < 1e-5
    assert artifact.schema == run.experiment.log_schema


def test_weights_are_of_training_rows_alone(learnt):
    training, validation = next(learnt.run.prepared.training.chunks()), next(learnt.run.prepared.validation.chunks())
    assert training["weights"].dtype == np.float32
    assert "weights" not in validation
    at = learnt.run.model.tasks.index
    clicked = training["labels"][:, at("click")] == 1
    assert set(np.round(training["weights"][clicked, at("dwelt")], 4)) == set(np.float32([4.1109, 1.0986]))
    np.testing.assert_array_equal(training["weights"][:, at("tripled")], np.where(clicked, 3, 1))
    np.testing.assert_array_equal(training["weights"][:, at("seconds")], 1)


def test_without_weights_batches_have_none(tmp_path):
    prepared = prepare(experiment({"click": {"kind": "binary"}}), Log([file_of(frame(50))]), tmp_path)
    assert "weights" not in next(prepared.training.chunks())


@pytest.mark.parametrize(
    ("tasks", "schema", "match"),
    [
        (
            {"a": {"kind": "binary", "column": "click", "weight": "1 + dwell"}},
            {},
            r"\.parquet, row \d+, .*'1 \+ dwell'",
        ),
        ({"a": {"kind": "binary", "label": "dwell > 1 + clik"}}, {}, "no column 'clik'; did you mean 'click'"),
        ({"a": {"kind": "binary", "column": "click", "weight": "dwel"}}, {}, "no column 'dwel'; did you mean 'dwell'"),
        (
            {"a": {"kind": "binary", "label": "coalesce(dwell, 0)"}},
            {},
            r"is not a label in \{0, 1\} \(tasks\.a\.label\)",
        ),
        (
            {"click": {"kind": "binary"}},
            {"sample_weight": "0 * click"},
            r"tasks\.click: no training row counts",
        ),
    ],
)
def test_what_the_log_does_not_give_is_named(tasks, schema, match, tmp_path):
    with pytest.raises(DataError, match=match):
        prepare(experiment(tasks, **schema), Log([file_of(frame(50))]), tmp_path)


def test_a_weight_is_asked_of_training_rows_alone(tmp_path):
    log = frame(50)
    config = experiment({"click": {"kind": "binary", "weight": "where(click == 1, dwell, 1)"}})
    held_out = split(Log([file_of(log)]), config.data.split, config.training.seed)
    training = next(held_out.training(["click"]))[1]
    wrong = np.flatnonzero(~training & (log["click"] == 1).to_numpy())[0]
    spoilt = file_of(log.assign(dwell=log["dwell"].where(log.index != wrong, -1.0)))
    prepared = prepare(config, Log([spoilt]), tmp_path)
    assert len(prepared.validation) == (~training).sum()
    first = np.flatnonzero(training & (log["click"] == 1).to_numpy())[0]
    spoilt = file_of(log.assign(dwell=log["dwell"].where(log.index != first, -1.0)))
    with pytest.raises(DataError, match=rf"\.parquet, row {first}, .* -1\.0 is not a weight"):
        prepare(config, Log([spoilt]), tmp_path)


def test_mistakes_are_named_by_line_and_path(tmp_path):
    tasks = {"click": {"kind": "binary", "label": "clicked + lg(x)", "weight": "a.b"}}
    path = written(tmp_path, schema={**CONFIG["schema"], "tasks": tasks, "label_statistics": None}, fusion={})
    lines = {
        key: i
        for i, line in enumerate(path.read_text().splitlines(), 1)
        for key in ("label:", "weight:")
        if key in line
    }
    with pytest.raises(ValueError, match="mistake") as caught:
        load(path)
    message = str(caught.value)
    assert (
        f"line {lines['label:']}, schema.tasks.click.label: 'lg' at character 11 of 'clicked + lg(x)' is not a"
        in message
    )
    assert f"line {lines['weight:']}, schema.tasks.click.weight: 'a.b' at character 1 of 'a.b' is not part" in message
    assert "got 'clicked" not in message


def test_the_examples_of_the_docs_are_valid():
    text = (ROOT / "docs" / "labels.md").read_text()
    blocks = re.findall(r"```yaml\n(.*?)```", text, flags=re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        Schema.model_validate({"candidate": {"item": {"kind": "categorical"}}, **yaml.safe_load(block)})
    assert all(f" {name}" in text or f"`{name}" in text for name in FUNCTIONS)


def test_the_shipped_config_runs(log, tmp_path):
    config = yaml.safe_load((ROOT / "configs" / "watch_time.yaml").read_text())
    small = {"training": {"epochs": 1, "batch_size": 64}, "evaluation": {"bootstrap": 0}}
    run = train(Experiment.model_validate({**config, **small}), [log], tmp_path)
    weights = next(run.prepared.training.chunks())["weights"]
    assert (weights > 0).mean() > 0.5
    watch = run.metrics["tasks"]["watch_time"]
    assert 0.2 < watch["calibration"] < 5
    assert watch["mean"] > 0
