"""Draws from a seed, and the propensities of given orders, by hand."""

import numpy as np

from ranker.fusion.exploration import PlackettLuce, Swap, draw, propensities, uniforms

FUSED = np.array([4.0, 3.0, 3.0, 1.0, -2.0])


def test_a_seed_draws_the_same_order_everywhere():
    assert uniforms("a", 2) == [0.32788302546524584, 0.07934489756160656]
    assert draw(PlackettLuce(kind="plackett_luce", temperature=0.5), FUSED, "r-1").order.tolist() == [0, 2, 1, 3, 4]
    assert uniforms("\udcff", 1) != uniforms("a", 1)  # any text is a seed


def test_uniforms_are_uniform():
    drawn = np.array([uniforms(str(seed), 3) for seed in range(2000)])
    assert ((drawn >= 0) & (drawn < 1)).all()
    np.testing.assert_allclose(drawn.mean(axis=0), 0.5, atol=0.03)
    np.testing.assert_allclose(np.cov(drawn.T), np.eye(3) / 12, atol=0.01)


def test_an_order_that_cannot_be_drawn_has_propensity_0():
    swap = Swap(kind="swap", probability=0.3, first=3, max_move=1)
    np.testing.assert_allclose(propensities(swap, FUSED, [1, 0, 2, 3, 4]), [0.3, 1.0, 0.7, 1.0, 1.0])
    np.testing.assert_allclose(propensities(swap, FUSED, [2, 0, 1]), [0, 0, 0])
    np.testing.assert_allclose(propensities(swap, FUSED, [0, 1, 2, 4, 3]), [0.7, 0.7, 0.7, 0.0, 0.0])
    np.testing.assert_allclose(propensities(swap, FUSED, [0, 0]), [0.7, 0.0])


def test_a_candidate_that_could_not_be_placed_later_is_placed_at_once():
    swap = Swap(kind="swap", probability=1.0, first=4, max_move=2)
    drawn = draw(swap, FUSED, "a")
    assert drawn.order.tolist() == [1, 2, 0, 4, 3]  # the best one waits for two places, and no longer
    assert drawn.propensity.tolist() == [1.0] * 5
