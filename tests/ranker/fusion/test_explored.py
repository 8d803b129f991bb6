"""Exploration as the last step of a plan: tiers, re-ranking, seeds, overrides."""

from typing import Any

import numpy as np
import pytest

from ranker.artifact import fusion_digest
from ranker.fusion import Candidates, FusionError, FusionOptions, Plan, Requests, StoredFusion, build_plan, explain
from ranker.fusion.exploration import PlackettLuce, Swap, propensities

TASKS: Any = {"click": "binary", "like": "binary"}
COMPARED: Any = {"author": "category"}
SHUFFLE = {"kind": "epsilon", "epsilon": 1.0, "first": 12, "max_move": 12}
DIVERSE = {"diverse": {"kind": "mmr", "of": "author", "lambda": 0.2, "first": 6}}
SEEDS = [f"request-{number}" for number in range(40)]


def plan(explore: Any = None, **config: Any) -> Plan:
    options = FusionOptions.model_validate({"explore": SHUFFLE if explore is None else explore, **config})
    return build_plan(options, TASKS, ("author",), compared=COMPARED)


def candidates(count: int, seed: int = 0, requests: Any = None, behind: Any = None) -> Candidates:
    random = np.random.default_rng(seed)
    features = {"author": random.choice(np.array(["ann", "bob", "cleo"], dtype=object), count)}
    grouped = None if requests is None else Requests.of(requests)
    return Candidates.of(("click", "like"), random.random((count, 2)), grouped, features, behind)


def test_nothing_is_drawn_without_a_seed_or_without_exploration() -> None:
    some, made = candidates(12), plan()
    greedy = made.rank(some)
    assert greedy.order().tolist() == np.argsort(-greedy.fused).tolist()
    assert (greedy.base_place, greedy.propensity) == (None, None)
    off = made.with_explore(False)
    assert off.options.explore is None
    ranked = off.rank(some, "a")
    assert ranked.order().tolist() == greedy.order().tolist()
    assert (ranked.base_place, ranked.propensity) == (None, None)


def test_a_seed_gives_one_order_and_seeds_give_many() -> None:
    some, made = candidates(12), plan()
    orders = {seed: made.rank(some, seed).order().tolist() for seed in SEEDS}
    assert all(made.rank(some, seed).order().tolist() == order for seed, order in orders.items())
    assert len({tuple(order) for order in orders.values()}) == len(SEEDS)
    assert made.rank(some, SEEDS[0]).order(3).tolist() == orders[SEEDS[0]][:3]


@pytest.mark.parametrize("rerank", [{}, DIVERSE])
def test_places_and_propensities_are_those_of_what_was_drawn(rerank: Any) -> None:
    some = candidates(20)
    made = plan({"kind": "plackett_luce", "temperature": 0.2, "first": 5, "max_move": 3}, rerank=rerank)
    before = made.rank(some).order()
    for seed in SEEDS:
        ranked = made.rank(some, seed)
        order = ranked.order()
        assert ranked.base_place is not None
        assert ranked.propensity is not None
        np.testing.assert_array_equal(before[ranked.base_place[order] - 1], order)
        assert np.abs(ranked.base_place[order] - np.arange(1, 21)).max() <= 3
        assert made.options.explore is not None
        expected = propensities(made.options.explore, ranked.fused, ranked.base_place[order] - 1)
        np.testing.assert_allclose(ranked.propensity[order], expected)
        assert (ranked.propensity[order[5:]] == 1).all()
        assert sorted(ranked.sort_keys().argsort()[::-1].tolist()) == list(range(20))
        assert np.argsort(-ranked.sort_keys(), kind="stable").tolist() == order.tolist()


def test_a_low_temperature_keeps_the_re_ranked_order() -> None:
    some, made = candidates(20), plan({"kind": "plackett_luce", "temperature": 0.001}, rerank=DIVERSE)
    greedy = made.rank(some).order().tolist()
    assert greedy != plan().rank(some).order().tolist()
    kept = [made.rank(some, seed).order().tolist() == greedy for seed in SEEDS]
    assert np.mean(kept) > 0.8


@pytest.mark.parametrize("below", ["last", "drop"])
def test_no_candidate_rises_above_a_floor(below: str) -> None:
    rules = {"quality": {"kind": "floor", "least": {"click": 0.5}, "below": below}}
    some, made = candidates(12), plan(rules=rules)
    low = some.scores[:, 0] < 0.5
    kept = int((~low).sum())
    assert 2 < kept < 12
    for seed in SEEDS:
        ranked = made.rank(some, seed)
        order = ranked.order()
        assert not low[order[:kept]].any()
        assert len(order) == (12 if below == "last" else kept)
        assert (np.diff(ranked.fused[order[kept:]]) <= 0).all()
        assert ranked.propensity is not None
        assert ranked.base_place is not None
        assert (ranked.propensity[low] == (1.0 if below == "last" else 0.0)).all()
        assert ((ranked.base_place[low] > kept) if below == "last" else (ranked.base_place[low] == 0)).all()


