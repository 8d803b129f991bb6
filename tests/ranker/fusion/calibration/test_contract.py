"""What every calibration promises; a new entry of ``CALIBRATIONS`` is tested here without further work."""

import json
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ranker.fusion.calibration import CALIBRATIONS, fit
from ranker.metrics import auc
from ranker.tasks import Binary, Regression

Floats = NDArray[np.float64]
KINDS = {"binary": Binary, "regression": Regression}
CASES = [
    (name, kind)
    for name, calibration in CALIBRATIONS.items()
    for kind, task in KINDS.items()
    if calibration.needs <= task.traits
]
every_case = pytest.mark.parametrize(("name", "kind"), CASES)


def rows(kind: str, count: int = 4000, seed: int = 0) -> tuple[Floats, Floats]:
    """Scores that order rows well and are wrong on average, as float32 models give them, and labels."""
    rng = np.random.default_rng(seed)
    z = rng.normal(-1.0, 1.5, count)
    if kind == "binary":
        labels = (rng.random(count) < 1 / (1 + np.exp(-z))).astype(np.float64)
        scores = 1 / (1 + np.exp(-(2.0 * z)))
    else:
        labels = np.exp(z + rng.normal(0, 1, count))
        scores = np.exp(z)
    return scores.astype(np.float32).astype(np.float64), labels


@every_case
def test_calibration_reduces_the_bias_on_new_rows(name: str, kind: str) -> None:
    fitted = fit(name, *rows(kind))
    scores, labels = rows(kind, count=20_000, seed=1)
    after = fitted.apply(scores)
    assert fitted.method == name
    assert abs(after.mean() - labels.mean()) < 0.5 * abs(scores.mean() - labels.mean())
    assert ((after - labels) ** 2).mean() < ((scores - labels) ** 2).mean()


@every_case
def test_the_order_of_scores_is_kept_with_few_ties(name: str, kind: str) -> None:
    scores, labels = rows(kind)
    after = fit(name, scores, labels).apply(scores)
    ordered = after[np.argsort(scores)]
    assert (np.diff(ordered) >= 0).all()
    if CALIBRATIONS[name].keeps_order:
        assert len(np.unique(after)) == len(np.unique(scores))
    if kind == "binary":
        change = auc(labels, after) - auc(labels, scores)
        assert change == 0 if CALIBRATIONS[name].keeps_order else abs(change) < 0.01


@every_case
def test_it_round_trips_through_json_and_handles_extreme_scores(name: str, kind: str) -> None:
    scores, labels = rows(kind)
    fitted = fit(name, scores, labels)
    again = type(fitted).model_validate_json(json.dumps(fitted.model_dump()))
    np.testing.assert_array_equal(again.apply(scores), fitted.apply(scores))
    extremes = np.array([0.0, 1e-38, 1e-7, 0.5, 1 - 2**-24, 1.0] + ([1e9] if kind == "regression" else []))
    after = again.apply(extremes)
    assert np.isfinite(after).all()
    assert (np.diff(after) >= 0).all()
    if kind == "binary":
        assert ((after >= 0) & (after <= 1)).all()
    assert again.apply(np.empty(0)).shape == (0,)


@every_case
def test_constant_or_reversed_scores_stay_finite_and_ordered(name: str, kind: str) -> None:
    _, labels = rows(kind)
    constant = fit(name, np.full(len(labels), 0.3), labels).apply(np.array([0.3]))
    assert np.isfinite(constant).all()
    backwards = fit(name, np.where(labels > 0.5, 0.2, 0.4), labels).apply(np.array([0.2, 0.4]))
    assert backwards[0] <= backwards[1]


@every_case
@pytest.mark.parametrize("labels", [[], [0.0, 0.0]])
def test_a_calibration_that_cannot_be_fitted_leaves_scores_unchanged(name: str, kind: str, labels: Any) -> None:
    scores = np.array([0.2, 0.4])[: len(labels)]
    fitted = fit(name, scores, np.array(labels))
    if fitted.method is None:
        assert fitted.note is not None
        assert fitted.note.startswith(f"not calibrated by {name}: ")
        np.testing.assert_array_equal(fitted.apply(scores), scores)
    else:  # the mean label of 0 is a fact that isotonic regression can fit
        assert (name, len(labels)) == ("isotonic", 2)
