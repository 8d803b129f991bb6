import numpy as np
import pytest

from ranker.artifact import load
from ranker.fusion import Candidates, FusionError, FusionOptions
from ranker.log_files.log_reader import DataError, Log
from tests.training.conftest import CONFIG
from training.commands.fit import fit as fit_run
from training.config.experiment import Experiment
from training.config.experiment import load as load_config
from training.data.encode import columns_at
from training.data.experiment_log import required_columns
from training.data.split.held_out import split
from training.evaluation.evaluate import Predictions
from training.export.export import examples_of, export
from training.export.fit_fusions import cross_validation_lines, fitted_fusions, notes
from training.reports.calibration import calibration_page, cross_fitted, curve
from training.trainer.train import reopen


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


LEARNED = {
    "name": "learned",
    "options": {
        "label": "click * (watch_time > 5)",
        "request": "request_id",
        "features": ["duration_s"],
        "trees": 20,
        "folds": 2,
        "least_rows": 20,
    },
}


def test_a_learned_fusion_reads_the_validation_rows_of_the_log(trained, tmp_path):
    run = reopen(trained.output)
    changed = run.experiment.model_copy(update={"fusions": {"held": FusionOptions.model_validate(LEARNED)}})
    assert required_columns(changed) == ["click", "watch_time", "request_id", "duration_s"]
    rows = split(run.log, changed.data.split, changed.training.seed)
    log = columns_at(changed.log_schema, rows, required_columns(changed))
    np.testing.assert_array_equal(log["click"].astype(float), run.predictions.labels[:, 0])
    fitted = fitted_fusions(changed, run.predictions, log)
    told = fitted["held"].fusion.state["held_out"]
    assert told["rows"] == len(run.predictions.labels)
    assert len(list(cross_validation_lines(fitted))) == 1
    assert f"NDCG@10 {told['value']:.4f} of click * (watch_time > 5)" in next(iter(cross_validation_lines(fitted)))
    examples, scores = examples_of(rows, changed), run.predictions.scores
    artifact = export(tmp_path, changed, run.prepared.encoder, run.model, fitted, run.metrics, examples, scores)
    again = load(artifact.folder).fusions["held"]
    candidates = Candidates.of(again.objectives, run.predictions.scores, features={"duration_s": log["duration_s"]})
    np.testing.assert_array_equal(again.rank(candidates).fused, fitted["held"].rank(candidates).fused)


def test_columns_at_picks_rows_by_their_number(trained):
    experiment = load_config(trained.config)
    rows = split(Log([trained.log]), experiment.data.split, experiment.training.seed)
    names = ["item_id", "duration_s", "device"]
    whole = columns_at(experiment.log_schema, rows, names)
    chosen = np.array([0, 3, 4, len(whole["device"]) - 1])
    for name, column in columns_at(experiment.log_schema, rows, names, chosen).items():
        assert column.tolist() == whole[name][chosen].tolist()


def test_what_cannot_be_learnt_is_left_out_and_said_or_refused(predictions):
    nothing = {"name": "learned", "options": {"label": "click * 0"}}
    log = {"click": predictions.labels[:, 0]}
    said: list[str] = []
    fitted = fitted_fusions(experiment(fusions={"bad": nothing}), predictions, log, said.append)
    assert list(fitted) == ["default"]
    assert said == [
        "fusions.bad: left out of the artifact: "
        "options.label: 'click * 0' is unknown or constant in all rows, so there is nothing to learn"
    ]
    with pytest.raises(FusionError, match=r"^fusion\.options\.label: 'click \* 0'"):
        fitted_fusions(experiment(fusion=nothing), predictions, log)


def test_a_column_that_the_log_lacks_is_named_before_training(trained, tmp_path):
    options = {**LEARNED, "options": {**LEARNED["options"], "label": "clicked"}}
    with pytest.raises(DataError, match=r"no column 'clicked'; did you mean 'click'"):
        fit_run(experiment(fusion=options), trained.log, output=tmp_path / "out", progress=False)
    assert not (tmp_path / "out").exists()


def test_fit_calibrates_what_the_config_says_and_shows_it(trained):
    artifact = load(trained.output)
    assert artifact.fusion.calibration["watch_time"].constants["factor"][0] > 0
    assert "calibration.html" in trained.printed
    assert "watch_time, scale" in (trained.output / "calibration.html").read_text(encoding="utf-8")


def test_what_could_not_be_fitted_is_said(predictions):
    empty = Predictions(predictions.scores, predictions.labels * 0, predictions.known, None)
    fitted = fitted_fusions(experiment(fusion={"calibration": {"like": "platt"}}), empty)
    assert list(notes(fitted)) == [
        "fusion default, like: not calibrated by platt: fitting needs rows with labels 0 and 1, got [0.0]"
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
    before, after = cross_fitted("isotonic", scores, labels), cross_fitted("isotonic", scores, flipped)
    np.testing.assert_array_equal(before[::2], after[::2])
    assert (before[1::2] != after[1::2]).any()


def test_a_curve_by_hand():
    points = curve(np.arange(20.0)[::-1] / 20, np.repeat([1.0, 0.0], 10), "model")
    assert [point["observed"] for point in points] == [0.0] * 5 + [1.0] * 5
    assert points[0]["predicted"] == pytest.approx(0.025)
    assert curve(np.array([0.3]), np.array([1.0]), "model") == [{"scores": "model", "predicted": 0.3, "observed": 1.0}]