def test_candidates_of_a_student_stay_behind() -> None:
    behind = np.arange(12) % 3 == 0
    some, made = candidates(12, behind=behind), plan()
    for seed in SEEDS:
        assert not behind[made.rank(some, seed).order()[:8]].any()


def test_the_odd_cases() -> None:
    made = plan()
    for count in (0, 1):
        ranked = made.rank(candidates(count), "a")
        assert ranked.order().tolist() == list(range(count))
        assert ranked.propensity is not None
        assert ranked.propensity.tolist() == [1.0] * count
    all_dropped = plan(rules={"quality": {"kind": "floor", "least": {"click": 2}, "below": "drop"}})
    ranked = all_dropped.rank(candidates(3), "a")
    assert ranked.order().tolist() == []
    with pytest.raises(FusionError, match="a seed draws the order of a single request, got 2"):
        made.rank(candidates(4, requests=[0, 0, 1, 1]), "a")
    taken = made.rank(candidates(6), "a").taken(np.array([4, 2]))
    assert taken.propensity is not None
    assert len(taken.propensity) == 2


def test_explanations_are_those_before_exploration() -> None:
    some, made = candidates(15), plan(rerank=DIVERSE)
    ranked = made.rank(some, "a")
    assert ranked.base_place is not None
    np.testing.assert_array_equal(explain(made, some).rank, ranked.base_place)
    reranking, greedy = made.explained_reranking(some, ranked), made.explained_reranking(some, made.rank(some))
    assert reranking is not None
    assert greedy is not None
    moves, cost = reranking
    by_score = np.argsort(np.argsort(-ranked.fused)) + 1
    np.testing.assert_array_equal(by_score - moves["diverse"], ranked.base_place)
    assert cost == greedy[1]


def test_a_request_switches_it_off_or_changes_its_parameters() -> None:
    made = plan({"kind": "plackett_luce", "relevance": "rank"})
    assert made.with_explore(True).options == made.options
    changed = made.with_explore({"temperature": 2, "first": 3}).options.explore
    assert changed == PlackettLuce(kind="plackett_luce", temperature=2.0, first=3, relevance="rank")
    assert made.with_formula("multiplicative", {}).options.explore == made.options.explore


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"temperture": 1}, r"^plackett_luce has no parameter 'temperture'; did you mean 'temperature'\?"),
        ({"temperature": 0}, r"^temperature must be a number in \[0.001, 100\], got 0"),
        ({"first": 2.5}, r"^first must be a whole number in \[1, 100\], got 2.5"),
        ({"kind": "swap"}, r"^plackett_luce has no parameter 'kind'"),
        ("yes", "^must be true, false, or an object of parameters, got 'yes'"),
    ],
)
def test_wrong_overrides_are_refused(given: Any, text: str) -> None:
    with pytest.raises(FusionError, match=text):
        plan({"kind": "plackett_luce"}).with_explore(given)


@pytest.mark.parametrize("given", [True, {"temperature": 1.0}])
def test_a_fusion_that_does_not_explore_cannot_be_asked_to(given: Any) -> None:
    still = build_plan(FusionOptions(), TASKS)
    assert still.with_explore(False) == still
    with pytest.raises(FusionError, match="the fusion does not explore; only its config can add it"):
        still.with_explore(given)


def test_it_is_stored_and_older_artifacts_load() -> None:
    made, still = plan({"kind": "swap"}), build_plan(FusionOptions(), TASKS)
    stored = StoredFusion.model_validate_json(made.stored().model_dump_json())
    assert stored == made.stored()
    assert stored.options.explore == Swap(kind="swap", probability=0.1, first=10, max_move=1)
    assert fusion_digest(made) == fusion_digest(made.with_explore(False)) == fusion_digest(still)
    old = made.stored().model_dump(mode="json", exclude={"options": {"explore"}})
    assert StoredFusion.model_validate(old).options.explore is None


def test_a_config_names_the_wrong_kind_or_bound() -> None:
    with pytest.raises(ValueError, match=r"plackett_luce.*epsilon|epsilon.*plackett_luce"):
        FusionOptions.model_validate({"explore": {"kind": "thompson"}})
    with pytest.raises(ValueError, match=r"max_move must be a whole number in \[1, 100\], got 0"):
        FusionOptions.model_validate({"explore": {"kind": "swap", "max_move": 0}})
