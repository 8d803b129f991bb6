import numpy as np

from ranker.fusion import build_fusion

SCORES = [[0.3, 90.0], [0.9, 20.0], [0.1, 20.0], [0.5, 3.0]]


def test_hand_computed() -> None:
    parameters = {"weight": {"watch": 2.0}, "alpha": {"watch": 2.0}, "beta": {"watch": 1.0}}
    fused = build_fusion("rank_power", ["click", "watch"], parameters).fuse(SCORES)
    # click: ranks 3, 1, 4, 2 -> 1 / rank; watch: ranks 1, 2, 2, 4 -> 2 / (rank^2 + 1)
    np.testing.assert_allclose(fused, [1 / 3 + 1, 1 + 0.4, 0.25 + 0.4, 0.5 + 2 / 17], rtol=1e-14)


def test_alpha_of_zero_gives_equal_scores() -> None:
    fused = build_fusion("rank_power", ["click", "watch"], {"alpha": 0.0}).fuse(SCORES)
    assert fused.tolist() == [2.0] * 4


def test_ties_share_the_first_rank() -> None:
    fused = build_fusion("rank_power", ["a"], {}).fuse([[0.5], [0.9], [0.5], [0.1]])
    assert fused.tolist() == [1 / 2, 1.0, 1 / 2, 1 / 4]
