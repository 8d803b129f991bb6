import numpy as np
import pytest

from ranker.metrics import ranking_agreement

FUSED = np.array([5.0, 4.0, 3.0, 2.0, 1.0])
BEST = np.arange(5)


def test_the_reference_agrees_with_itself_whatever_is_added_to_all_scores():
    for fused in (FUSED, FUSED + 1e6, FUSED / 3 - 9):
        found = ranking_agreement(fused, BEST, BEST, k=3)
        assert (found.ndcg, found.recall, found.regret) == (pytest.approx(1.0), 1.0, 0.0)


def test_values_by_hand():
    found = ranking_agreement(FUSED, BEST, np.array([1, 3, 0, 2, 4]), k=2)
    discount = 1 / np.log2(3)
    assert found.ndcg == pytest.approx((3 + discount * 1) / (4 + discount * 3))
    assert found.recall == 0.5
    assert found.regret == pytest.approx((4 + 3 - 3 - 1) / 2)
    shifted = ranking_agreement(FUSED + 1e3, BEST, np.array([1, 3, 0, 2, 4]), k=2)
    assert shifted.ndcg == pytest.approx(found.ndcg)


def test_what_the_reference_ranks_behind_or_drops_gains_no_more_than_its_place():
    reference = np.array([1, 0, 3])  # a floor ranks 0 behind 1; candidates 2 and 4 are dropped
    exact = ranking_agreement(FUSED, reference, reference, k=2)
    assert exact.ndcg == pytest.approx(1.0)
    dropped = ranking_agreement(FUSED, reference, np.array([2, 1, 0, 3]), k=1)
    assert (dropped.ndcg, dropped.recall, dropped.regret) == (0.0, 0.0, 2.0)
    assert np.isnan(ranking_agreement(np.ones(5), BEST, BEST[::-1]).ndcg)
    infinite = np.array([np.inf, 1.0, 0.0, -np.inf])
    assert ranking_agreement(infinite, np.arange(4), np.arange(4)).ndcg == 1.0
    assert ranking_agreement(infinite, np.arange(4), np.arange(4)[::-1]).ndcg < 0.7


def test_a_ranking_that_dropped_candidates_gains_nothing_for_them():
    assert ranking_agreement(FUSED, BEST, BEST[:0]).ndcg == 0.0
    one = ranking_agreement(FUSED, BEST, BEST[:1], k=2)
    assert 0 < one.ndcg < 1
    assert one.recall == 0.5
