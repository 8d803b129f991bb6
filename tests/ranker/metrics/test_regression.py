import math
from collections.abc import Callable

import numpy as np
import pytest

from ranker.metrics import mae, rmse


def test_hand_computed() -> None:
    assert mae([10.0, 20.0, 0.0], [13.0, 16.0, 0.0]) == pytest.approx(7 / 3, abs=1e-15)
    assert rmse([10.0, 20.0, 0.0], [13.0, 16.0, 0.0]) == pytest.approx(5 / math.sqrt(3), abs=1e-15)
    assert mae([10.0, 20.0], [13.0, 16.0], [3, 1]) == 3.25
    assert rmse([10.0, 20.0], [13.0, 16.0], [7, 0]) == 3.0


def test_rmse_is_at_least_mae_and_both_scale_with_the_unit() -> None:
    rng = np.random.default_rng(0)
    labels, predictions = rng.exponential(30, 200), rng.exponential(30, 200)
    assert rmse(labels, predictions) >= mae(labels, predictions)
    assert mae(labels * 60, predictions * 60) == pytest.approx(60 * mae(labels, predictions))
    assert rmse(labels * 60, predictions * 60) == pytest.approx(60 * rmse(labels, predictions))


@pytest.mark.parametrize("metric", [mae, rmse])
def test_undefined_without_rows(metric: Callable[..., float]) -> None:
    assert math.isnan(metric([], []))


@pytest.mark.parametrize("metric", [mae, rmse])
def test_bad_inputs_are_reported(metric: Callable[..., float]) -> None:
    with pytest.raises(ValueError, match="labels must be finite, got nan in row 1"):
        metric([1.0, float("nan")], [1.0, 2.0])
    with pytest.raises(ValueError, match=r"predictions must have 2 rows.*got 1"):
        metric([1.0, 2.0], [1.0])
