"""Lists that are too short to say how rankings in two stages agree."""

from datetime import UTC, datetime

import numpy as np
import pytest

from ranker.fusion import FusionOptions, StoredFusion, plan_for
from ranker.student import FusionAgreement, Student
from tests.ranker.conftest import schema_of
from training.distillation.agreement import ScoredList, measured, of_fusion


@pytest.fixture(scope="module")
def plan():
    return plan_for(schema_of(), StoredFusion(options=FusionOptions(name="additive")))


def lists_of(plan, *sizes):
    """A student that has learnt nothing."""
    random = np.random.default_rng(0)
    return [
        ScoredList(*random.random((2, size, len(plan.objectives))).astype(np.float32), features={}) for size in sizes
    ]


def student_of(plan, lists, keep, ndcg=None):
    found = of_fusion(lists, plan, keep)
    return Student(
        created=datetime.now(UTC), keep=keep, min_ndcg=0.0,
        fusions={"default": found if ndcg is None else FusionAgreement(fusion=found.fusion, ndcg=ndcg)},
        agreement=(measured("sampled", lists, plan, keep),), golden=(), config={},
    )  # fmt: skip


def test_lists_that_the_full_model_scores_whole_do_not_count(plan):
    long = of_fusion(lists_of(plan, 400), plan, 0.25).ndcg
    assert 0.1 < long < 0.95
    first_long = lists_of(plan, 400, 50, 30)
    assert of_fusion(first_long, plan, 0.25).ndcg == pytest.approx(long)
    curve = measured("sampled", first_long, plan, 0.25)
    assert curve.at(0.25).ndcg == pytest.approx(long)
    assert curve.at(1.0).ndcg == pytest.approx(1)
    assert of_fusion(lists_of(plan, 50, 30), plan, 0.25).ndcg is None
    assert measured("sampled", lists_of(plan, 50, 30), plan, 0.25).at(0.25).ndcg is None
    assert measured("logged", lists_of(plan, 50, 30), plan, 0.25).at(0.25).ndcg < 0.95


def test_a_share_far_above_the_one_to_keep_is_a_doubt(plan):
    assert student_of(plan, lists_of(plan, 400), 0.25).doubt("default") is None
    for size, share in ((40, "100%"), (50, "100%"), (60, "83%")):
        doubt = student_of(plan, lists_of(plan, size), 0.25).doubt("default")
        assert f"of the {size} candidates of a sampled list the full model scored {share}, where 25%" in doubt
    assert "scored 82%, where 60%" in student_of(plan, lists_of(plan, 61), 0.6).doubt("default")
    equal = [ScoredList(np.ones_like(one.full), one.student, {}) for one in lists_of(plan, 400)]
    assert "the scores are equal in every list" in student_of(plan, equal, 0.25).doubt("default")
    low = student_of(plan, lists_of(plan, 60), 0.25, ndcg=0.9).model_copy(update={"min_ndcg": 0.999})
    assert low.doubt("default") == "NDCG@10 with fusion 'default' is 0.90000, below 0.999"
