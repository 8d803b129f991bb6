"""Intervals of what a parameter set gains."""

import numpy as np
import pytest

from ranker.fusion import FusionOptions, build_plan
from training.config.metric_names import Metric
from training.fusion_search.confidence import OBJECTIVE, gains
from training.fusion_search.evaluator import Evaluator
from training.fusion_search.objective import Goal

GOAL = Goal((1.0, 2.0), (Metric("click", "auc"), Metric("worth", "mean", 2)))
KINDS = {"click": "binary", "like": "binary", "watch": "regression"}


@pytest.fixture
def evaluator(rows) -> Evaluator:
    return Evaluator(build_plan(FusionOptions(name="additive"), KINDS), rows, [*GOAL.terms, Metric("like", "gauc")])


def shares(*values: float) -> dict[str, np.ndarray]:
    return {"share": np.array([values]), "shift": np.zeros((1, 3))}


def test_one_of_each_group_is_the_metric_itself(evaluator, rows) -> None:
    one = shares(1.0, 0.5, 0.1)
    np.testing.assert_allclose(evaluator.statistics(one)(np.ones(rows.groups.max() + 1)), evaluator(one)[0], atol=1e-12)


def test_a_group_that_counts_twice_is_there_twice(evaluator, rows) -> None:
    one, counts = shares(1.0, 0.5, 0.1), np.random.default_rng(0).integers(0, 3, rows.groups.max() + 1)
    copies = [np.flatnonzero(rows.groups == group) for group in np.repeat(np.arange(len(counts)), counts)]
    where, new = np.concatenate(copies), np.repeat(np.arange(len(copies)), [len(copy) for copy in copies])
    drawn = type(rows)(
        rows.objectives, rows.scores[where], rows.labels[where], rows.known[where],
        new, {name: v[where] for name, v in rows.columns.items()},
    )  # fmt: skip
    again = Evaluator(evaluator.plan, drawn, evaluator.metrics)
    np.testing.assert_allclose(evaluator.statistics(one)(counts.astype(float)), again(one)[0], atol=1e-12)


def test_nothing_is_gained_over_oneself_and_something_over_worse(evaluator) -> None:
    same = gains(GOAL, (evaluator, shares(1.0, 0.0, 0.0)), (evaluator, shares(2.0, 0.0, 0.0)), 50, 0)
    assert set(same) == {OBJECTIVE, "click.auc", "worth.mean@2"}
    for low, high in same.values():
        assert (low, high) == pytest.approx((0.0, 0.0), abs=1e-12)
    low, high = gains(GOAL, (evaluator, shares(0.0, 1.0, 0.0)), (evaluator, shares(1.0, 0.0, 0.0)), 200, 0)["click.auc"]
    gained = evaluator(shares(1.0, 0.0, 0.0))[0, 0] - evaluator(shares(0.0, 1.0, 0.0))[0, 0]
    assert 0.0 < low < gained < high
