"""Epsilon-greedy: chances by hand."""

import numpy as np

from ranker.fusion.exploration import Epsilon


def test_the_best_has_what_the_uniform_draw_leaves():
    chances = Epsilon(kind="epsilon", epsilon=0.3).chances(np.array([1.0, 0.5, 0.0]))
    np.testing.assert_allclose(chances, [0.8, 0.1, 0.1])
