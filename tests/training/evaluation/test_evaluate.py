from dataclasses import replace

import numpy as np
import pytest

from ranker.schema import Schema
from training.config.metric_names import Metric
from training.data.grouping import NO_GROUP
from training.evaluation.evaluate import Predictions, UndefinedMetricError, measure, metric_value

SCHEMA = Schema.model_validate(
    {
        "candidate": {"item": {"kind": "categorical"}},
        "tasks": {"click": {"kind": "binary"}, "watch": {"kind": "regression"}},
    }
)
PREDICTIONS = Predictions(
    scores=np.array([[0.9, 2.0], [0.2, 1.0], [0.4, 5.0], [0.6, 0.0]], np.float32),
    labels=np.array([[1, 2.0], [0, 3.0], [1, 0.0], [0, 0.0]], np.float32),
    known=np.array([[1, 1], [1, 1], [1, 0], [1, 1]], bool),
    groups=np.array([1, 1, 2, 2]),
)


def test_metrics_by_hand_over_known_rows():
    metrics = measure(SCHEMA, PREDICTIONS, resamples=0, seed=0)
    click, watch = metrics["tasks"]["click"], metrics["tasks"]["watch"]
    assert click["auc"] == pytest.approx(3 / 4)
    assert click["gauc"] == pytest.approx((1 + 0) / 2)
    assert click["calibration"] == pytest.approx(2.1 / 2)
    assert watch["rows"] == 3
    assert watch["mae"] == pytest.approx(2 / 3)
    assert metrics["mean_auc"] == click["auc"]


def test_metrics_within_lists_by_hand_without_rows_of_no_group():
    groups = np.array([1, 1, NO_GROUP, 1])
    lists = [Metric("watch", "ndcg", 2), Metric("click", "mrr"), Metric("click", "mean", 1)]
    found = measure(SCHEMA, replace(PREDICTIONS, groups=groups), resamples=10, seed=0, lists=lists)["tasks"]
    reached, ideal = 2.0 + 3.0 / np.log2(3), 3.0 + 2.0 / np.log2(3)
    assert found["watch"]["ndcg@2"] == pytest.approx(reached / ideal)
    assert found["watch"]["ndcg@2_interval"] == pytest.approx([reached / ideal] * 2)
    assert (found["click"]["mrr"], found["click"]["mrr_lists"]) == (1.0, 1)
    assert found["click"]["mean@1"] == 1.0
    metrics = {"tasks": found}
    assert metric_value("watch.ndcg@2", metrics) == pytest.approx(reached / ideal)
    none = measure(SCHEMA, replace(PREDICTIONS, groups=np.full(4, NO_GROUP)), resamples=0, seed=0, lists=lists)
    assert none["tasks"]["click"]["mrr"] is None
    with pytest.raises(UndefinedMetricError):
        metric_value("click.mrr", none)


def test_values_for_stopping_are_signed():
    metrics = {**measure(SCHEMA, PREDICTIONS, resamples=0, seed=0), "mean_loss": 0.5}
    assert metric_value("mean_auc", metrics) == pytest.approx(0.75)
    assert metric_value("mean_loss", metrics) == -0.5
    assert metric_value("watch.mae", metrics) == pytest.approx(-2 / 3)
    assert metric_value("click.gauc", metrics) == pytest.approx(0.5)
    for undefined in ({"mean_auc": None}, {"mean_auc": float("nan")}):
        with pytest.raises(UndefinedMetricError, match="mean_auc"):
            metric_value("mean_auc", undefined)
