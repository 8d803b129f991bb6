from itertools import pairwise, permutations

import numpy as np
import pytest

from ranker.fusion.learned.shapley import EXACT, shapley

RNG = np.random.default_rng(0)
MANY = EXACT + 2


def mixed(rows):
    """A score with interactions of all orders, which does not read column 2."""
    return np.sin(rows[:, 0] * rows[:, 1]) + np.maximum(rows[:, 1], rows[:, 3]) * rows[:, -1] ** 2


def test_two_inputs_by_hand():
    # worth of none 2 * 1 = 2, of the first alone 5, of the second alone 8, of both 20:
    # the first is worth (5 - 2 + 20 - 8) / 2, the second (8 - 2 + 20 - 5) / 2
    found = shapley(lambda rows: rows[:, 0] * rows[:, 1], np.array([[5.0, 4.0]]), np.array([[2.0, 1.0]]), 2)
    np.testing.assert_allclose(found, [[7.5, 10.5]], rtol=1e-14)


def test_three_inputs_by_hand():
    def score(rows):
        return rows[:, 0] * rows[:, 1] + 6 * rows.prod(axis=1) + rows[:, 2]

    # What two do together is shared by two, what three do by three: 1/2 + 2, 1/2 + 2, 2 + 1.
    np.testing.assert_allclose(shapley(score, np.ones((1, 3)), np.zeros((1, 3)), 3), [[2.5, 2.5, 3.0]], rtol=1e-14)


def test_values_are_the_mean_over_all_orders():
    present, absent = RNG.normal(size=(5, 4)), RNG.normal(size=(5, 4))
    expected = np.zeros((5, 4))
    orders = list(permutations(range(4)))
    for order in orders:
        steps = [absent.copy()]
        for i in order:
            steps.append(steps[-1].copy())
            steps[-1][:, i] = present[:, i]
        for i, (before, after) in zip(order, pairwise(steps), strict=True):
            expected[:, i] += (mixed(after) - mixed(before)) / len(orders)
    np.testing.assert_allclose(shapley(mixed, present, absent, 4), expected, atol=1e-12)


@pytest.mark.parametrize("inputs", [4, EXACT, MANY])
@pytest.mark.parametrize("rows", [1, 7, 600])
def test_values_add_up_and_an_unused_input_has_none(inputs, rows):
    present, absent = RNG.normal(size=(rows, inputs + 1)), RNG.normal(size=(rows, inputs + 1))
    absent[:, inputs] = present[:, inputs]  # a feature, which is no input
    found = shapley(mixed, present, absent, inputs)
    np.testing.assert_allclose(found.sum(axis=1), mixed(present) - mixed(absent), atol=1e-11)
    assert (found[:, 2] == 0).all()


@pytest.mark.parametrize("inputs", [3, MANY])
def test_interchangeable_inputs_have_equal_values(inputs):
    values = shapley(lambda rows: rows[:, 0] * rows[:, 1], np.full((1, inputs), 3.0), np.ones((1, inputs)), inputs)
    assert values[0, 0] == values[0, 1] == 4.0


def test_orders_are_sampled_for_many_inputs():
    present, absent = RNG.normal(size=(20, MANY)), RNG.normal(size=(20, MANY))
    # An order and its reverse split what two inputs do together in half, as Shapley does.
    pairs = shapley(lambda rows: rows[:, 0] * rows[:, 1] + rows[:, 5], present, absent, MANY)
    exact = shapley(lambda rows: rows[:, 0] * rows[:, 1], present[:, :2], absent[:, :2], 2)
    np.testing.assert_allclose(pairs[:, :2], exact, atol=1e-12)
    np.testing.assert_allclose(pairs[:, 5], present[:, 5] - absent[:, 5], atol=1e-12)
    # Of what three do together each gets a third, within the error of 64 orders.
    three = shapley(lambda rows: rows[:, :3].prod(axis=1), np.ones((1, MANY)), np.zeros((1, MANY)), MANY)
    np.testing.assert_allclose(three[0], [1 / 3] * 3 + [0] * (MANY - 3), atol=0.15)
    np.testing.assert_array_equal(shapley(mixed, present, absent, MANY), shapley(mixed, present, absent, MANY))


def test_no_rows():
    assert shapley(mixed, np.empty((0, 4)), np.empty((0, 4)), 4).shape == (0, 4)
