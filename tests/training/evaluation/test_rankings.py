"""Rankings measured one metric at a time, by hand."""

import math

import numpy as np
import pytest

from ranker.fusion import FusionOptions, Requests, build_plan
from ranker.log_files.log_reader import DataError
from ranker.metrics import Groups, Relevance
from training.config.metric_names import Metric
from training.evaluation.rankings import fused_keys, measure_rankings, relevance_of

LISTS = Groups(["a", "a", "a", "b", "b"])
SCORES = {"click": np.array([0.9, 0.5, 0.1, 0.4, 0.6]), "other": np.array([0.1, 0.5, 0.9, 0.6, 0.4])}
LABELS = np.array([[0, 2.0], [1, 0.0], [0, 1.0], [1, 0.0], [0, 5.0]], dtype=np.float32)
KNOWN = np.array([[1, 1], [1, 1], [1, 1], [1, 1], [0, 1]], dtype=bool)
COLUMNS = {"gain": np.array([3, 1, 0, 2, 2]), "name": np.array(["x"] * 5, dtype=object), "hole": np.full(5, np.nan)}


def relevance(metric: Metric) -> Relevance:
    return relevance_of(metric, ("click", "watch"), LABELS, KNOWN, COLUMNS)


def measured(*wanted, resamples=0):
    return {
        (name, metric.name): found
        for (name, _), (metric, found) in zip(
            wanted, measure_rankings(SCORES.__getitem__, wanted, relevance, LISTS, resamples, 0), strict=True
        )
    }


def test_several_rankings_by_hand():
    mrr, gain, gauc = Metric("click", "mrr"), Metric("gain", "ndcg", 2), Metric("click", "gauc")
    wanted = [(name, metric) for name in ("click", "other") for metric in (mrr, gain, gauc)]
    found = measured(*wanted)
    assert found["click", "click.mrr"] == {"value": (1 / 2 + 1 / 2) / 2, "lists": 2}
    assert found["other", "click.mrr"] == {"value": (1 / 2 + 1) / 2, "lists": 2}
    half = 1 / math.log2(3)
    assert found["other", "gain.ndcg@2"]["value"] == pytest.approx(((0 + half) / (3 + half) + 1) / 2)
    # The second list's only negative is unknown, so that the first alone has a pair.
    assert found["click", "click.gauc"] == {"value": 1 / 2, "lists": 1}


def test_intervals_are_there_on_request_and_undefined_metrics_are_null():
    found = measured(("click", Metric("click", "mrr")), ("click", Metric("click", "hit", 1)), resamples=50)
    assert found["click", "click.mrr"]["interval"] == [1 / 2, 1 / 2]
    assert found["click", "click.hit@1"] == {"value": 0.0, "interval": [0.0, 0.0], "lists": 2}
    none = Relevance(np.zeros(5), np.ones(5, dtype=bool))
    ((_, undefined),) = measure_rankings(
        SCORES.__getitem__, [("click", Metric("click", "map", 3))], lambda _: none, LISTS, 10, 0
    )
    assert undefined == {"value": None, "interval": [None, None], "lists": 0}


def test_a_fusion_orders_rows_within_their_lists_or_is_named():
    plan = build_plan(FusionOptions(name="reciprocal_rank"), {"click": "binary", "like": "binary"})
    scores = np.array([[0.9, 0.2], [0.1, 0.1], [0.5, 0.7], [0.4, 0.9], [0.3, 0.8]])
    keys = fused_keys("default", plan, scores, Requests.of(LISTS.codes), {})
    assert np.argsort(-keys[:3]).tolist() in ([0, 2, 1], [2, 0, 1])
    assert keys[0] == keys[2] > keys[1]
    assert keys[3] > keys[4]
    with pytest.raises(DataError, match="fusion 'default': scores must be finite"):
        fused_keys("default", plan, np.full((5, 2), np.nan), Requests.of(LISTS.codes), {})


def test_a_column_holds_finite_numbers():
    assert relevance(Metric("watch", "mean", 1)).values.tolist() == [2.0, 0.0, 1.0, 0.0, 5.0]
    assert relevance(Metric("click", "auc")).known.tolist() == [True, True, True, True, False]
    with pytest.raises(DataError, match="column 'name' must hold numbers"):
        relevance(Metric("name", "mean", 1))
    with pytest.raises(DataError, match="column 'hole' has rows without a finite number"):
        relevance(Metric("hole", "mean", 1))
