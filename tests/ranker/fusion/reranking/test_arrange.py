"""Constraints against brute force: every list of a few candidates is looked at."""

from itertools import combinations, permutations

import numpy as np
import pytest

from ranker.fusion.reranking import Request, Step, rerank
from ranker.fusion.reranking.arrange import STEPS, arrange
from ranker.fusion.reranking.base import Constraint
from tests.ranker.fusion.reranking.requests import named, order, request, step


def holds(asked: Request, one: Step, listed: tuple[int, ...]) -> bool:
    """Whether a list meets a constraint, from its definition alone."""
    features = asked.candidates.features
    if one.kind == "spread":
        values = [features[one.of][i] for i in listed[: one.first]]
        for start in range(len(values)):
            window = [v for v in values[start : start + one.window] if v is not None]
            if any(window.count(value) > one.at_most for value in window):
                return False
        return True
    if one.kind == "quota":
        got = sum(features["is_new"][i] == 1 for i in listed[: one.of_first])
        return (one.at_least or 0) <= got <= (len(listed) if one.at_most is None else one.at_most)
    if one.candidates:
        return all(
            int(name) < len(listed) and slot <= len(listed) and listed[slot - 1] == int(name)
            for name, slot in one.candidates.items()
        )
    matching = np.flatnonzero(features["is_new"] == 1).tolist()
    slots = sorted(one.slots)
    if len(matching) < len(slots) or slots[-1] > len(listed):
        return False
    return all(listed[slot - 1] == candidate for slot, candidate in zip(slots, matching, strict=False))


def drawn(random: np.random.Generator, count: int) -> tuple[Request, list[Step]]:
    authors = [
        [None, "ann", "bob", "cleo"][i] for i in random.integers(random.integers(0, 2), random.integers(2, 5), count)
    ]
    asked = request(-np.arange(count), author=authors, is_new=random.integers(0, 2, count))
    steps = []
    for _ in range(random.integers(1, 4)):
        kind = ["spread", "spread", "quota", "quota", "fixed", "named"][random.integers(6)]
        if kind == "spread":
            steps.append(
                step(
                    "spread",
                    of="author",
                    at_most=int(random.integers(1, 3)),
                    window=int(random.integers(2, 5)),
                    first=int(random.integers(1, count + 2)),
                )
            )
        elif kind == "quota":
            first = int(random.integers(1, count + 1))
            bound = ["at_least", "at_most"][random.integers(2)]
            steps.append(
                step("quota", where="is_new == 1", of_first=first, **{bound: int(random.integers(0, first + 1))})
            )
        elif kind == "fixed":
            slots = random.permutation(count)[: random.integers(1, 3)] + 1
            steps.append(step("fixed", where="is_new == 1", slots=slots.tolist()))
        else:
            slots = random.permutation(count)[:2] + 1
            pinned = random.permutation(count)[: random.integers(1, 3)]
            steps.append(step("fixed", candidates={str(i): int(s) for i, s in zip(pinned, slots, strict=False)}))
    return asked, steps


@pytest.mark.parametrize("seed", range(6))
def test_constraints_are_broken_only_if_no_list_meets_them(seed: int) -> None:
    random = np.random.default_rng(seed)
    met = broken = 0
    for _ in range(25):
        asked, steps = drawn(random, int(random.integers(1, 7)))
        names = named(*steps)
        found = rerank(names, asked)
        listed = tuple(found.order.tolist())
        assert sorted(listed) == list(range(len(asked)))
        possible = [list(permutations(range(len(asked))))]
        for one in steps:
            possible.append([each for each in possible[-1] if holds(asked, one, each)])
        # What can be met together with the steps before is met: a later step never costs an earlier one.
        prefix = sum(1 for lists in possible[1:] if lists)
        for name, one in list(names.items())[:prefix]:
            assert holds(asked, one, listed), (names, found)
            assert name not in found.gave_way
        # And the answer says of each constraint whether it holds.
        for name, one in names.items():
            assert (name in found.gave_way) != holds(asked, one, listed), (name, one, found)
        if prefix == len(steps):
            places = max(_horizon(one, len(asked)) for one in steps)
            assert listed[:places] == min(possible[-1])[:places], "the best-first list"
            met += 1
        else:
            broken += 1
    assert met
    assert broken


