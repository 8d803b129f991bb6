"""Every grouped metric from one ordering, beside plain loops over the groups."""

import itertools
import math

import numpy as np
import pytest
from sklearn.metrics import ndcg_score, roc_auc_score

from ranker.metrics import Groups, gauc, ndcg

RNG = np.random.default_rng(1)
KEYS = np.concatenate([RNG.integers(0, 40, 500), np.full(70, 40), [41, 42, 42]])
SCORES = np.round(RNG.normal(size=len(KEYS)), 1)
LABELS = (RNG.random(len(KEYS)) < 0.3).astype(float)
GAINS = RNG.integers(0, 4, len(KEYS)).astype(float)
GROUPS = Groups(KEYS)
RANKING = GROUPS.ranking(SCORES)


def rows_of(group: int) -> np.ndarray:
    return np.flatnonzero(np.unique(KEYS, return_inverse=True)[1] == group)


def test_rows_are_sorted_by_group_and_descending_score() -> None:
    np.testing.assert_array_equal(np.sort(RANKING.order), np.arange(len(KEYS)))
    ordered = np.lexsort((-SCORES, KEYS))
    np.testing.assert_array_equal(KEYS[RANKING.order], KEYS[ordered])
    np.testing.assert_array_equal(SCORES[RANKING.order], SCORES[ordered])
    np.testing.assert_array_equal(RANKING.starts, np.searchsorted(KEYS[ordered], np.unique(KEYS)))


def test_aucs_equal_those_per_group() -> None:
    known = RNG.random(len(KEYS)) < 0.8
    found = RANKING.aucs(LABELS * known, (1 - LABELS) * known)
    for group in range(GROUPS.count):
        rows = rows_of(group)[known[rows_of(group)]]
        if len(set(LABELS[rows])) < 2:
            assert math.isnan(found[group])
        else:
            assert found[group] == pytest.approx(roc_auc_score(LABELS[rows], SCORES[rows]), abs=1e-12)


def test_the_mean_of_group_aucs_is_gauc() -> None:
    found = RANKING.aucs(LABELS, 1 - LABELS)
    used = ~np.isnan(found)
    assert np.average(found[used], weights=GROUPS.sizes[used]) == pytest.approx(
        gauc(LABELS, SCORES, KEYS).value, abs=1e-12
    )


@pytest.mark.parametrize("k", [1, 3, 10, None])
def test_dcg_over_the_ideal_is_ndcg(k: int | None) -> None:
    ideal = GROUPS.ranking(GAINS).dcg(GAINS, k)
    found = RANKING.dcg(GAINS, k)[ideal > 0] / ideal[ideal > 0]
    assert found.mean() == pytest.approx(ndcg(GAINS, SCORES, KEYS, k).value, abs=1e-12)
    rows = rows_of(40)
    assert found[40] == pytest.approx(ndcg_score([GAINS[rows]], [SCORES[rows]], k=k), abs=1e-12)


@pytest.mark.parametrize("k", [1, 2, 4])
def test_ties_give_the_mean_over_all_orders(k: int) -> None:
    keys, scores = np.zeros(6), np.array([2.0, 1.0, 1.0, 1.0, 0.0, 0.0])
    labels, values = np.array([0.0, 1, 1, 0, 1, 0]), np.array([1.0, 5, 2, 8, -3, 4])
    precisions, means = [], []
    for order in itertools.permutations(range(6)):
        if (np.diff(scores[list(order)]) <= 0).all():
            ranked = labels[list(order)]
            down = np.cumsum(ranked) / np.arange(1, 7)
            precisions.append((down * ranked)[:k].sum() / min(k, 3))
            means.append(values[list(order)][:k].mean())
    ranking = Groups(keys).ranking(scores)
    np.testing.assert_allclose(ranking.average_precision(labels, k), np.mean(precisions), atol=1e-12)
    np.testing.assert_allclose(ranking.mean(values, k), np.mean(means), atol=1e-12)


def test_groups_are_independent() -> None:
    whole = RANKING.average_precision(LABELS, 5), RANKING.mean(GAINS, 5), RANKING.dcg(GAINS, 5)
    for group in (0, 7, 40, 42):
        rows = rows_of(group)
        alone = Groups(KEYS[rows]).ranking(SCORES[rows])
        parts = alone.average_precision(LABELS[rows], 5), alone.mean(GAINS[rows], 5), alone.dcg(GAINS[rows], 5)
        for all_of_them, one in zip(whole, parts, strict=True):
            np.testing.assert_allclose(all_of_them[group], one[0], atol=1e-12)


def test_a_group_smaller_than_k_counts_its_own_rows() -> None:
    ranking = Groups(["a", "b", "b"]).ranking(np.array([1.0, 2.0, 3.0]))
    np.testing.assert_allclose(ranking.mean(np.array([4.0, 1.0, 3.0]), 5), [4.0, 2.0])


def test_groups_must_have_rows() -> None:
    with pytest.raises(ValueError, match="groups must have rows, got none"):
        Groups([])
