import subprocess
import sys

import numpy as np
import pytest

from ranker.fusion.calibration import CALIBRATIONS, fit
from ranker.fusion.calibration.base import logit, sigmoid


def drawn(probabilities, seed=0):
    return (np.random.default_rng(seed).random(len(probabilities)) < probabilities).astype(np.float64)


LOGITS = np.random.default_rng(7).normal(-1, 1.5, 100_000)


def test_platt_recovers_the_true_line():
    labels = drawn(sigmoid(0.5 * LOGITS - 1.0))
    constants = CALIBRATIONS["platt"].fit(sigmoid(LOGITS), labels)
    assert constants["slope"] == pytest.approx([0.5], abs=0.02)
    assert constants["intercept"] == pytest.approx([-1.0], abs=0.03)
    # maximum likelihood: residuals sum to zero, alone and against the logits
    residual = CALIBRATIONS["platt"].apply(sigmoid(LOGITS), constants) - labels
    assert abs(residual.mean()) < 1e-6
    assert abs((residual * LOGITS).mean()) < 1e-6


def test_platt_keeps_the_order_of_scores_that_rank_backwards():
    labels = drawn(sigmoid(-0.5 * LOGITS - 1.0))
    constants = CALIBRATIONS["platt"].fit(sigmoid(LOGITS), labels)
    assert constants["slope"] == [1.0]
    after = CALIBRATIONS["platt"].apply(sigmoid(LOGITS), constants)
    assert after.mean() == pytest.approx(labels.mean(), abs=1e-9)


def test_platt_stays_finite_for_separable_labels():
    scores = np.linspace(0.1, 0.9, 50)
    constants = CALIBRATIONS["platt"].fit(scores, (scores > 0.5).astype(float))
    assert np.isfinite([*constants["slope"], *constants["intercept"]]).all()
    assert np.isfinite(CALIBRATIONS["platt"].apply(scores, constants)).all()


def test_temperature_recovers_the_true_value():
    constants = CALIBRATIONS["temperature"].fit(sigmoid(LOGITS), drawn(sigmoid(LOGITS / 2.5)))
    assert constants["temperature"] == pytest.approx([2.5], abs=0.05)
    assert CALIBRATIONS["temperature"].apply(np.array([0.5]), constants).tolist() == [0.5]


def test_isotonic_by_hand():
    # 0.3 and 0.4 are the wrong way round and are pooled to 1/2; between steps it is linear
    constants = CALIBRATIONS["isotonic"].fit(np.array([0.2, 0.3, 0.4, 0.6]), np.array([0.0, 1.0, 0.0, 1.0]))
    after = CALIBRATIONS["isotonic"].apply(np.array([0.1, 0.25, 0.35, 0.5, 0.9]), constants)
    np.testing.assert_allclose(after, [0.0, 0.25, 0.5, 0.75, 1.0], rtol=1e-12)


def test_scale_undoes_the_bias_of_a_mean_of_logarithms():
    rng = np.random.default_rng(0)
    mean_log = rng.normal(2, 0.5, 200_000)
    seconds = np.exp(mean_log + rng.normal(0, 1, len(mean_log)))
    served = np.exp(mean_log)
    fitted = fit("scale", served, seconds)
    # a log-normal's mean is exp(variance / 2) above the exponential of its mean logarithm
    assert fitted.constants["factor"] == pytest.approx([np.exp(0.5)], rel=0.02)
    assert fitted.apply(served).mean() == pytest.approx(seconds.mean(), rel=1e-12)


@pytest.mark.parametrize(
    ("name", "scores", "labels", "text"),
    [
        ("platt", [0.1, 0.2], [1.0, 1.0], r"needs rows with labels 0 and 1, got \[1.0\]"),
        ("temperature", [], [], "got no labels"),
        ("isotonic", [], [], "needs rows with a label, got none"),
        ("scale", [0.0, 0.0], [1.0, 2.0], "got 0 and 1.5"),
        ("scale", [1.0, 2.0], [-1.0, -2.0], "got 1.5 and -1.5"),
    ],
)
def test_a_failed_fit_gives_its_reason(name, scores, labels, text):
    with pytest.raises(ValueError, match=text):
        CALIBRATIONS[name].fit(np.array(scores), np.array(labels))


def test_the_logit_is_exact_and_finite_at_0_and_1():
    p = np.array([0.0, 1e-38, 0.25, 0.5, 1 - 2**-24, 1.0])
    assert np.isfinite(logit(p)).all()
    assert (np.diff(logit(p)) > 0).all()
    np.testing.assert_allclose(sigmoid(logit(p[1:5])), p[1:5], rtol=1e-13)


def test_applying_requires_only_numpy():
    code = (
        "import sys, numpy as np; from ranker.fusion.calibration import CALIBRATIONS as C;"
        "C['platt'].apply(np.array([.5]), {'slope': [1.], 'intercept': [0.]});"
        "C['isotonic'].apply(np.array([.5]), {'scores': [0., 1.], 'values': [0., 1.]});"
        "assert not {'sklearn', 'scipy', 'pandas', 'tensorflow'} & set(sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
