import numpy as np
import pytest

from tests.training.conftest import CONFIG
from training.config.experiment import ConfigError, Experiment
from training.sweeps.pareto import METHODS, expand
from training.sweeps.pareto.preferences import spread

BASE = Experiment.model_validate(CONFIG)


@pytest.mark.parametrize("tasks", [2, 3, 5, 9])
def test_points_lie_on_the_simplex_centre_and_corners_first(tasks):
    points = spread(tasks, 30)
    np.testing.assert_allclose(points.sum(axis=1), 1)
    assert (points >= 0).all()
    np.testing.assert_allclose(points[0], 1 / tasks)
    np.testing.assert_array_equal(points[1 : tasks + 1], np.eye(tasks))


@pytest.mark.parametrize("tasks", [2, 3, 5])
def test_points_keep_apart_and_leave_no_hole(tasks):
    points = spread(tasks, 20)
    apart = np.linalg.norm(points[:, None] - points[None], axis=2)
    nearest = (apart + np.diag(np.full(20, np.inf))).min()
    random = np.random.default_rng(0).dirichlet(np.ones(tasks), 2000)
    hole = np.linalg.norm(random[:, None] - points[None], axis=2).min(axis=1).max()
    assert hole <= nearest + 0.1  # farthest-point selection: no place is farther from all points than two of them


def test_two_tasks_are_halved_again_and_again():
    first = [0.5, 1, 0, 0.25, 0.75, 0.125, 0.375, 0.625, 0.875]
    np.testing.assert_allclose(spread(2, 9)[:, 0], first, atol=1e-3)


def test_more_points_go_on_with_fewer():
    np.testing.assert_array_equal(spread(4, 30)[:11], spread(4, 11))
    few, many = ({trial.folder for trial in expand(BASE, n, 0.8, ["pe_ltr"])} for n in (6, 9))
    assert few < many


def test_bounds_are_points_scaled_to_their_total_and_other_options_stay():
    base = Experiment.model_validate({**CONFIG, "weighting": {"name": "pe_ltr", "solver": "relaxation"}})
    trials = expand(base, 8, 0.6, ["pe_ltr"])
    assert len({trial.folder for trial in trials}) == 8
    for trial in trials:
        weighting = trial.experiment.weighting
        assert weighting.solver == "relaxation"
        assert sum(weighting.bounds.values()) == pytest.approx(0.6, abs=1e-5)
    assert trials[1].experiment.weighting.bounds == {"click": 0.6, "like": 0.0, "watch_time": 0.0}
    assert trials[1].name == "pe_ltr, bounds=click 0.6"


@pytest.mark.parametrize("method", ["static", "smooth_tchebycheff"])
def test_weights_have_a_mean_of_1_and_leave_no_task_out(method):
    trials = expand(BASE, 5, 0.7, [method])
    for trial in trials:
        weights = list(getattr(trial.experiment.weighting, METHODS[method].option).values())
        assert np.mean(weights) == pytest.approx(1, abs=1e-5)
        assert min(weights) >= 0.3 - 1e-6
    equal, first = (getattr(trial.experiment.weighting, METHODS[method].option) for trial in trials[:2])
    assert equal == {"click": 1.0, "like": 1.0, "watch_time": 1.0}
    assert first == {"click": 2.4, "like": 0.3, "watch_time": 0.3}


def test_bounds_of_any_total_and_number_are_valid():
    for total in (0.1, 1 / 3, 0.999, 1.0):
        for trial in expand(BASE, 40, total, ["pe_ltr"]):
            again = Experiment.model_validate(trial.experiment.model_dump(mode="json", by_alias=True))
            assert again.weighting == trial.experiment.weighting


@pytest.mark.parametrize(
    ("points", "total", "methods", "message"),
    [
        (3, 0.8, ["pe_ltr"], "--points 3: 3 tasks need at least 4"),
        (501, 0.8, ["pe_ltr"], "at most 500"),
        (6, 1.2, ["pe_ltr"], "--total 1.2: must be > 0 and at most 1"),
        (6, 0.0, ["pe_ltr"], "--total 0"),
        (6, 0.8, ["pe_lt"], "--method pe_lt: unknown; did you mean 'pe_ltr'"),
        (6, 0.8, ["static", "static"], "--method static: is given twice"),
    ],
)
def test_mistakes_are_explained(points, total, methods, message):
    with pytest.raises(ConfigError, match=message):
        expand(BASE, points, total, methods)


def test_one_task_has_no_front():
    schema = {**CONFIG["schema"], "tasks": {"click": {"kind": "binary"}}}
    alone = {**CONFIG, "schema": schema, "weighting": "static", "fusion": {"name": "additive"}}
    with pytest.raises(ConfigError, match="at least 2 tasks; the config has only 'click'"):
        expand(Experiment.model_validate(alone), 5, 0.8, ["pe_ltr"])
