"""Metrics of parameter sets, beside the fusion and the metrics one by one."""

from dataclasses import replace

import numpy as np
import pytest

from ranker.fusion import Candidates, FusionOptions, Plan, Requests, build_plan
from ranker.log_files.log_reader import DataError
from ranker.metrics import auc, gauc, ndcg
from training.config.metric_names import Metric
from training.fusion_search.evaluator import Evaluator
from training.fusion_search.space import space

KINDS = {"click": "binary", "like": "binary", "watch": "regression"}
METRICS = [
    Metric("click", "auc"),
    Metric("like", "auc"),
    Metric("click", "gauc"),
    Metric("like", "gauc"),
    Metric("watch", "ndcg", 3),
    Metric("click", "map", 5),
    Metric("worth", "mean", 2),
]
PLANS = {
    "additive": {"parameters": {"share": {"like": 3.0}}},
    "multiplicative": {"normalisation": "rank"},
    "rank_bucket": {"parameters": {"buckets": 10}},
    "expression": {
        "options": {"formula": "click**a + like - age", "parameters": {"a": {"default": 1, "low": 0, "high": 3}}},
        "rules": {"young": {"kind": "boost", "where": "age < 0.2", "multiply": 1.5}},
    },
    "powered_product": {"rules": {"quality": {"kind": "floor", "least": {"click": 0.3}}}},
}


def plan(name: str) -> Plan:
    return build_plan(FusionOptions.model_validate({"name": name, **PLANS[name]}), KINDS, ("age",))


def ranked(plan: Plan, rows) -> np.ndarray:
    """Fused scores by the plan itself, what a floor sends last being below all others."""
    candidates = Candidates.of(plan.objectives, rows.scores, Requests.of(rows.groups), {"age": rows.columns["age"]})
    found = plan.rank(candidates)
    return np.where(found.last | found.dropped, found.fused - 1e6, found.fused)


@pytest.mark.parametrize("name", list(PLANS))
def test_every_metric_is_that_of_the_served_ranking(name: str, rows) -> None:
    around = space(plan(name), [], 0.5)
    points = np.vstack([around.start, np.random.default_rng(1).random((3, len(around.start)))])
    evaluator = Evaluator(plan(name), rows, METRICS)
    measured = evaluator(around.sets(points))
    np.testing.assert_allclose(evaluator.baseline(), measured[0], rtol=0, atol=1e-12)
    for point, found in zip(points, measured, strict=True):
        fused = ranked(around.at(point), rows)
        known = rows.known[:, 1]
        expected = [
            auc(rows.labels[:, 0], fused),
            auc(rows.labels[known, 1], fused[known]),
            gauc(rows.labels[:, 0], fused, rows.groups).value,
        ]
        np.testing.assert_allclose(found[:3], expected, rtol=0, atol=1e-12)
        assert found[4] == pytest.approx(ndcg(rows.labels[:, 2], fused, rows.groups, 3).value, abs=1e-12)
        best_two = [
            rows.columns["worth"][own][np.argsort(-fused[own])[:2]].mean()
            for own in (np.flatnonzero(rows.groups == group) for group in range(rows.groups.max() + 1))
        ]
        if name != "rank_bucket":  # whose ties share
            assert found[6] == pytest.approx(np.mean(best_two), abs=1e-12)


@pytest.mark.parametrize("name", list(PLANS))
def test_bins_are_close_and_threads_change_nothing(name: str, rows) -> None:
    around = space(plan(name), [], 0.5)
    sets = around.sets(np.random.default_rng(1).random((6, len(around.start))))
    exact = Evaluator(plan(name), rows, METRICS)(sets)
    np.testing.assert_array_equal(Evaluator(plan(name), rows, METRICS, jobs=3)(sets), exact)
    binned = Evaluator(plan(name), rows, METRICS[:2], binned=True, jobs=2)(sets)
    np.testing.assert_allclose(binned, exact[:, :2], atol=1e-4)


