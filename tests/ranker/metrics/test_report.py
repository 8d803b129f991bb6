import json

import numpy as np
import pytest

from ranker.metrics import auc, calibration, calibration_error, gauc, log_loss, report
from ranker.tasks import Binary, Regression

RNG = np.random.default_rng(0)
SCORES = RNG.uniform(0.05, 0.6, 800)
LABELS = (RNG.random(800) < SCORES).astype(int)
CLICK, WATCH = Binary(kind="binary"), Regression(kind="regression")
USERS = RNG.integers(0, 90, 800)


def test_a_report_of_a_binary_task_has_its_metrics() -> None:
    found = report(CLICK, LABELS, SCORES, USERS, resamples=60, seed=3)
    assert set(found) >= {
        *("auc", "auc_interval", "gauc", "gauc_interval", "gauc_groups", "log_loss", "log_loss_interval"),
        *("calibration", "calibration_interval", "calibration_error", "positives", "rows"),
        "gauc_rows_without_group",
    }
    assert found["auc"] == auc(LABELS, SCORES)
    assert found["gauc"] == gauc(LABELS, SCORES, USERS).value
    assert found["gauc_groups"] == gauc(LABELS, SCORES, USERS).groups
    assert found["gauc_rows_without_group"] == 0
    assert found["log_loss"] == log_loss(LABELS, SCORES)
    assert found["calibration"] == calibration(LABELS, SCORES)
    assert found["calibration_error"] == calibration_error(LABELS, SCORES)
    assert (found["positives"], found["rows"]) == (LABELS.sum(), 800)
    for name in ("auc", "gauc", "log_loss", "calibration"):
        low, high = found[f"{name}_interval"]
        assert low < found[name] < high
    assert found["calibration_interval"][0] < 1 < found["calibration_interval"][1]
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert report(CLICK, LABELS, SCORES, USERS, resamples=60, seed=3) == found


def test_without_groups_there_are_no_group_metrics() -> None:
    found = report(CLICK, LABELS, SCORES, None, resamples=5, seed=0)
    assert not any(key.startswith("gauc") for key in found)


def test_undefined_metrics_are_none() -> None:
    found = report(CLICK, [0, 0], [0.1, 0.3], ["a", "b"], resamples=5, seed=0)
    assert found["auc"] is None
    assert found["auc_interval"] == [None, None]
    assert found["gauc"] is None
    assert found["gauc_groups"] == 0
    assert found["calibration"] is None
    assert found["calibration_error"] == pytest.approx(0.2)
    assert report(CLICK, [], [], None, resamples=5, seed=0)["log_loss"] is None
    assert report(WATCH, [], [], None, resamples=5, seed=0)["mean"] is None


def test_without_resamples_there_are_no_intervals() -> None:
    found = report(CLICK, LABELS, SCORES, USERS, resamples=0, seed=0)
    assert found["auc"] == auc(LABELS, SCORES)
    assert found["auc_interval"] == found["gauc_interval"] == [None, None]


def test_a_report_of_a_regression_has_its_metrics() -> None:
    found = report(WATCH, [10.0, 20.0, 0.0, 10.0], [13.0, 16.0, 0.0, 11.0], None, resamples=50, seed=0)
    assert set(found) >= {
        *("mae", "mae_interval", "rmse", "rmse_interval", "calibration", "calibration_interval", "mean", "rows")
    }
    assert found["mae"] == 2.0
    assert found["rmse"] == pytest.approx(6.5**0.5, abs=1e-15)
    assert found["calibration"] == 1.0
    assert (found["mean"], found["rows"]) == (10.0, 4)
    assert 0.0 <= found["mae_interval"][0] <= 2.0 <= found["mae_interval"][1] <= 4.0
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_bad_inputs_are_reported() -> None:
    with pytest.raises(ValueError, match=r"labels must be 0 or 1, got 0.5 in row 0"):
        report(CLICK, [0.5], [0.5], None, 1, 0)
    with pytest.raises(ValueError, match=r"scores must be probabilities in \[0, 1\], got 1.1 in row 0"):
        report(CLICK, [1], [1.1], None, 1, 0)
    with pytest.raises(ValueError, match=r"scores must be finite, got nan in row 1"):
        report(WATCH, [1.0, 2.0], [1.0, float("nan")], None, 1, 0)
    with pytest.raises(ValueError, match=r"groups must have 1 rows.*got 2"):
        report(CLICK, [1], [0.5], [1, 2], 1, 0)


def test_rows_without_a_group_are_excluded_from_gauc_and_counted() -> None:
    alone = report(CLICK, [1, 0, 1, 0], [0.9, 0.1, 0.2, 0.8], [1, 1, 2, 2], resamples=0, seed=0)
    labels, scores = [1, 0, 1, 0, 1, 0], [0.9, 0.1, 0.2, 0.8, 0.1, 0.9]
    found = report(CLICK, labels, scores, [1, 1, 2, 2, 0, 0], resamples=0, seed=0, no_group=0)
    assert (found["gauc"], found["gauc_groups"], found["gauc_rows_without_group"]) == (alone["gauc"], 2, 2)
    assert found["rows"] == 6
