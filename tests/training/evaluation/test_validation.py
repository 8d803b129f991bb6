"""Metrics of a run's validation rows, fused rankings among them, by hand."""

import numpy as np
import pytest

from ranker.fusion import Candidates
from ranker.metrics import gauc
from training.config.experiment import Experiment
from training.data.grouping import NO_GROUP
from training.evaluation.evaluate import Predictions, metric_value
from training.evaluation.validation import measure_run

SCORES = np.array([[0.9, 0.1], [0.5, 0.2], [0.2, 0.8], [0.6, 0.5], [0.4, 0.9], [0.3, 0.3]], dtype=np.float32)
LABELS = np.array([[0, 1], [1, 0], [0, 1], [1, 0], [0, 1], [1, 0]], dtype=np.float32)
LISTS = np.array([1, 1, 1, 2, 2, NO_GROUP])


def experiment(metric, **fusion):
    return Experiment.model_validate(
        {
            "data": {"split": {"by": "random", "fraction": 0.2}},
            "schema": {
                "candidate": {"age": {"kind": "numeric"}},
                "tasks": {"click": {"kind": "binary"}, "like": {"kind": "binary"}},
            },
            "architecture": "shared_bottom",
            "early_stopping": {"metric": metric},
            "evaluation": {"group_by": "user", "metrics": ["click.mrr"]},
            "fusion": {"name": "additive", "parameters": {"share": {"like": 3.0}}, **fusion},
        }
    )


def predictions(labels=LABELS):
    return Predictions(SCORES, labels, np.ones_like(labels, dtype=bool), LISTS)


def test_a_fused_ranking_beside_the_own_one():
    found = measure_run(experiment("fused(default).mrr(click)"), predictions(), resamples=10)
    # Fused: 1.2, 1.1, 2.6 and 2.1, 3.1; the clicks are third and second. By own score they are second and first.
    report = found["tasks"]["click"]
    assert report["fused(default).mrr"] == pytest.approx((1 / 3 + 1 / 2) / 2)
    assert report["fused(default).mrr_interval"] == pytest.approx([1 / 3, 1 / 2])
    assert report["fused(default).mrr_lists"] == report["mrr_lists"] == 2
    assert report["mrr"] == pytest.approx((1 / 2 + 1) / 2)
    assert metric_value("fused(default).mrr(click)", found) == report["fused(default).mrr"]


def test_calibration_is_that_of_the_validation_rows():
    asked = experiment("fused(default).gauc(like)", calibration={"click": "platt", "like": "platt"})
    validated, turned = predictions(), predictions(1 - LABELS)
    for fitted_on in (None, validated):
        rows = fitted_on or turned
        plan = asked.measurable_fusions["default"].fit(rows.scores, rows.labels, rows.known)
        fused = plan.rank(Candidates.of(plan.objectives, SCORES)).fused
        found = measure_run(asked, turned, 0, fitted_on)["tasks"]["like"]
        expected = gauc(turned.labels[:5, 1], fused[:5], LISTS[:5]).value
        assert found["fused(default).gauc"] == pytest.approx(expected)


def test_only_fusions_of_scores_alone_are_known_before_export():
    with pytest.raises(
        ValueError, match=r"early_stopping.metric: .* need no fitting to the log are known before export"
    ):
        experiment("fused(default).mrr(click)", name="expression", options={"formula": "click * age"}, parameters={})
    assert list(experiment(None).measurable_fusions) == ["default"]
