"""What is maximised and kept, in text."""

import numpy as np
import pytest

from ranker.schema import Schema
from training.config.experiment import ConfigError
from training.config.metric_names import Metric
from training.fusion_search.objective import default_goal, parse_goal

SCHEMA = Schema.model_validate(
    {
        "candidate": {"age": {"kind": "numeric"}},
        "tasks": {"click": {"kind": "binary"}, "like": {"kind": "binary"}, "watch": {"kind": "regression"}},
    }
)


def test_a_weighted_sum_of_metrics() -> None:
    goal = parse_goal("click.auc + 2*like.gauc - .5 * watch.ndcg@10+margin.mean@3", [], SCHEMA)
    assert goal.weights == (1.0, 2.0, -0.5, 1.0)
    assert goal.terms == (
        Metric("click", "auc"),
        Metric("like", "gauc"),
        Metric("watch", "ndcg", 10),
        Metric("margin", "mean", 3),
    )
    assert goal.text == "click.auc + 2*like.gauc - 0.5*watch.ndcg@10 + margin.mean@3"
    assert parse_goal(goal.text, [], SCHEMA) == goal
    np.testing.assert_allclose(goal.objective(np.array([0.5, 0.25, 1.0, 4.0])), 0.5 + 0.5 - 0.5 + 4.0)


def test_the_fusion_that_is_searched_may_be_named() -> None:
    goal = parse_goal(
        "fused(mine).auc(click) + rel.ndcg@5", ["fused(mine).auc(like) >= today"], SCHEMA, "mine", ["rel"]
    )
    assert goal.text == "click.auc + rel.ndcg@5"
    assert [constraint.text for constraint in goal.constraints] == ["like.auc >= today"]
    for text, plain in (("fused(default).auc(click)", "click.auc"), ("click.ndcg@5(rel)", "rel.ndcg@5")):
        with pytest.raises(ConfigError, match=rf"not of the ranking that is searched, .* fusion 'mine'; write {plain}"):
            parse_goal(text, [], SCHEMA, "mine", ["rel"])
    with pytest.raises(ConfigError, match=r"fused\(mine\).auc names no column"):
        parse_goal("fused(mine).auc", [], SCHEMA, "mine")


def test_by_default_all_aucs() -> None:
    assert default_goal(SCHEMA) == "click.auc + like.auc"


def test_constraints_are_of_today_or_plain_numbers() -> None:
    texts = ["like.auc>=today", "like.map@5 >= today - 0.01", "click.auc >= 0.7"]
    goal = parse_goal("click.auc", texts, SCHEMA)
    assert [c.text for c in goal.constraints] == ["like.auc >= today", "like.map@5 >= today - 0.01", "click.auc >= 0.7"]
    assert [metric.name for metric in goal.metrics] == ["click.auc", "like.auc", "like.map@5"]
    today = np.array([0.6, 0.8, 0.3])
    measured = np.array([[0.75, 0.8, 0.29], [0.75, 0.79, 0.29], [0.65, 0.81, 0.28]])
    np.testing.assert_allclose(goal.violation(measured, today), [0.0, 0.01, 0.05 + 0.01], atol=1e-9)
    worth = goal.fitness(measured, today)
    assert worth[0] == 0.75
    assert worth[0] > worth[1] > worth[2]
    np.testing.assert_array_equal(np.isfinite(goal.front(measured, today))[:, 0], [True, False, False])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "name at least one metric"),
        ("click", "cannot read 'click'"),
        ("click.auc like.auc", "cannot read 'like.auc'"),
        ("clik.auc", "no metric 'clik.auc'; did you mean 'click'"),
        ("click.acu", "no metric 'click.acu'; did you mean 'auc'"),
        ("watch.auc", r"no metric 'watch.auc' \(of a regression task: ndcg, mean\)"),
        ("margin.auc", "'margin' is not a binary task"),
        ("click.ndcg", "needs a cutoff k, for example click.ndcg@10"),
        ("click.ndcg@0", "the cutoff must be at least 1"),
        ("click.auc@5", "an AUC takes no cutoff"),
        ("click.auc + click.auc", "click.auc is listed twice"),
        ("0*click.auc", "has weight 0"),
    ],
)
def test_mistakes_are_named(text: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        parse_goal(text, [], SCHEMA)


@pytest.mark.parametrize("text", ["like.auc", "like.auc >= yesterday", "like.auc > today", "like.auc >= 1.2.3"])
def test_constraints_that_cannot_be_read(text: str) -> None:
    with pytest.raises(ConfigError, match=r"--require .*write METRIC >= today"):
        parse_goal("click.auc", [text], SCHEMA)
