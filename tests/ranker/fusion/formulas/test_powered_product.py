import numpy as np

from ranker.fusion import build_fusion, order
from ranker.fusion.formulas.powered_product import LARGEST, LEAST_FACTOR

SCORES = [[0.5, 0.1], [0.2, 0.4]]


def test_hand_computed() -> None:
    parameters = {"factor": {"like": 3.0}, "beta": {"like": 2.0}, "alpha": {"click": 0.0}}
    fused = build_fusion("powered_product", ["click", "like"], parameters).fuse(SCORES)
    # 0.5 (1 + 3 x 0.1^2) = 0.515; 0.2 (1 + 3 x 0.4^2) = 0.296
    np.testing.assert_allclose(fused, [0.515, 0.296], rtol=1e-14)


def test_without_a_floor_the_factor_scales_all_candidates_alike() -> None:
    bare = build_fusion("powered_product", ["click", "like"], {"alpha": 0.0})
    strong = bare.replaced({"factor": {"like": 5.0}})
    np.testing.assert_allclose(strong.fuse(SCORES), 5 * bare.fuse(SCORES), rtol=1e-14)


def test_with_a_floor_the_factor_limits_an_objectives_effect() -> None:
    weak = build_fusion("powered_product", ["click", "like"], {"alpha": {"click": 0.0}, "factor": {"like": 0.0}})
    assert order(weak.fuse(SCORES)).tolist() == [0, 1]
    # click alone says 2.5 to 1; likes turn it where (1 + 0.4 f) / (1 + 0.1 f) > 2.5, for f > 10
    assert order(weak.replaced({"factor": {"like": 9.9}}).fuse(SCORES)).tolist() == [0, 1]
    assert order(weak.replaced({"factor": {"like": 10.1}}).fuse(SCORES)).tolist() == [1, 0]


def test_a_negative_factor_counts_as_the_minimum() -> None:
    fusion = build_fusion("powered_product", ["hide"], {"factor": -2.0})
    np.testing.assert_allclose(fusion.fuse([[0.2], [0.5], [0.9]]), [0.6, LEAST_FACTOR, LEAST_FACTOR], rtol=1e-12)


def test_extremes_stay_finite() -> None:
    fusion = build_fusion("powered_product", [f"o{i}" for i in range(12)], {"factor": 100.0, "beta": 5.0})
    assert fusion.fuse(np.full((1, 12), 1e7)).tolist() == [LARGEST]
    assert np.isfinite(fusion.replaced({"factor": -100.0}).fuse(np.ones((1, 12)))).all()
