import numpy as np

from ranker.fusion import build_fusion

SCORES = [[0.3, 90.0], [0.9, 20.0], [0.1, 20.0], [0.5, 3.0]]


def test_hand_computed() -> None:
    fused = build_fusion("reciprocal_rank", ["click", "watch"], {"weight": {"watch": -0.5}, "k": 6.0}).fuse(SCORES)
    # click: ranks 3, 1, 4, 2; watch: ranks 1, 2, 2, 4
    np.testing.assert_allclose(fused, [1 / 9 - 0.5 / 7, 1 / 7 - 0.5 / 8, 1 / 10 - 0.5 / 8, 1 / 8 - 0.5 / 10])


def test_it_is_the_rank_power_of_alpha_one_and_beta_k() -> None:
    powered = build_fusion("rank_power", ["click", "watch"], {"beta": 60.0})
    np.testing.assert_allclose(
        build_fusion("reciprocal_rank", ["click", "watch"], {}).fuse(SCORES), powered.fuse(SCORES), rtol=1e-12
    )
