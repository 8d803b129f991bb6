import math

import numpy as np
import pytest

from ranker.metrics import calibration, calibration_error


def test_predicted_over_observed() -> None:
    assert calibration([1, 0, 0, 1], [0.9, 0.5, 0.6, 1.0]) == pytest.approx(1.5, abs=1e-15)
    assert calibration([1, 0], [0.5, 0.25], [1, 4]) == pytest.approx(1.5, abs=1e-15)
    assert calibration([30.0, 10.0], [10.0, 10.0]) == 0.5


def test_undefined_if_nothing_was_observed() -> None:
    assert math.isnan(calibration([0, 0], [0.1, 0.2]))


def test_error_hand_computed() -> None:
    # Bins {0.1, 0.2} with mean label 0.5 and {0.6, 0.8} with 0.5: (2 |0.15 - 0.5| + 2 |0.7 - 0.5|) / 4
    assert calibration_error([0, 1, 1, 0], [0.1, 0.2, 0.6, 0.8], bins=2) == pytest.approx(0.275, abs=1e-15)
    assert calibration_error([0, 1, 1, 0], [0.1, 0.2, 0.6, 0.8], bins=1) == pytest.approx(0.075, abs=1e-15)


def test_error_of_a_constant_is_its_bias_for_any_order_of_rows() -> None:
    assert calibration_error([1] * 30 + [0] * 70, [0.3] * 100) == pytest.approx(0.0, abs=1e-15)
    assert calibration_error([0] * 70 + [1] * 30, [0.45] * 100) == pytest.approx(0.15, abs=1e-15)


def test_error_does_not_depend_on_the_order_of_rows() -> None:
    rng = np.random.default_rng(0)
    labels, scores = rng.integers(0, 2, 500), np.round(rng.random(500), 1)
    shuffled = rng.permutation(500)
    expected = calibration_error(labels, scores)
    assert calibration_error(labels[shuffled], scores[shuffled]) == pytest.approx(expected, abs=1e-14)


def test_error_detects_miscalibration_that_the_overall_ratio_hides() -> None:
    labels = np.array([0, 0, 0, 1, 0, 1, 1, 1])
    scores = np.array([0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5]) + np.repeat([0.25, -0.25], 4)
    assert calibration(labels, scores) == 1.0
    assert calibration_error(labels, scores, bins=2) == pytest.approx(0.5, abs=1e-15)


def test_error_of_true_probabilities_is_sampling_noise() -> None:
    rng = np.random.default_rng(1)
    scores = rng.random(20_000)
    labels = rng.random(20_000) < scores
    assert calibration_error(labels, scores) < 0.015
    assert calibration_error(labels, scores**2) > 0.1


def test_error_equals_a_plain_loop_over_equal_parts() -> None:
    rng = np.random.default_rng(2)
    scores, labels = rng.random(103), rng.integers(0, 2, 103)
    order = np.argsort(scores)
    parts = [order[[i for i in range(103) if 7 * i // 103 == part]] for part in range(7)]
    expected = sum(len(part) / 103 * abs(scores[part].mean() - labels[part].mean()) for part in parts)
    assert calibration_error(labels, scores, bins=7) == pytest.approx(expected, abs=1e-14)


def test_error_of_no_rows_and_of_no_bins() -> None:
    assert math.isnan(calibration_error([], []))
    with pytest.raises(ValueError, match="bins must be >= 1, got 0"):
        calibration_error([0, 1], [0.1, 0.2], bins=0)
