import numpy as np

from ranker.fusion import build_fusion
from ranker.fusion.formulas.powered_sum import FLOOR

SCORES = [[0.5, 0.1], [0.2, 0.4]]


def test_hand_computed() -> None:
    fusion = build_fusion(
        "powered_sum", ["click", "like"], {"factor": {"like": 3.0}, "beta": {"like": 2.0}, "alpha": {"click": 0.5}}
    )
    # 0.5 + 0.5 + 3 x 0.1^2 = 1.03; 0.5 + 0.2 + 3 x 0.4^2 = 1.18
    np.testing.assert_allclose(fusion.fuse(SCORES), [1.03, 1.18], rtol=1e-14)


def test_defaults_are_the_plain_sum() -> None:
    np.testing.assert_allclose(build_fusion("powered_sum", ["a", "b"], {}).fuse(SCORES), [0.6, 0.6], rtol=1e-14)


def test_beta_increases_the_gain_at_high_scores() -> None:
    fusion = build_fusion("powered_sum", ["like"], {"beta": 2.0})
    low, slightly_higher, high, higher_still = fusion.fuse([[0.1], [0.2], [0.7], [0.8]])
    np.testing.assert_allclose([slightly_higher - low, higher_still - high], [0.03, 0.15], rtol=1e-12)


def test_beta_of_zero_is_a_constant_even_at_zero() -> None:
    fused = build_fusion("powered_sum", ["a"], {"beta": 0.0}).fuse([[0.0], [0.3], [1.0]])
    assert fused.tolist() == [1.0, 1.0, 1.0]


def test_zero_and_below_count_as_the_floor() -> None:
    fused = build_fusion("powered_sum", ["a"], {}).fuse([[0.0], [-2.0]])
    np.testing.assert_allclose(fused, [FLOOR, FLOOR], rtol=1e-12)