def test_a_metric_that_is_undefined_whatever_the_ranking_is_named(rows) -> None:
    none = rows.taken(rows.labels[:, 0] == 0)
    with pytest.raises(DataError, match=r"click.auc: all \d+ rows have the same label"):
        Evaluator(plan("additive"), none, METRICS[:1])
    with pytest.raises(DataError, match=r"click.gauc: is undefined in every group of the \d+ rows"):
        Evaluator(plan("additive"), none, METRICS[2:3]).baseline()


def test_columns_must_be_numbers_and_gains_not_negative(rows) -> None:
    rows.columns["worth"][3] = -1.0
    with pytest.raises(DataError, match=r"worth.ndcg@3: gains must be >= 0, got -1, in column 'worth'"):
        Evaluator(plan("additive"), rows, [Metric("worth", "ndcg", 3)]).baseline()
    rows.columns["worth"][3] = np.nan
    with pytest.raises(DataError, match="column 'worth' has rows without a finite number"):
        Evaluator(plan("additive"), rows, [Metric("worth", "mean", 3)]).baseline()


def test_metrics_within_lists_are_those_of_the_re_ranked_lists(rows) -> None:
    rng = np.random.default_rng(0)
    columns = {**rows.columns, "genre": rng.integers(0, 3, len(rows)), "author": rng.integers(0, 9, len(rows))}
    rows = replace(rows, columns=columns)
    rerank = {"diverse": {"kind": "mmr", "of": "genre"}, "authors": {"kind": "spread", "of": "author", "window": 2}}
    options = FusionOptions.model_validate(
        {"rerank": rerank, "rules": {"quality": {"kind": "floor", "least": {"click": 0.3}}}}
    )
    made = build_plan(options, KINDS, ("age",), compared={"genre": "category", "author": "category"})
    metrics = [
        Metric("watch", "ndcg", 3),
        Metric("genre", "intra_list_distance", 3),
        Metric("author", "coverage", 2),
        Metric("click", "auc"),
    ]
    around = space(made, ["rerank.diverse.lambda=0:1", "share.like"], 1.0)
    points = np.array([around.start, [0.1, 0.9], [1.0, 0.5]])
    evaluator = Evaluator(made, rows, metrics)
    measured = evaluator(around.sets(points))
    np.testing.assert_allclose(evaluator.baseline(), measured[0], atol=1e-12)
    for point, found in zip(points, measured, strict=True):
        searched = around.at(point)
        tops, distances = [], []
        keys = np.empty(len(rows))
        for group in range(rows.groups.max() + 1):
            own = np.flatnonzero(rows.groups == group)
            read = {name: rows.columns[name][own] for name in searched.features}
            order = own[searched.rank(Candidates.of(searched.objectives, rows.scores[own], None, read)).order()]
            keys[order] = -np.arange(len(own))
            tops.append(order[:2])
            genres = columns["genre"][order[:3]]
            if len(order) > 1:
                pairs = [genres[i] != genres[j] for i in range(len(genres)) for j in range(i)]
                distances.append(np.mean(pairs))
        assert found[0] == pytest.approx(ndcg(rows.labels[:, 2], keys, rows.groups, 3).value, abs=1e-12)
        assert found[1] == pytest.approx(np.mean(distances))
        shown = np.unique(columns["author"][np.concatenate(tops)])
        assert found[2] == pytest.approx(len(shown) / len(np.unique(columns["author"])))
        features = {name: rows.columns[name] for name in searched.features}
        together = Candidates.of(searched.objectives, rows.scores, Requests.of(rows.groups), features)
        known = rows.known[:, 0]
        labels, ranks = rows.labels[known, 0], searched.rank(together).sort_keys()[known]
        assert found[3] == pytest.approx(auc(labels, ranks), abs=1e-12), "that of evaluate"
    assert measured[1, 1] > measured[2, 1], "less weight of relevance: more distance"
