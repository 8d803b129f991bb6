"""Intra-list distance and coverage, by hand and beside loops over pairs."""

import numpy as np
import pytest

from ranker.metrics import RANKING_METRICS, Groups, Relevance
from ranker.metrics.diversity import Items

LISTS = np.array([0, 0, 0, 1, 1, 2])
SCORES = np.array([3.0, 2.0, 1.0, 2.0, 1.0, 1.0])


def measured(name, column, k, weights=None, lists=LISTS, scores=SCORES):
    groups = Groups(lists)
    found = (
        RANKING_METRICS[name].prepared(groups, Relevance.of_items(column), k).measured(scores, groups.ranking(scores))
    )
    return found.statistic(np.ones(groups.count) if weights is None else np.array(weights, dtype=float))


def distances(column, k):
    groups = Groups(LISTS)
    of_lists = RANKING_METRICS["intra_list_distance"].prepared(groups, Relevance.of_items(column), k).of_lists
    return of_lists(groups.ranking(SCORES)).tolist()


def test_values_differ_or_not_and_missing_ones_always_do():
    column = np.array(["a", "a", "b", None, None, "a"], dtype=object)
    assert distances(column, 2) == [0.0, 1.0, pytest.approx(np.nan, nan_ok=True)]
    assert distances(column, 9) == [pytest.approx(2 / 3), 1.0, pytest.approx(np.nan, nan_ok=True)]
    assert measured("intra_list_distance", column, 2) == 0.5
    assert measured("intra_list_distance", column, 2, weights=[3, 1, 7]) == 0.25


def test_tags_by_jaccard_and_vectors_by_cosine():
    tags = [["x", "y"], ["y", "z"], ["x", "x"], [None, None], ["x", None], ["x", "y"]]
    # 1 - 1/3; and with the third row, 1 - 1/2 to the first, 1 to the second.
    assert distances(np.array(tags, dtype=object), 2)[:2] == [pytest.approx(2 / 3), 1.0]
    assert distances(np.array(tags, dtype=object), 3)[0] == pytest.approx((2 / 3 + 1 / 2 + 1) / 3)
    vectors = np.array([[1.0, 0], [1, 1], [-1, 0], [0, 0], [1, 0], [1, 0]])
    half = 1 - np.sqrt(0.5)
    assert distances(vectors, 2)[:2] == [pytest.approx(half), 1.0]
    assert distances(vectors, 3)[0] == pytest.approx((half + 2 + 1 + np.sqrt(0.5)) / 3)


def test_coverage_is_of_all_lists_together():
    column = np.array(["a", "b", "c", "a", "d", "a"], dtype=object)
    assert measured("coverage", column, 1) == 1 / 4
    assert measured("coverage", column, 2) == 3 / 4
    assert measured("coverage", column, 9) == 1.0
    assert measured("coverage", column, 1, weights=[0, 1, 0]) == 1 / 2  # a of a, d
    assert measured("coverage", np.array([["a", "b"], ["c", None]] * 3, dtype=object), 1) == 1.0
    assert np.isnan(measured("coverage", np.full(6, None), 1))
    assert measured("coverage", np.array([[1.0, 0], [0, 1], [1, 1]] * 2), 1) == pytest.approx(2 / 3)


@pytest.mark.parametrize("kind", ["values", "tags", "vectors"])
def test_blocks_of_lists_give_what_loops_over_pairs_give(kind, monkeypatch):
    monkeypatch.setattr("ranker.metrics.diversity.BLOCK", 500)
    random = np.random.default_rng(0)
    lists, scores = random.integers(0, 40, 200), random.normal(size=200)
    column = {
        "values": random.choice(np.array(["a", "b", "c", None], dtype=object), 200),
        "tags": random.choice(np.array(["a", "b", "c", None], dtype=object), (200, 3)),
        "vectors": random.normal(size=(200, 3)),
    }[kind]
    assert Items.of(column).kind == kind

    def apart(i, j):
        if kind == "values":
            return 1.0 - (column[i] is not None and column[i] == column[j])
        if kind == "vectors":
            return 1 - column[i] @ column[j] / np.linalg.norm(column[i]) / np.linalg.norm(column[j])
        one, other = set(column[i]) - {None}, set(column[j]) - {None}
        return 1 - len(one & other) / max(len(one | other), 1)

    means = []
    for group in np.unique(lists):
        own = np.flatnonzero(lists == group)
        first = own[np.argsort(-scores[own])][:4]
        if len(first) > 1:
            means.append(np.mean([apart(i, j) for n, i in enumerate(first) for j in first[:n]]))
    assert measured("intra_list_distance", column, 4, lists=lists, scores=scores) == pytest.approx(np.mean(means))


def test_tasks_have_neither():
    for name in ("intra_list_distance", "coverage"):
        assert RANKING_METRICS[name].fits(None)
        assert not RANKING_METRICS[name].fits(frozenset({"binary_labels"}))


def test_a_vector_with_a_missing_number_is_none():
    items = Items.of(np.array([[np.nan, 1.0], [0.0, 1.0], [np.inf, 0.0]]))
    assert items.values.tolist() == [[0, 0], [0, 1], [0, 0]]