def _horizon(one: Step, count: int) -> int:
    slots = [*one.slots, *one.candidates.values()] if one.kind == "fixed" else []
    return min(count, max(slots) if slots else one.first if one.kind == "spread" else one.of_first)


def test_a_spread_looks_ahead_so_that_the_rest_can_be_spread_too() -> None:
    asked = request(range(6, 0, -1), author=["ann", "bob", "cleo", "ann", "ann", "ann"])
    listed = [
        asked.candidates.features["author"][i] for i in order(asked, step("spread", of="author", window=2, first=5))
    ]
    assert listed[:5] == ["ann", "bob", "ann", "cleo", "ann"]


def test_the_later_of_two_constraints_gives_way() -> None:
    asked = request([4, 3, 2, 1], author=["ann", "bob", "new", "new"], is_new=[0, 0, 1, 1])
    spread, quota = step("spread", of="author", window=2), step("quota", where="is_new == 1", at_least=2, of_first=2)
    first = rerank(named(spread, quota), asked)
    assert first.order[:2].tolist() != [2, 3]
    assert first.gave_way == {"b": "1 of the first 2 match is_new == 1, fewer than 2: it yields to the steps before it"}
    other = rerank(named(quota, spread), asked)
    assert other.order.tolist() == [2, 3, 0, 1]
    assert list(other.gave_way) == ["b"]
    assert "at 2: it yields to the steps before it" in other.gave_way["b"]


def test_what_the_candidates_do_not_allow_is_met_as_far_as_they_do() -> None:
    asked = request([5, 4, 3, 2, 1], author=["ann"] * 4 + ["bob"], is_new=[0, 0, 0, 0, 1])
    quota = rerank(named(step("quota", where="is_new == 1", at_least=3, of_first=4)), asked)
    assert quota.order.tolist() == [0, 1, 2, 4, 3]
    assert quota.gave_way == {"a": "1 of the first 4 match is_new == 1, fewer than 3: the candidates do not allow it"}
    spread = rerank(named(step("spread", of="author", window=2)), asked)
    assert spread.order.tolist() == [0, 4, 1, 2, 3]
    assert spread.gave_way == {
        "a": "more than 1 of a value of author within 2 places at 4, 5: the candidates do not allow it"
    }


def test_moves_add_up_over_steps_and_are_those_of_each_step_alone() -> None:
    random = np.random.default_rng(0)
    for _ in range(10):
        asked, steps = drawn(random, 6)
        steps.insert(0, step("mmr", of="author", first=4))
        names = named(*steps)
        found, plain = rerank(names, asked, explained=True), rerank(names, asked)
        assert found.order.tolist() == plain.order.tolist()
        assert dict(found.gave_way) == dict(plain.gave_way)
        places = np.argsort(found.order)
        np.testing.assert_array_equal(sum(found.moves.values()), np.arange(6) - places)
        alone = np.argsort(rerank({"a": steps[0]}, asked).order)
        np.testing.assert_array_equal(found.moves["a"], np.arange(6) - alone)


@pytest.mark.parametrize("count", [0, 1])
def test_no_candidates_and_one_are_lists_too(count: int) -> None:
    for subset in combinations(range(4), 2):
        every = [
            step("spread", of="author"),
            step("quota", where="is_new == 1", at_least=1, of_first=1),
            step("fixed", where="is_new == 1", slots=[3]),
            step("fixed", candidates={"7": 1}),
        ]
        found = rerank(
            named(*(every[i] for i in subset)), request([1.0] * count, author=["a"] * count, is_new=[0] * count)
        )
        assert found.order.tolist() == list(range(count))


