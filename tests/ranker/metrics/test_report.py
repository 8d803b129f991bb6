import json

import numpy as np
import pytest

from ranker.metrics import auc, binary_report, calibration, calibration_error, gauc, log_loss, regression_report

RNG = np.random.default_rng(0)
SCORES = RNG.uniform(0.05, 0.6, 800)
LABELS = (RNG.random(800) < SCORES).astype(int)
USERS = RNG.integers(0, 90, 800)


def test_binary_report_gathers_the_metrics() -> None:
    report = binary_report(LABELS, SCORES, USERS, resamples=60, seed=3)
    assert set(report) == {
        *("auc", "auc_interval", "gauc", "gauc_interval", "gauc_groups", "log_loss", "log_loss_interval"),
        *("calibration", "calibration_interval", "calibration_error", "positives", "rows"),
        "gauc_rows_without_group",
    }
    assert report["auc"] == auc(LABELS, SCORES)
    assert report["gauc"] == gauc(LABELS, SCORES, USERS).value
    assert report["gauc_groups"] == gauc(LABELS, SCORES, USERS).groups
    assert report["gauc_rows_without_group"] == 0
    assert report["log_loss"] == log_loss(LABELS, SCORES)
    assert report["calibration"] == calibration(LABELS, SCORES)
    assert report["calibration_error"] == calibration_error(LABELS, SCORES)
    assert (report["positives"], report["rows"]) == (LABELS.sum(), 800)
    for name in ("auc", "gauc", "log_loss", "calibration"):
        low, high = report[f"{name}_interval"]
        assert low < report[name] < high
    assert report["calibration_interval"][0] < 1 < report["calibration_interval"][1]
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    assert binary_report(LABELS, SCORES, USERS, resamples=60, seed=3) == report


def test_without_groups_nothing_is_said_of_them() -> None:
    report = binary_report(LABELS, SCORES, None, resamples=5, seed=0)
    assert not any(key.startswith("gauc") for key in report)


def test_what_is_undefined_is_none() -> None:
    report = binary_report([0, 0], [0.1, 0.3], ["a", "b"], resamples=5, seed=0)
    assert report["auc"] is None
    assert report["auc_interval"] == [None, None]
    assert report["gauc"] is None
    assert report["gauc_groups"] == 0
    assert report["calibration"] is None
    assert report["calibration_error"] == pytest.approx(0.2)
    assert binary_report([], [], None, resamples=5, seed=0)["log_loss"] is None
    assert regression_report([], [], resamples=5, seed=0)["mean"] is None


def test_no_resamples_no_intervals() -> None:
    report = binary_report(LABELS, SCORES, USERS, resamples=0, seed=0)
    assert report["auc"] == auc(LABELS, SCORES)
    assert report["auc_interval"] == report["gauc_interval"] == [None, None]


def test_regression_report() -> None:
    report = regression_report([10.0, 20.0, 0.0, 10.0], [13.0, 16.0, 0.0, 11.0], resamples=50, seed=0)
    assert set(report) == {
        *("mae", "mae_interval", "rmse", "rmse_interval", "calibration", "calibration_interval", "mean", "rows")
    }
    assert report["mae"] == 2.0
    assert report["rmse"] == pytest.approx(6.5**0.5, abs=1e-15)
    assert report["calibration"] == 1.0
    assert (report["mean"], report["rows"]) == (10.0, 4)
    assert 0.0 <= report["mae_interval"][0] <= 2.0 <= report["mae_interval"][1] <= 4.0
    assert json.loads(json.dumps(report, allow_nan=False)) == report


def test_bad_inputs_are_named() -> None:
    with pytest.raises(ValueError, match=r"labels must be 0 or 1, got 0.5 in row 0"):
        binary_report([0.5], [0.5], None, 1, 0)
    with pytest.raises(ValueError, match=r"scores must be probabilities in \[0, 1\], got 1.1 in row 0"):
        binary_report([1], [1.1], None, 1, 0)
    with pytest.raises(ValueError, match=r"predictions must be finite, got nan in row 1"):
        regression_report([1.0, 2.0], [1.0, float("nan")], 1, 0)
    with pytest.raises(ValueError, match=r"groups must have 1 rows.*got 2"):
        binary_report([1], [0.5], [1, 2], 1, 0)


def test_rows_of_no_group_are_left_out_of_gauc_and_counted() -> None:
    alone = binary_report([1, 0, 1, 0], [0.9, 0.1, 0.2, 0.8], [1, 1, 2, 2], resamples=0, seed=0)
    labels, scores = [1, 0, 1, 0, 1, 0], [0.9, 0.1, 0.2, 0.8, 0.1, 0.9]
    report = binary_report(labels, scores, [1, 1, 2, 2, 0, 0], resamples=0, seed=0, no_group=0)
    assert (report["gauc"], report["gauc_groups"], report["gauc_rows_without_group"]) == (alone["gauc"], 2, 2)
    assert report["rows"] == 6
