import numpy as np
import pytest

from ranker.artifact import load
from tests.training.conftest import CONFIG
from training.config import Experiment
from training.evaluate import Predictions
from training.fusions import calibration_page, crossed, curve, fitted_fusions, notes


def experiment(**changes) -> Experiment:
    return Experiment.model_validate({**CONFIG, **changes})


@pytest.fixture(scope="module")
def predictions() -> Predictions:
    rng = np.random.default_rng(0)
    z = rng.normal(-1, 1, (4000, 3))
    labels = (rng.random(z.shape) < 1 / (1 + np.exp(-z))).astype(np.float32)
    labels[:, 2] = rng.exponential(np.exp(z[:, 2]))
    scores = (1 / (1 + np.exp(-3 * z))).astype(np.float32)
    known = np.ones(z.shape, dtype=bool)
    known[::2, 1] = False
    return Predictions(scores, labels, known, None)


def test_every_fusion_of_the_config_is_fitted(predictions):
    fitted = fitted_fusions(
        experiment(fusion={"calibration": {"like": "platt"}}, fusions={"shares": {"name": "percentile"}}), predictions
    )
    assert list(fitted) == ["default", "shares"]
    assert set(fitted["default"].calibration) == {"like"}
    assert set(fitted["shares"].fusion.state) == {"click", "like", "watch_time"}
    assert not list(notes(fitted))


def test_fit_calibrates_what_the_config_says_and_shows_it(trained):
    artifact = load(trained.output)
    assert artifact.fusion.calibration["watch_time"].constants["factor"][0] > 0
    assert "calibration.html" in trained.printed
    assert "watch_time, scale" in (trained.output / "calibration.html").read_text(encoding="utf-8")


def test_what_could_not_be_fitted_is_said(predictions):
    empty = Predictions(predictions.scores, predictions.labels * 0, predictions.known, None)
    fitted = fitted_fusions(experiment(fusion={"calibration": {"like": "platt"}}), empty)
    assert list(notes(fitted)) == [
        "fusion default, like: not calibrated by platt: the rows to fit it on must hold labels of 0 and of 1, got [0.0]"
    ]


def test_the_page_shows_each_calibration_once_and_honestly(predictions):
    chosen = experiment(
        fusion={"calibration": {"like": "platt", "watch_time": "scale"}},
        fusions={"same": {"calibration": {"like": "platt"}}, "other": {"calibration": {"like": "isotonic"}}},
    )
    fitted = fitted_fusions(chosen, predictions)
    html = calibration_page(chosen, fitted, predictions).html()
    for title in ("like, platt", "like, isotonic", "watch_time, scale"):
        assert html.count(f'"title": "{title}"') == 1
    assert "2,000" in html
    plain = experiment(fusion={})
    assert calibration_page(plain, fitted_fusions(plain, predictions), predictions) is None


def test_a_half_is_calibrated_without_its_own_labels(predictions):
    scores, labels = predictions.scores[:, 0].astype(float), predictions.labels[:, 0].astype(float)
    flipped = labels.copy()
    flipped[::2] = 1 - flipped[::2]
    before, after = crossed("isotonic", scores, labels), crossed("isotonic", scores, flipped)
    np.testing.assert_array_equal(before[::2], after[::2])
    assert (before[1::2] != after[1::2]).any()


def test_a_curve_by_hand():
    points = curve(np.arange(20.0)[::-1] / 20, np.repeat([1.0, 0.0], 10), "model")
    assert [point["observed"] for point in points] == [0.0] * 5 + [1.0] * 5
    assert points[0]["predicted"] == pytest.approx(0.025)
    assert curve(np.array([0.3]), np.array([1.0]), "model") == [{"scores": "model", "predicted": 0.3, "observed": 1.0}]
