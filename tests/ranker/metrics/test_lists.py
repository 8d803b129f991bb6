"""Every metric within lists, by hand and over all orders of ties."""

import itertools
import math

import numpy as np
import pytest

from ranker.metrics import RANKING_METRICS, Groups, Relevance, gauc, ndcg
from ranker.metrics.lists import mean

SCORES = np.array([0.9, 0.7, 0.5, 0.3, 0.8, 0.2, 0.6, 0.6])
LABELS = np.array([0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 1.0])
LISTS = np.array(["a", "a", "a", "a", "b", "b", "c", "d"])
"""One list of four with positives at ranks 2 and 4, one without a positive, two of a single positive."""


def prepared(name, values=LABELS, known=None, lists=LISTS, k=None):
    relevance = Relevance(values, np.ones(len(values), dtype=bool) if known is None else known)
    if RANKING_METRICS[name].of_items:
        relevance = Relevance.of_items(values)
    return RANKING_METRICS[name].prepared(Groups(lists), relevance, k)


def of_lists(name, k=None):
    return prepared(name, k=k).of_lists(Groups(LISTS).ranking(SCORES))


def value(name, scores, k=None, counts=None, **more):
    metric, lists = prepared(name, k=k, **more), Groups(more.get("lists", LISTS))
    measured = metric.measured(scores, lists.ranking(scores))
    return measured.statistic(np.ones(measured.units) if counts is None else np.array(counts, dtype=float))


@pytest.mark.parametrize(
    ("name", "k", "of_a", "single"),
    [
        ("mrr", None, 1 / 2, 1.0),
        ("mrr", 2, 1 / 2, 1.0),
        ("mrr", 1, 0.0, 1.0),
        ("hit", 1, 0.0, 1.0),
        ("hit", 2, 1.0, 1.0),
        ("recall", 1, 0.0, 1.0),
        ("recall", 3, 1 / 2, 1.0),
        ("recall", 4, 1.0, 1.0),
        ("precision", 2, 1 / 2, 1 / 2),
        ("precision", 10, 2 / 10, 1 / 10),
        ("map", 10, (1 / 2 + 2 / 4) / 2, 1.0),
        ("ndcg", 2, (1 / math.log2(3)) / (1 + 1 / math.log2(3)), 1.0),
    ],
)
def test_values_by_hand_and_none_without_a_positive(name, k, of_a, single):
    np.testing.assert_allclose(of_lists(name, k), [of_a, np.nan, single, single], atol=1e-12)


def test_a_mean_is_defined_in_every_list_and_an_auc_where_there_is_a_pair():
    np.testing.assert_allclose(of_lists("mean", 3), [1 / 3, 0.0, 1.0, 1.0])
    np.testing.assert_allclose(of_lists("gauc"), [1 / 4, np.nan, np.nan, np.nan])


def test_graded_gains_are_linear():
    gains = np.array([0.0, 6.0, 1.0])
    reached = 6 / math.log2(2) + 0 / math.log2(3) + 1 / math.log2(4)
    ideal = 6 / math.log2(2) + 1 / math.log2(3)
    found = value("ndcg", np.array([0.5, 0.9, 0.1]), k=3, values=gains, lists=np.zeros(3))
    assert found == pytest.approx(reached / ideal, abs=1e-12)
    with pytest.raises(ValueError, match=r"gains must be >= 0, got -2"):
        prepared("ndcg", np.array([0.0, -2.0, 1.0]), lists=np.zeros(3), k=3)


@pytest.mark.parametrize("k", [1, 2, 4, 6])
def test_ties_give_the_mean_over_all_orders(k):
    scores, labels = np.array([2.0, 1.0, 1.0, 1.0, 0.0, 0.0]), np.array([0.0, 1, 1, 0, 1, 0])
    found = {name: [] for name in ("mrr", "hit", "recall", "precision")}
    for order in itertools.permutations(range(6)):
        if (np.diff(scores[list(order)]) <= 0).all():
            ranked = labels[list(order)]
            first = int(np.flatnonzero(ranked)[0])
            found["mrr"].append(1 / (first + 1) if first < k else 0)
            found["hit"].append(first < k)
            found["recall"].append(ranked[:k].sum() / 3)
            found["precision"].append(ranked[:k].sum() / k)
    for name, values in found.items():
        once = value(name, scores, k, values=labels, lists=np.zeros(6))
        assert once == pytest.approx(np.mean(values), abs=1e-12)


def test_many_ties_are_exact():
    labels = np.zeros(2000)
    labels[:40] = 1
    expected = 1.0 - np.prod((1960 - np.arange(10)) / (2000 - np.arange(10)))
    assert value("hit", np.zeros(2000), 10, values=labels, lists=np.zeros(2000)) == pytest.approx(expected, abs=1e-11)


def test_unknown_labels_leave_auc_and_count_as_zero_elsewhere():
    known = np.array([True, True, False, True, True, True, True, True])
    labels = np.where(known, LABELS, 0.0)
    assert value("gauc", SCORES, values=labels, known=known) == 0.0  # 0.9 is the only negative of list a
    assert value("auc", SCORES, values=labels, known=known) == pytest.approx(
        np.mean([[1.0 if p > n else 0.0 for n in (0.9, 0.8, 0.2)] for p in (0.7, 0.3, 0.6, 0.6)])
    )
    assert value("recall", SCORES, 3, values=labels, known=known) == pytest.approx((1 / 2 + 1 + 1) / 3)


def test_a_list_that_counts_twice_is_there_twice():
    counts = [2, 1, 0, 3]
    rows = np.concatenate([np.tile(np.flatnonzero(key == LISTS), n) for key, n in zip("abcd", counts, strict=True)])
    copies = np.repeat(["a", "A", "b", "d", "D", "E"], [4, 4, 2, 1, 1, 1])
    for name, metric in RANKING_METRICS.items():
        k = None if metric.cutoff == "none" else 2
        again = value(name, SCORES[rows], k, values=LABELS[rows], lists=copies)
        assert value(name, SCORES, k, counts=counts) == pytest.approx(again, abs=1e-12), name


def test_the_number_of_lists_that_define_a_metric():
    ranking = Groups(LISTS).ranking(SCORES)
    lists = {
        name: prepared(name, k=None if metric.cutoff == "none" else 2).measured(SCORES, ranking).counts["lists"]
        for name, metric in RANKING_METRICS.items()
    }
    assert lists == {
        **dict.fromkeys(("map", "mrr", "hit", "recall", "precision", "ndcg", "graded_ndcg"), 3),
        "auc": 4,
        "gauc": 1,
        "mean": 4,
        "intra_list_distance": 2,
        "coverage": 4,
    }


def test_the_means_are_those_of_the_metrics_of_all_groups():
    rng = np.random.default_rng(0)
    lists, scores, labels = rng.integers(0, 30, 400), rng.normal(size=400), (rng.random(400) < 0.3).astype(float)
    assert value("gauc", scores, values=labels, lists=lists) == pytest.approx(gauc(labels, scores, lists).value)
    assert value("ndcg", scores, 5, values=labels, lists=lists) == pytest.approx(ndcg(labels, scores, lists, 5).value)


def test_no_list_and_no_cutoff_below_one():
    assert math.isnan(mean(np.array([np.nan, np.nan]), np.ones(2)))
    with pytest.raises(ValueError, match=r"k must be >= 1, got 0"):
        prepared("map", k=0)
