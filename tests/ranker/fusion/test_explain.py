from typing import Any

import numpy as np
import pytest

from ranker.fusion import (
    FUSIONS,
    Candidates,
    FusionError,
    FusionOptions,
    FusionState,
    Plan,
    Requests,
    build_plan,
    explain,
)

TASKS: Any = {"click": "binary", "like": "binary", "hide": "binary"}
OBJECTIVES = tuple(TASKS)
SCORES = np.random.default_rng(0).random((41, 3))
SUMS = ["additive", "percentile", "powered_sum", "rank_bucket", "rank_power", "reciprocal_rank"]
PRODUCTS = ["multiplicative", "powered_product"]


def plan(**config: Any) -> Plan:
    made = build_plan(FusionOptions.model_validate(config), TASKS, ("age",))
    return made.fit(SCORES, SCORES.round(), np.ones(SCORES.shape, dtype=bool))


def test_additive_by_hand() -> None:
    made = plan(parameters={"share": {"like": 2.0, "hide": -1.0}})
    told = explain(made, Candidates.of(OBJECTIVES, [[0.5, 0.1, 0.2], [0.2, 0.4, 0.0], [0.1, 0.3, 0.9]]))
    # middles: click 0.2, like 0.3, hide 0.2
    np.testing.assert_allclose(told.contributions, [[0.3, -0.4, 0.0], [0.0, 0.2, 0.2], [-0.1, 0.0, -0.7]], atol=1e-12)
    np.testing.assert_allclose(told.baseline, [0.6] * 3, rtol=1e-12)
    # fused 0.5, 1.0, -0.2; without click 0.2, 1.0, -0.1; without like 0.9, 0.8, -0.2; without hide 0.5, 0.8, 0.5
    assert told.rank.tolist() == [2, 1, 3]
    assert told.rank_without.T.tolist() == [[2, 1, 3], [1, 2, 3], [2, 1, 3]]


@pytest.mark.parametrize(("name", "normalisation"), [*((name, "none") for name in SUMS), ("additive", "z_score")])
def test_contributions_of_sums_add_up(name: str, normalisation: str) -> None:
    made, candidates = plan(name=name, normalisation=normalisation), Candidates.of(OBJECTIVES, SCORES)
    told = explain(made, candidates)
    np.testing.assert_allclose(told.baseline + told.contributions.sum(axis=1), made.rank(candidates).fused, rtol=1e-10)
    assert np.ptp(told.baseline) == 0


@pytest.mark.parametrize("name", PRODUCTS)
def test_ratios_of_products_multiply_up(name: str) -> None:
    made, candidates = plan(name=name), Candidates.of(OBJECTIVES, SCORES)
    told, fused = explain(made, candidates), made.rank(candidates).fused
    ratios = fused[:, None] / (fused[:, None] - told.contributions)
    np.testing.assert_allclose(told.baseline * ratios.prod(axis=1), fused, rtol=1e-10)


def test_every_formula_is_listed_for_a_test() -> None:
    assert {*SUMS, *PRODUCTS, "expression", "learned"} == set(FUSIONS)


