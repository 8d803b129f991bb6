import numpy as np
import pytest

from training.simulator import OBJECTIVES, UTILITY, World
from training.simulator.live import NO_ITEM, Crowd, respond
from training.simulator.live.responses import places


def test_places_finds_each_listed_item_among_the_candidates_of_its_own_row() -> None:
    candidates = np.array([[7, 3, 5], [3, 9, 7]])
    items = np.array([[5, 7], [7, NO_ITEM]])
    np.testing.assert_array_equal(places(candidates, items), [[2, 0], [2, 0]])


@pytest.mark.parametrize(
    ("items", "reason"),
    [
        ([[5, 7], [5, 3]], r"list 1 holds the item 5, which is no candidate"),
        ([[5, 7], [9, 10_000]], r"list 1 holds the item 10000, which is no candidate"),
        ([[5, 7], [-2, 9]], r"list 1 holds the item -2, which is no candidate"),
        ([[5, 5], [9, 3]], r"list 0 holds an item twice: \[5, 5\]"),
    ],
)
def test_lists_of_other_items_are_refused(items: list[list[int]], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        places(np.array([[7, 3, 5], [3, 9, 7]]), np.array(items))


def test_truth_is_that_of_the_world(crowd: Crowd, world: World) -> None:
    visits = crowd.arrive(200)
    order = np.random.default_rng(0).permuted(np.tile(np.arange(20), (200, 1)), axis=1)
    items = np.take_along_axis(visits.candidates, order, axis=1)[:, :10]
    found = crowd.respond(visits, items)
    collected = world.collected(visits.users, visits.candidates, order, 10)
    for name in OBJECTIVES:
        np.testing.assert_allclose(found.collected[name], collected[name])
    np.testing.assert_allclose(
        found.best - found.utility, world.regret(visits.users, visits.candidates, order, 10), atol=1e-9
    )
    np.testing.assert_allclose(found.utility, sum(UTILITY[name] * collected[name] for name in OBJECTIVES))


def test_drawn_responses_have_the_true_expectation(crowd: Crowd) -> None:
    visits = crowd.arrive(20_000)
    found = crowd.respond(visits, visits.candidates[:, :10])
    for name in OBJECTIVES:
        drawn = found.labels[name].sum(axis=1, dtype=np.float64)
        error = (drawn - found.collected[name]).mean() / ((drawn - found.collected[name]).std() / np.sqrt(len(drawn)))
        assert abs(error) < 4, name
    clicks = found.labels["click"].mean(axis=0)
    assert clicks[0] > 1.5 * clicks[9]  # 10 ** -0.3 is a half


def test_a_list_that_ends_early_or_is_empty_earns_nothing_beyond(crowd: Crowd, world: World) -> None:
    visits = crowd.arrive(300)
    items = visits.candidates[:, :10].copy()
    whole = respond(world, visits.users, visits.candidates, visits.chance, items)
    items[:100, 4:] = NO_ITEM
    items[100:200] = NO_ITEM
    found = respond(world, visits.users, visits.candidates, visits.chance, items)
    for name in OBJECTIVES:
        np.testing.assert_array_equal(found.labels[name][:100, :4], whole.labels[name][:100, :4])
        assert not found.labels[name][:100, 4:].any()
        assert not found.labels[name][100:200].any()
    assert (found.utility[:100] < whole.utility[:100]).all()
    assert not found.utility[100:200].any()
    np.testing.assert_array_equal(found.utility[200:], whole.utility[200:])


def test_an_item_has_the_same_luck_wherever_it_is_shown(world: World, crowd: Crowd) -> None:
    visits = crowd.arrive(2_000)
    down = respond(world, visits.users, visits.candidates, visits.chance, visits.candidates[:, :10])
    up = respond(world, visits.users, visits.candidates, visits.chance, visits.candidates[:, 9::-1])
    moved = up.labels["click"][:, ::-1]
    assert (moved[:, 5:] >= down.labels["click"][:, 5:]).all()  # shown higher, clicked whenever it was before
    assert (moved[:, :5] <= down.labels["click"][:, :5]).all()
