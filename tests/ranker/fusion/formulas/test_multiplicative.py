import math

import numpy as np
import pytest

from ranker.fusion import build_fusion, order
from ranker.fusion.formulas.multiplicative import FLOOR

SCORES = [[0.5, 0.1], [0.2, 0.4]]


def test_hand_computed() -> None:
    fusion = build_fusion("multiplicative", ["click", "like"], {"power": {"like": 2.0}, "shift": {"like": 1.0}})
    # 0.5 x 1.1^2 = 0.605; 0.2 x 1.4^2 = 0.392
    np.testing.assert_allclose(fusion.fuse(SCORES), [0.605, 0.392], rtol=1e-14)


def test_negative_power_divides() -> None:
    fusion = build_fusion("multiplicative", ["click", "hide"], {"power": {"hide": -1.0}})
    np.testing.assert_allclose(fusion.fuse(SCORES), [5.0, 0.5], rtol=1e-14)


def test_equals_the_product_written_out() -> None:
    rng = np.random.default_rng(0)
    scores, powers, shifts = rng.random((30, 4)), rng.uniform(-2, 2, 4), rng.uniform(0, 2, 4)
    names = list("abcd")
    fusion = build_fusion(
        "multiplicative",
        names,
        {
            "power": dict(zip(names, powers.tolist(), strict=True)),
            "shift": dict(zip(names, shifts.tolist(), strict=True)),
        },
    )
    product = [math.prod((shifts[i] + row[i]) ** powers[i] for i in range(4)) for row in scores]
    np.testing.assert_allclose(fusion.fuse(scores), product, rtol=1e-12)


def test_zero_counts_as_the_floor() -> None:
    fusion = build_fusion("multiplicative", ["click", "hide"], {"power": {"hide": -1.0}})
    fused = fusion.fuse([[0.5, 0.0], [0.0, 0.5], [0.0, 0.0]])
    assert fused == pytest.approx([0.5 / FLOOR, FLOOR / 0.5, 1.0])


def test_tiny_products_do_not_tie() -> None:
    # 1e-8^(9 x 4) = 1e-288
    fusion = build_fusion("multiplicative", list("abcd"), {"power": 9.0})
    fused = fusion.fuse(np.full((3, 4), 1e-8) * [[1.0], [1.001], [0.999]])
    assert order(fused).tolist() == [1, 0, 2]
    assert len(set(fused.tolist())) == 3


def test_extremes_stay_finite() -> None:
    fusion = build_fusion("multiplicative", [f"o{i}" for i in range(12)], {"power": -10.0})
    assert np.isfinite(fusion.fuse(np.zeros((2, 12)))).all()
    assert (fusion.replaced({"power": 10.0}).fuse(np.zeros((2, 12))) > 0).all()
