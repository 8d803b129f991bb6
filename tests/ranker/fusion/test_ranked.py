"""Re-ranking as a part of a plan: tiers, several requests at once, overrides."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ranker.fusion import Candidates, FusionError, FusionOptions, Plan, Requests, StoredFusion, build_plan, explain
from ranker.fusion.reranking import PLACES

TASKS: Any = {"click": "binary", "like": "binary"}
COMPARED: Any = {"author": "category", "item_id": "category", "tags": "tags"}
STEPS = {
    "diverse": {"kind": "mmr", "of": "author", "lambda": 0.5, "first": 6},
    "authors": {"kind": "spread", "of": "author", "window": 3},
    "new": {"kind": "quota", "where": "is_new == 1 and like > 0.1", "at_least": 2, "of_first": 4},
}


def plan(rerank: Any = None, **config: Any) -> Plan:
    options = FusionOptions.model_validate({"rerank": STEPS if rerank is None else rerank, **config})
    return build_plan(options, TASKS, ("is_new", "author"), compared=COMPARED, candidate_id="item_id")


def candidates(count: int, seed: int = 0, requests: Any = None, behind: Any = None) -> Candidates:
    random = np.random.default_rng(seed)
    features = {
        "author": random.choice(np.array(["ann", "bob", "cleo", "dan"], dtype=object), count),
        "is_new": random.integers(0, 2, count).astype(float),
        "item_id": np.arange(count),
        "tags": random.choice(np.array(["x", "y", None], dtype=object), (count, 2)),
    }
    grouped = None if requests is None else Requests.of(requests)
    return Candidates.of(("click", "like"), random.random((count, 2)).round(2), grouped, features, behind)


def part(whole: Candidates, rows: Any) -> Candidates:
    features = {name: values[rows] for name, values in whole.features.items()}
    return Candidates.of(("click", "like"), whole.scores[rows], None, features)


def test_requests_of_one_call_are_each_ranked_as_alone() -> None:
    keys = np.random.default_rng(1).integers(0, 7, 120)
    whole, made = candidates(120, requests=keys), plan()
    ranked = made.rank(whole)
    keys_of = ranked.sort_keys()
    for key in range(7):
        rows = np.flatnonzero(keys == key)
        alone = made.rank(part(whole, rows)).order()
        assert ranked.taken(rows).order().tolist() == alone.tolist()
        assert np.argsort(-keys_of[rows], kind="stable").tolist() == alone.tolist()
        assert ranked.taken(rows).order(3).tolist() == alone[:3].tolist()
    assert not np.array_equal(keys_of.argsort(), made.without_reranking.rank(whole).sort_keys().argsort())


def test_re_ranking_permutes_the_sort_keys_of_a_request_so_that_they_compare_across_requests() -> None:
    keys = np.random.default_rng(1).integers(0, 7, 120)
    whole, made = candidates(120, requests=keys), plan()
    before, after = (one.rank(whole).sort_keys() for one in (made.without_reranking, made))
    assert not np.array_equal(before, np.floor(after))
    for key in range(7):
        assert sorted(before[keys == key]) == sorted(np.floor(after[keys == key]))


def test_the_tail_keeps_its_ties_in_sort_keys() -> None:
    tied = Candidates.of(("click", "like"), [[0.9, 0]] * 2 + [[0.5, 0]] * 3, None, {"author": np.array(list("aabcd"))})
    keys = plan({"one": {"kind": "spread", "of": "author", "window": 2, "first": 2}}).rank(tied).sort_keys()
    assert np.argsort(-keys, kind="stable").tolist() == [0, 2, 1, 3, 4]
    assert keys[3] == keys[4] < keys[1]


@pytest.mark.parametrize("below", ["last", "drop"])
def test_no_step_lifts_a_candidate_over_a_floor(below: str) -> None:
    rules = {"quality": {"kind": "floor", "least": {"click": 0.5}, "below": below}}
    pins = {"kind": "fixed", "candidates": {"0": 1, "1": 2}}
    for seed in range(20):
        some = candidates(12, seed)
        ranked = plan({**STEPS, "pins": pins}, rules=rules).rank(some)
        order = ranked.order().tolist()
        low = some.scores[:, 0] < 0.5
        kept = [i for i in order if not low[i]]
        assert order[: len(kept)] == kept
        assert sorted(order) == (list(range(12)) if below == "last" else sorted(kept))
        fused = ranked.fused[order[len(kept) :]]
        assert (np.diff(fused) <= 0).all()  # the others by their fused scores, as if there were no steps


def test_if_all_are_below_a_floor_these_are_re_ranked() -> None:
    rules = {"quality": {"kind": "floor", "least": {"click": 2}}}
    some = candidates(12)
    assert plan(rules=rules).rank(some).order().tolist() == plan().rank(some).order().tolist()


def test_candidates_of_a_student_stay_behind() -> None:
    behind = np.arange(12) % 3 == 0
    some = candidates(12, behind=behind)
    order = plan().rank(some).order()
    assert not behind[order[:8]].any()
    full = np.flatnonzero(~behind)
    assert order[:8].tolist() == full[plan().rank(part(some, full)).order()].tolist()


def test_explanations_rank_with_and_without_an_objective_as_served() -> None:
    some, made = candidates(15), plan()
    told = explain(made, some)
    ranked = made.rank(some)
    assert np.argsort(told.rank).tolist() == ranked.order().tolist()
    reranking = made.explained_reranking(some, ranked)
    assert reranking is not None
    moves, cost = reranking
    before = np.argsort(made.without_reranking.rank(some).order())
    np.testing.assert_array_equal(before - sum(moves.values()), told.rank - 1)
    assert list(moves) == list(STEPS)
    first = ranked.order(PLACES)
    assert cost.fused_after == pytest.approx(ranked.fused[first].mean())
    assert cost.fused_before == pytest.approx(np.sort(ranked.fused)[::-1][:PLACES].mean())
    author = some.features["author"][first]
    pairs = [author[i] != author[j] for i in range(PLACES) for j in range(i)]
    assert cost.distance_after == {"author": pytest.approx(np.mean(pairs))}
    assert plan({}).explained_reranking(some, ranked) is None


def test_a_request_switches_steps_and_changes_their_parameters() -> None:
    made, some = plan(), candidates(15)
    off = plan({}).rank(some).order().tolist()
    assert made.with_rerank(False).rank(some).order().tolist() == off
    assert made.with_rerank(dict.fromkeys(STEPS, False)).rank(some).order().tolist() == off
    assert made.with_rerank(True) is made
    one = made.with_rerank({"diverse": {"lambda": 1.0}, "authors": False, "new": True})
    assert one.options.rerank["diverse"].numbers["lambda"] == 1.0
    assert list(one.options.rerank) == ["diverse", "new"]
    assert made.options.rerank["diverse"].numbers["lambda"] == 0.5
    assert made.with_formula("multiplicative", {}).options.rerank == made.options.rerank
    kept = build_plan(made.stored().options, TASKS, ("is_new", "author"), compared=COMPARED, candidate_id="item_id")
    assert kept.rank(some).order().tolist() == made.rank(some).order().tolist()
    assert StoredFusion.model_validate_json(made.stored().model_dump_json()) == made.stored()


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"divers": False}, r"^the fusion has no re-ranking step 'divers'; did you mean 'diverse'\?"),
        ({"diverse": {"lambda": 2}}, r"^diverse: lambda must be a number in \[0, 1\], got 2"),
        ({"authors": {"window": 1}}, r"^authors: window must be a whole number in \[2, 100\], got 1"),
        ({"new": {"at_least": 5}}, r"^new: at_least must be at most of_first, got 5 of the first 4"),
        ({"diverse": 3}, r"^diverse: must be true, false, or an object of parameters, got 3"),
        (3, "^must be true, false, or an object by step"),
    ],
)
def test_wrong_overrides_are_named(given: Any, text: str) -> None:
    with pytest.raises(FusionError, match=text):
        plan().with_rerank(given)


@pytest.mark.parametrize(
    ("step", "text"),
    [
        ({"kind": "mmr", "of": "autor"}, r"^rerank\.it\.of: 'autor' is not a categorical, numeric, multi or dense"),
        ({"kind": "spread", "of": "tags"}, r"^rerank\.it\.of: 'tags' is not a candidate feature of one value"),
        ({"kind": "quota", "where": "is_nw == 1", "at_least": 1}, r"^rerank\.it\.where: 'is_nw' .*mean 'is_new'"),
    ],
)
def test_wrong_configs_name_the_path(step: Any, text: str) -> None:
    with pytest.raises(FusionError, match=text):
        plan({"it": step})


def test_named_candidates_need_an_id() -> None:
    options = FusionOptions.model_validate({"rerank": {"pins": {"kind": "fixed", "candidates": {"7": 1}}}})
    with pytest.raises(FusionError, match=r"^rerank\.pins: where is required, as the schema has no candidate_id"):
        build_plan(options, TASKS)


def test_nan_fused_scores_are_an_error_as_without_steps() -> None:
    made, some = plan(), candidates(3)
    ranked = replace(made.without_reranking.rank(some), fused=np.array([1.0, np.nan, 0.0]))
    with pytest.raises(FusionError, match="not a number for candidate 1"):
        made.reranked(some, ranked)


def test_a_request_whose_candidates_are_all_dropped_costs_nothing() -> None:
    rules = {"quality": {"kind": "floor", "least": {"click": 2}, "below": "drop"}}
    steps = {**STEPS, "tags": {"kind": "dpp", "of": ["tags", "author"]}, "pins": {"kind": "fixed"}}
    some, made = candidates(4), plan(steps, rules=rules)
    ranked = made.rank(some)
    assert ranked.order().tolist() == []
    reranking = made.explained_reranking(some, ranked)
    assert reranking is not None
    moves, cost = reranking
    assert [moved.tolist() for moved in moves.values()] == [[0] * 4] * len(steps)
    assert cost.facts()["fused"] == {"before": 0.0, "after": 0.0, "lost": 0.0}
    assert set(cost.distance_after.values()) == {0.0}
    assert cost.gave_way == {}
