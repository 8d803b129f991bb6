"""Agreement of scores and of the rankings made of them."""

import numpy as np
import pytest

from ranker.fusion import Candidates, FusionOptions, Requests, StoredFusion, plan_for
from ranker.inference.agreement import agreement
from tests.ranker.conftest import schema_of


@pytest.fixture(scope="module")
def plan():
    return plan_for(schema_of(), StoredFusion(options=FusionOptions(name="additive")))


def exact_of(plan, requests=3, candidates=20):
    scores = np.random.default_rng(0).random((requests * candidates, len(plan.objectives)))
    return Candidates.of(plan.objectives, scores, Requests.of(np.repeat(np.arange(requests), candidates)))


def test_the_same_scores_agree(plan):
    exact = exact_of(plan)
    assert agreement(plan, exact, exact.scores) == (0.0, 1.0, 1.0, 3)
    equal = Candidates.of(plan.objectives, np.ones((4, len(plan.objectives))))
    assert agreement(plan, equal, equal.scores).ndcg == 1.0


def test_a_reversed_request_is_seen(plan):
    exact = exact_of(plan)
    other = exact.scores.copy()
    other[:20] = -other[:20]
    found = agreement(plan, exact, other)
    assert found.overlap == pytest.approx(2 / 3)  # none of one request's
    assert found.ndcg < 0.9
    assert found.difference > 1
    assert "the top 10 of 3 requests" in str(found)


def test_small_errors_cost_little(plan):
    exact = exact_of(plan)
    found = agreement(plan, exact, exact.scores + np.random.default_rng(1).normal(scale=1e-4, size=exact.scores.shape))
    assert 0 < found.difference < 1e-3
    assert 0.999 < found.ndcg <= 1
