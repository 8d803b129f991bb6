import math

import numpy as np
import pytest

from ranker.metrics.base import Sample
from ranker.metrics.graded_ndcg import measured_lists
from ranker.tasks import Relevance

TASK = Relevance(kind="relevance")
# List 1 ranks grades 1, 2, 0: gains 1, 3, 0. List 2 is in order. List 3 has no relevant row, and key 0 is no list.
KEYS = np.array([1, 1, 1, 2, 2, 3, 3, 0])
GRADES = np.array([2, 1, 0, 0, 4, 0, 0, 4])
SCORES = np.array([0.5, 0.9, 0.1, 0.0, 1.0, 0.3, 0.2, 0.0])
FIRST = (1 + 3 / math.log2(3)) / (3 + 1 / math.log2(3))


def measured(keys=KEYS):
    return measured_lists(Sample.checked(TASK, GRADES, SCORES, keys, no_group=0))


def test_the_mean_of_lists_with_a_relevant_row():
    found = measured()
    assert found.units == 2
    assert found.counts == {"graded_ndcg_lists": 2}
    assert found.statistic(np.ones(2)) == pytest.approx((FIRST + 1) / 2)
    assert found.statistic(np.array([3.0, 1.0])) == pytest.approx((3 * FIRST + 1) / 4)


def test_rows_without_any_list_define_nothing():
    found = measured(np.zeros(8, dtype=int))
    assert found.counts == {"graded_ndcg_lists": 0}
    assert np.isnan(found.statistic(np.ones(0)))


def test_it_needs_lists():
    with pytest.raises(ValueError, match="NDCG needs groups"):
        measured(None)
