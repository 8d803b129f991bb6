import numpy as np
import pytest

from tests.training.conftest import CONFIG
from training.config.experiment import ConfigError, Experiment
from training.sweeps.pareto import choice
from training.sweeps.pareto.objectives import parse_objectives
from training.sweeps.pareto.selection import choose, knee, normalised, parse_preference

BASE = Experiment.model_validate(CONFIG)
EQUAL = np.ones(2)
# AUC between .6 and .7, negated RMSE between -20 and -10: scaled to (0, 1), (.5, .8), (.7, .5), (1, 0).
FRONT = np.array([[0.6, -10], [0.65, -12], [0.67, -15], [0.7, -20]])


def test_objectives_are_scaled_to_what_the_front_spans():
    np.testing.assert_allclose(normalised(FRONT), [[0, 1], [0.5, 0.8], [0.7, 0.5], [1, 0]])
    np.testing.assert_array_equal(normalised(np.array([[1.0, 2.0], [1.0, 3.0]])), [[1, 0], [1, 1]])


def test_least_misery_takes_the_best_of_the_worst():
    assert choose("least_misery", FRONT, EQUAL) == 1  # worst of each: 0, .5, .5, 0; the second has the greater mean


def test_the_knee_lies_farthest_beyond_the_line_through_the_extremes():
    assert choose("knee", FRONT, EQUAL) == 1
    # The line is x + y = 1: (.5 + .8 - 1) / sqrt 2 and (.7 + .5 - 1) / sqrt 2.
    np.testing.assert_allclose(knee(normalised(FRONT), EQUAL), np.array([0, 0.3, 0.2, 0]) / np.sqrt(2), atol=1e-12)


def test_the_knee_of_extremes_that_are_not_corners():
    # Extremes (1, .5, 0), (0, 1, .5), (.5, 0, 1): by symmetry the plane is x + y + z = 1.5.
    values = np.array([[1, 0.5, 0], [0, 1, 0.5], [0.5, 0, 1], [0.6, 0.6, 0.6]])
    distances = [0, 0, 0, 0.3 / 1.5 / np.linalg.norm(np.full(3, 1 / 1.5))]
    np.testing.assert_allclose(knee(values, np.ones(3)), distances, atol=1e-12)


def test_the_knee_where_one_model_is_best_in_two_objectives():
    values = np.array([[1, 1, 0], [0, 0.5, 1], [0.8, 0.8, 0.9]])
    assert knee(values, np.ones(3)).argmax() == 2


def test_a_preference_moves_the_choice_along_the_front():
    assert choose("preference", FRONT, np.array([1.0, 9.0])) == 0
    assert choose("preference", FRONT, np.array([1.0, 1.0])) == 1
    assert choose("preference", FRONT, np.array([1.6, 1.0])) == 2  # .385, .615, .623, .615
    assert choose("preference", FRONT, np.array([9.0, 1.0])) == 3


@pytest.mark.parametrize("rule", ["least_misery", "knee", "preference"])
def test_a_front_of_one_point_is_that_point(rule):
    assert choose(rule, FRONT[:1], EQUAL) == 0


def test_objectives_by_default_and_by_name():
    assert [o.name for o in parse_objectives(None, BASE)] == ["click.auc", "like.auc", "watch_time.rmse"]
    chosen = parse_objectives("like.log_loss, watch_time.mae,click.gauc", BASE)
    assert [(o.name, o.sign) for o in chosen] == [("like.log_loss", -1), ("watch_time.mae", -1), ("click.gauc", 1)]
    assert chosen[0].title == "like log loss"
    within_lists = parse_objectives("click.ndcg@10, watch_time.rmse", BASE)
    assert [(o.title, o.sign) for o in within_lists] == [("click NDCG@10", 1), ("watch_time RMSE", -1)]
    assert within_lists[0].value({"tasks": {"click": {"ndcg@10": 0.6}}}) == 0.6


def test_preferences_go_by_task_or_objective_and_are_1_otherwise():
    objectives = parse_objectives("click.auc,click.log_loss,like.auc", BASE)
    np.testing.assert_array_equal(parse_preference("click=2", objectives), [2, 2, 1])
    np.testing.assert_array_equal(parse_preference("click.auc=3, like=0", objectives), [3, 1, 0])
    np.testing.assert_array_equal(parse_preference(None, objectives), [1, 1, 1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("clik.auc,like.auc", None, None), "--objectives: no metric 'clik.auc'; did you mean 'click.auc'"),
        (("click.rmse,like.auc", None, None), "--objectives: no metric 'click.rmse'"),
        (("click.map,like.auc", None, None), "--objectives click.map: needs a cutoff k, for example click.map@10"),
        (("click.auc", None, None), "at least 2"),
        (("click.auc,click.auc", None, None), "listed twice"),
        ((None, "least_missery", None), "--pick least_missery: unknown; did you mean 'least_misery'"),
        ((None, "knee", "click=2"), "--pick knee takes no preference"),
        ((None, None, "clik=2"), "--prefer: no objective 'clik'; did you mean 'click'"),
        ((None, None, "click"), "--prefer 'click': must be TASK=NUMBER"),
        ((None, None, "click=-1"), "must be TASK=NUMBER"),
        ((None, None, "click=nan"), "must be TASK=NUMBER"),
        ((None, None, "click=1,click.auc=2"), "click.auc is given twice"),
        ((None, None, "click=0,like=0,watch_time=0"), "at least one weight must be > 0"),
    ],
)
def test_mistakes_are_explained(arguments, message):
    with pytest.raises(ConfigError, match=message):
        choice(BASE, *arguments)


def test_the_rule_is_least_misery_unless_something_is_preferred():
    assert choice(BASE, None, None, None).rule == "least_misery"
    assert choice(BASE, None, None, "like=2").rule == "preference"
