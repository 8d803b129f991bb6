"""Many requests at once are explored as each of them by itself."""

from itertools import permutations

import numpy as np
import pytest

from ranker.fusion.exploration import EXPLORATIONS, propensities
from ranker.fusion.exploration.batch import Walks, chances_by_draws, chances_by_sets, drawn_lists

SIZE = 5
OPTIONS = {"plackett_luce": {"temperature": 0.4}, "epsilon": {"epsilon": 0.3}, "swap": {"probability": 0.2}}
BOUNDS = [(5, 5), (3, 1), (2, 2), (1, 1), (4, 2)]
FUSED = np.sort(np.random.default_rng(0).normal(size=(4, SIZE)), axis=1)[:, ::-1]


def exploration(kind, **options):
    return EXPLORATIONS[kind].model_validate({"kind": kind, **OPTIONS.get(kind, {}), **options})


@pytest.mark.parametrize("kind", EXPLORATIONS)
@pytest.mark.parametrize(("first", "max_move"), BOUNDS)
@pytest.mark.parametrize("relevance", ["score", "rank"])
def test_chances_along_any_list_are_its_propensities(kind, first, max_move, relevance):
    explores = exploration(kind, first=first, max_move=max_move, relevance=relevance)
    for order in permutations(range(SIZE)):
        walks, alive = Walks(explores, FUSED, SIZE, SIZE), np.ones(len(FUSED), dtype=bool)
        found = np.zeros((len(FUSED), SIZE))
        for place, candidate in enumerate(order):
            may, chances = walks.next()
            np.testing.assert_allclose(chances.sum(axis=1), 1.0)
            here = may == candidate
            found[:, place] = (chances * here).sum(axis=1) * alive
            alive &= found[:, place] > 0
            walks.take(here.argmax(axis=1))
        np.testing.assert_allclose(found, [propensities(explores, fused, order) for fused in FUSED], atol=1e-12)


@pytest.mark.parametrize("kind", EXPLORATIONS)
@pytest.mark.parametrize(("first", "max_move"), BOUNDS)
def test_chances_at_each_place_are_sums_over_all_lists(kind, first, max_move):
    explores, places = exploration(kind, first=first, max_move=max_move), 3
    expected = np.zeros((len(FUSED), places, SIZE))
    for order in permutations(range(SIZE)):
        for request, fused in enumerate(FUSED):
            chance = np.prod(propensities(explores, fused, order))
            expected[request, np.arange(places), order[:places]] += chance
    exact = chances_by_sets(explores, FUSED, SIZE, places)
    assert exact is not None
    np.testing.assert_allclose(exact, expected[..., : exact.shape[-1]], atol=1e-12)
    assert not expected[..., exact.shape[-1] :].any()
    draws = 3000
    near = chances_by_draws(explores, FUSED, SIZE, places, draws, np.random.default_rng(1))
    np.testing.assert_allclose(near[:, 0], exact[:, 0], atol=1e-12)
    assert (np.abs(near - exact) < 4.5 * np.sqrt(exact * (1 - exact) / draws) + 1e-12).all()


def test_candidates_that_may_not_be_drawn_follow_in_order():
    explores = exploration("plackett_luce", first=5, max_move=5, temperature=10.0)
    lists = drawn_lists(explores, FUSED[:, :2], SIZE, SIZE, np.random.default_rng(0))
    assert (np.sort(lists[:, :2], axis=1) == [0, 1]).all()
    assert (lists[:, 2:] == [2, 3, 4]).all()
    still = drawn_lists(None, FUSED, SIZE, 4, np.random.default_rng(0))
    assert (still == np.arange(4)).all()


def test_lists_are_drawn_as_often_as_they_should_be():
    explores, count = exploration("epsilon", first=2, max_move=2), 6000
    lists = drawn_lists(explores, np.tile(FUSED[0], (count, 1)), SIZE, 2, np.random.default_rng(2))
    for pair in {tuple(one) for one in lists.tolist()}:
        rest = [i for i in range(SIZE) if i not in pair]
        chance = np.prod(propensities(explores, FUSED[0], [*pair, *rest]))
        times = int((lists == pair).all(axis=1).sum())
        assert abs(times - count * chance) < 4.5 * np.sqrt(count * chance * (1 - chance)) + 1


def test_too_many_sets_are_refused_and_few_are_not():
    fused = np.linspace(1.0, 0.0, 30)[None]
    assert chances_by_sets(exploration("plackett_luce", first=10, max_move=10), fused, 30, 10) is None
    swaps = chances_by_sets(exploration("swap", first=10, max_move=10), fused, 30, 10)
    assert swaps is not None
    np.testing.assert_allclose(swaps.sum(axis=2), 1.0)
