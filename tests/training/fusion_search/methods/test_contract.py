"""What every search method promises; a new entry of ``METHODS`` is tested here without further work."""

import numpy as np
import pytest

from training.config.experiment import ConfigError
from training.config.metric_names import Metric
from training.fusion_search.loop import History, search
from training.fusion_search.methods import METHODS, Points
from training.fusion_search.objective import Constraint, Goal

START = np.array([0.5, 0.4, 0.6])
BEST = np.array([0.7, 0.35, 0.55])
TERMS = Goal((1.0, 1.0), (Metric("a", "auc"), Metric("b", "auc")))
BUDGETS = {"grid": 1001, "random": 1500, "gaussian_process": 60, "genetic": 600, "nsga2": 600}
"""Sets that find the top of a paraboloid in three dimensions to within ``NEAR``; 300 for the others."""
SHORT = {"gaussian_process": 24, "tpe": 30}
"""Sets that are several generations of methods that take long over each; 60 for the others."""
NEAR = 0.004
"""Of a height of 0.19 at the start's distance and up to 1 elsewhere."""

every_method = pytest.mark.parametrize("name", list(METHODS))


def paraboloid(points: Points) -> Points:
    """Two terms with tops apart in the first coordinate; their sum has its top at ``BEST``."""
    off = ((points[:, 1:] - BEST[1:]) ** 2 * [1.0, 0.3]).sum(axis=1)
    return np.stack([-((points[:, 0] - top) ** 2) - off for top in (0.6, 0.8)], axis=1) / 2


class Asked:
    """The paraboloid, and everything that it was asked."""

    def __init__(self) -> None:
        self.points: list[Points] = []

    def __call__(self, points: Points) -> Points:
        self.points.append(points.copy())
        return paraboloid(points)


def found(name: str, *, measure=paraboloid, budget=None, seed=0, state=None, key="k") -> History:
    today = paraboloid(START[None])[0]
    return search(
        name, START, TERMS, today, measure, budget=budget or BUDGETS.get(name, 300), seed=seed, state=state, key=key
    )


@every_method
def test_finds_the_top_within_its_budget_and_stays_in_the_cube(name: str) -> None:
    asked = Asked()
    history = found(name, measure=asked)
    top = paraboloid(BEST[None]).sum()
    assert top - history.fitness[history.best] < NEAR
    points = np.vstack(asked.points)
    assert len(points) <= BUDGETS.get(name, 300)
    np.testing.assert_array_equal(points, history.points)
    assert ((points >= 0.0) & (points <= 1.0)).all()
    np.testing.assert_array_equal(points[0], START)


@every_method
def test_equal_seeds_search_alike_and_others_do_not(name: str) -> None:
    budget = SHORT.get(name, 60) if name != "grid" else 28
    first, again, other = (found(name, budget=budget, seed=seed).points for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert name == "grid" or not np.array_equal(first, other)


@every_method
def test_a_stopped_search_ends_as_if_it_had_not_been(name: str, tmp_path) -> None:
    budget = SHORT.get(name, 60) if name != "grid" else 126
    whole = found(name, budget=budget)
    state, calls = tmp_path / "state.npz", 0

    def dies(points: Points) -> Points:
        nonlocal calls
        calls += 1
        if calls > 2:
            raise KeyboardInterrupt
        return paraboloid(points)

    if len(whole.generations) > 2:
        with pytest.raises(KeyboardInterrupt):
            found(name, measure=dies, budget=budget, state=state)
    else:
        found(name, budget=budget, state=state)
    asked = Asked()
    resumed = found(name, measure=asked, budget=budget, state=state)
    np.testing.assert_array_equal(resumed.points, whole.points)
    np.testing.assert_array_equal(resumed.measured, whole.measured)
    assert sum(map(len, asked.points)) == len(whole.points) - whole.generations[:2][-1]


@every_method
def test_a_state_of_another_search_is_not_gone_on_with(name: str, tmp_path) -> None:
    budget = 30 if name != "grid" else 28
    found(name, budget=budget, state=tmp_path / "state.npz", key="one")
    asked = Asked()
    found(name, measure=asked, budget=budget, state=tmp_path / "state.npz", key="another")
    assert sum(map(len, asked.points)) <= budget
    assert asked.points


@every_method
def test_constraints_are_kept(name: str) -> None:
    """Of the second term at least what the first coordinate 0.75 gives: the best of the sum is then further right."""
    goal = Goal((1.0, 0.2), TERMS.terms)
    bound = Goal(goal.weights, goal.terms, (Constraint(TERMS.terms[1], -0.004, relative=False),))
    history = search(name, START, bound, paraboloid(START[None])[0], paraboloid, budget=BUDGETS.get(name, 300), seed=0)
    best = history.measured[history.best]
    assert best[1] >= -0.004
    assert (history.fitness[history.measured[:, 1] < -0.0041] < -1e5).all()


def test_nsga2_finds_both_ends_of_the_front() -> None:
    history = found("nsga2")
    ends = history.measured.max(axis=0)
    assert (ends > -0.004).all()


def test_what_cannot_be_searched_is_said() -> None:
    with pytest.raises(ConfigError, match="--method simplex: unknown search method 'simplex'"):
        found("simplex")
    with pytest.raises(ConfigError, match="a grid of 3 parameters needs at least 9 sets, but the budget is 8"):
        found("grid", budget=8)
    one = Goal((1.0,), TERMS.terms[:1])
    with pytest.raises(ConfigError, match="at least two terms"):
        search("nsga2", START, one, np.zeros(1), paraboloid, budget=10, seed=0)
    with pytest.raises(ConfigError, match="at least two parameters"):
        search("cma_es", START[:1], one, np.zeros(1), paraboloid, budget=10, seed=0)
