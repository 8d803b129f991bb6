"""Plackett-Luce: chances by hand."""

import numpy as np
import pytest

from ranker.fusion.exploration import PlackettLuce, propensities


def test_chances_are_a_softmax():
    odds = np.exp([0.0, -1.0, -2.0])
    chances = PlackettLuce(kind="plackett_luce", temperature=0.5).chances(np.array([1.0, 0.5, 0.0]))
    np.testing.assert_allclose(chances, odds / odds.sum())


def test_a_list_has_the_probability_of_plackett_and_luce():
    explores = PlackettLuce(kind="plackett_luce", temperature=1.0, first=3)
    worth = np.exp([1.0, 0.5, 0.0])
    expected = worth[2] / worth.sum() * worth[0] / (worth[0] + worth[1])
    assert np.prod(propensities(explores, np.array([8.0, 6.0, 4.0]), [2, 0, 1])) == pytest.approx(expected)
