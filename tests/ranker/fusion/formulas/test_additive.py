import numpy as np
import pytest

from ranker.fusion import build_fusion

SCORES = [[0.5, 0.1], [0.2, 0.4]]


def test_hand_computed() -> None:
    fusion = build_fusion("additive", ["click", "like"], {"share": {"like": 3.0}, "shift": {"click": 0.5}})
    # 1 (0.5 + 0.5) + 3 (0 + 0.1) = 1.3; 1 (0.5 + 0.2) + 3 (0 + 0.4) = 1.9
    np.testing.assert_allclose(fusion.fuse(SCORES), [1.3, 1.9], rtol=1e-15)


def test_negative_share_counts_against() -> None:
    fusion = build_fusion("additive", ["click", "hide"], {"share": {"hide": -2.0}})
    # 0.5 - 0.2 = 0.3; 0.2 - 0.8 = -0.6
    np.testing.assert_allclose(fusion.fuse(SCORES), [0.3, -0.6], rtol=1e-15)


def test_defaults_are_the_plain_sum() -> None:
    assert build_fusion("additive", ["a", "b"], {}).fuse(SCORES) == pytest.approx([0.6, 0.6])


def test_the_loss_of_one_unit_of_share_is_the_score() -> None:
    rng = np.random.default_rng(0)
    scores = rng.random((20, 3))
    fusion = build_fusion("additive", ["a", "b", "c"], {"share": 2.0})
    less = fusion.replaced({"share": {"b": 1.0}})
    np.testing.assert_allclose(fusion.fuse(scores) - less.fuse(scores), scores[:, 1], atol=1e-14)