def test_a_search_that_is_given_up_still_gives_a_list_soon_and_says_what_is_broken(monkeypatch) -> None:
    random = np.random.default_rng(0)
    authors = random.choice(["ann", "bob", "cleo", "dan"], 60).tolist()
    asked = request(range(60, 0, -1), author=authors, is_new=random.random(60) < 0.3)
    names = named(
        step("spread", of="author", window=4),
        step("quota", where="is_new == 1", at_least=8, of_first=10),
        step("fixed", candidates={"59": 1, "58": 2, "57": 3}),
    )
    for steps in (1, 100, 1000):
        monkeypatch.setattr("ranker.fusion.reranking.arrange.STEPS", steps)
        found = rerank(names, asked)
        assert sorted(found.order.tolist()) == list(range(60))
        for name, one in names.items():
            assert (name in found.gave_way) != holds(asked, one, tuple(found.order.tolist()))


def large(seed: int, *, authors: int) -> Request:
    random = np.random.default_rng(seed)
    return request(
        range(1000, 0, -1),
        author=random.integers(0, authors, 1000),
        genre=random.integers(0, 12, 1000),
        price=random.permutation(1000),
        is_new=random.random(1000) < 0.3,
    )


def test_a_list_of_as_many_places_as_are_allowed_is_found_if_there_is_one() -> None:
    asked = large(0, authors=60)
    found = rerank(named(step("spread", of="author", window=60, first=100, consider=1000)), asked)
    assert not found.gave_way
    authors = asked.candidates.features["author"][found.order[:100]]
    assert authors[:60].tolist() == authors[60:].tolist() + authors[40:60].tolist()
    assert len(set(authors[:60])) == 60


def test_candidates_far_down_are_found_although_all_before_them_differ_in_something() -> None:
    authors = ["ann"] * 900 + [f"other {i}" for i in range(100)]
    asked = request(range(1000, 0, -1), author=authors, price=range(1000))
    spread = {"first": 80, "consider": 1000}
    found = rerank(named(step("spread", of="author", window=80, **spread), step("spread", of="price", **spread)), asked)
    assert not found.gave_way
    assert found.order[:80].tolist() == [0, *range(900, 979)]


@pytest.mark.parametrize("seed", range(4))
def test_the_work_of_a_search_is_bounded_however_the_constraints_exclude_each_other(seed: int) -> None:
    wide = {"first": 100, "consider": 1000}
    steps = [
        step("spread", of="author", window=60, **wide),
        step("spread", of="genre", window=12, **wide),
        step("spread", of="price", window=100, **wide),
        step("spread", of="author", at_most=50, window=100, **wide),
        step("quota", where="is_new == 1", at_least=90, of_first=100, consider=1000),
        step("quota", where="genre == 3", at_least=40, of_first=50, consider=1000),
        step("fixed", where="price > 900", slots=list(range(1, 101, 3))),
        step("fixed", candidates={str(i): i % 100 + 1 for i in range(0, 1000, 11)}),
    ]
    np.random.default_rng(seed).shuffle(steps)
    asked = large(seed, authors=60)
    for count in range(1, len(steps) + 1):
        places = np.arange(len(asked))
        placings = [one.placing(asked, places) for one in steps[:count] if isinstance(one, Constraint)]
        found = arrange(placings, len(asked))
        # Beyond it, each search prepares itself, and the last one need not undo anything if nothing is required.
        assert found.steps <= STEPS + (count + 2) * 300 + (0 if any(found.required) else 100 * (10 + 4 * count))
        assert len(set(found.picks)) == len(found.picks)
    assert any(found.given_up)
    gave_way = rerank(named(*steps), asked).gave_way
    assert any("no list was found that meets it" in why for why in gave_way.values())


def test_a_constraint_that_can_be_met_alone_is_met_although_the_search_for_both_is_given_up() -> None:
    asked = large(0, authors=60)
    spread = {"first": 100, "consider": 1000}
    steps = [step("spread", of="author", window=60, **spread), step("spread", of="genre", window=12, **spread)]
    assert list(rerank(named(*steps), asked).gave_way) == ["b"]
    assert list(rerank(named(*reversed(steps)), asked).gave_way) == ["b"]