@pytest.mark.parametrize("name", SUMS + PRODUCTS)
def test_contributions_are_0_at_the_median_and_grow_with_the_score(name: str) -> None:
    told = explain(plan(name=name), Candidates.of(OBJECTIVES, SCORES))
    for i in range(3):
        order = np.argsort(SCORES[:, i])
        assert told.contributions[order[len(order) // 2], i] == 0
        assert (told.contributions[order[: len(order) // 2], i] <= 0).all()
        assert (told.contributions[order[len(order) // 2 :], i] >= 0).all()


def test_an_objective_without_weight_changes_nothing() -> None:
    made = plan(parameters={"share": {"like": 0.0}})
    told = explain(made, Candidates.of(OBJECTIVES, SCORES))
    assert (told.contributions[:, 1] == 0).all()
    np.testing.assert_array_equal(told.rank_without[:, 1], told.rank)


def test_rules_also_apply_without_an_objective() -> None:
    rules = {"seen": {"kind": "floor", "least": {"click": 0.5}, "below": "drop"}}
    told = explain(plan(rules=rules), Candidates.of(OBJECTIVES, SCORES))
    dropped = SCORES[:, 0] < 0.5
    np.testing.assert_array_equal(told.rank == 0, dropped)
    np.testing.assert_array_equal(told.rank_without == 0, np.stack([dropped] * 3, axis=1))
    kept = np.arange(1, (~dropped).sum() + 1)
    for ranks in (told.rank, *told.rank_without.T):
        np.testing.assert_array_equal(np.sort(ranks[~dropped]), kept)


def learned(trees: list[Any], score: list[float]) -> Plan:
    """A learned fusion of click, like and hide, with these trees and weights of the scores."""
    linear = {"bias": 0.5, "score": score, "log": [0.0] * 3}
    config = FusionOptions.model_validate({"name": "learned", "options": {"label": "click"}})
    return build_plan(config, TASKS, (), FusionState(formula={"linear": linear, "trees": trees}))


def tree(first: int, second: int, values: list[float]) -> dict[str, Any]:
    """Values where a score is at most 0.5; else where another is; else."""
    links = {"left": [-1, -2], "right": [1, -3], "missing_left": [True, True]}
    return {"feature": [first, second], "threshold": [0.5, 0.5], "value": values, **links}


# The middle is 0.2 on every objective.
LIKED = [[0.8, 0.8, 0.2], [0.8, 0.1, 0.2], [0.1, 0.2, 0.2], [0.2, 0.1, 0.2], [0.2, 0.8, 0.2]]


def test_objectives_of_a_learned_fusion_share_joint_gains_of_trees() -> None:
    made = learned([tree(0, 1, [0.0, 0.0, 3.0])], [0.0, 0.0, 1.0])  # 3 where both click and like are above 0.5
    told = explain(made, Candidates.of(OBJECTIVES, LIKED))
    np.testing.assert_allclose(told.contributions, [[1.5, 1.5, 0.0], *[[0.0] * 3] * 4], atol=1e-12)
    np.testing.assert_allclose(told.baseline, [0.5 + 0.2] * 5)


def test_an_objective_with_a_negative_weight_gets_its_share_of_joint_gains() -> None:
    # 10 where click or like is above 0.5, less the like's score. Left out alone, click would give 0 and like -0.6.
    made = learned([tree(0, 1, [0.0, 10.0, 10.0]), tree(1, 0, [0.0, 10.0, 0.0])], [0.0, -1.0, 0.0])
    told = explain(made, Candidates.of(OBJECTIVES, LIKED))
    np.testing.assert_allclose(told.contributions[0], [5.0, 5.0 - 0.6, 0.0], atol=1e-12)


def test_contributions_of_linear_weights_are_exact() -> None:
    made = learned([], [4.0, -2.0, 0.0])
    told = explain(made, Candidates.of(OBJECTIVES, LIKED))
    expected = (np.array(LIKED) - 0.2) * [4.0, -2.0, 0.0]
    np.testing.assert_allclose(told.contributions, expected, atol=1e-12)


def test_learned_contributions_add_up_to_the_score() -> None:
    trees = [tree(first, second, [0.3, -1.0, 2.0]) for first in range(3) for second in range(3) if first != second]
    made, candidates = learned(trees, [1.0, -2.0, 0.3]), Candidates.of(OBJECTIVES, SCORES)
    told = explain(made, candidates)
    np.testing.assert_allclose(told.baseline + told.contributions.sum(axis=1), made.rank(candidates).fused, atol=1e-12)


@pytest.mark.parametrize("made", [plan(name="multiplicative"), learned([tree(0, 2, [1.0, 2.0, 5.0])], [1.0, 2.0, 3.0])])
def test_explaining_some_candidates_gives_the_same_values(made: Plan) -> None:
    candidates, shown = Candidates.of(OBJECTIVES, SCORES), np.array([7, 0, 40])
    some, every = explain(made, candidates, shown), explain(made, candidates)
    for name in ("baseline", "contributions", "rank", "rank_without"):
        np.testing.assert_allclose(getattr(some, name), getattr(every, name)[shown], rtol=1e-12)


def test_features_are_part_of_the_baseline() -> None:
    made = plan(name="expression", options={"formula": "click + age"})
    told = explain(made, Candidates.of(OBJECTIVES, SCORES, features={"age": np.arange(41.0)}))
    np.testing.assert_allclose(told.baseline, np.arange(41.0) + np.median(SCORES[:, 0]))
    assert (told.contributions[:, 1:] == 0).all()


def test_several_requests_are_rejected() -> None:
    with pytest.raises(FusionError, match="explanations need a single request, got 2"):
        explain(plan(), Candidates.of(OBJECTIVES, SCORES[:2], Requests.of([0, 1])))


def test_a_request_of_one_or_no_candidate() -> None:
    assert explain(plan(), Candidates.of(OBJECTIVES, SCORES[:1])).contributions.tolist() == [[0.0, 0.0, 0.0]]
    assert explain(plan(), Candidates.of(OBJECTIVES, SCORES[:0])).rank_without.shape == (0, 3)
