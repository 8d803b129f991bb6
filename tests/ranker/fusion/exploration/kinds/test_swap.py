"""Swaps: chances and lists by hand."""

import numpy as np

from ranker.fusion.exploration import Swap, draw


def test_the_second_takes_the_place_with_the_probability():
    swap = Swap(kind="swap", probability=0.2)
    np.testing.assert_allclose(swap.chances(np.array([1.0, 0.5, 0.0])), [0.8, 0.2, 0.0])
    np.testing.assert_allclose(swap.chances(np.array([1.0])), [1.0])


def test_only_neighbours_swap_unless_more_is_asked_for():
    swap = Swap(kind="swap", probability=0.5)
    for seed in range(50):
        order = draw(swap, np.linspace(1, 0, 12), str(seed)).order.tolist()
        pairs = [tuple(order[place : place + 2]) for place in np.flatnonzero(np.array(order) > np.arange(12)).tolist()]
        assert all(first == second + 1 for first, second in pairs)
        assert np.abs(np.array(order) - np.arange(12)).max() <= 1
