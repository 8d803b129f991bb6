"""Names of metrics of tasks by their own scores: those of every report, and those within lists."""

import pytest

from ranker.schema import Schema
from training.config.experiment import ConfigError, Experiment
from training.config.metric_names import Metric
from training.config.task_metrics import (
    check_metric,
    list_metric,
    list_metric_examples,
    list_metrics,
    name_of,
    task_and_key,
)

SCHEMA = {
    "candidate": {"age": {"kind": "numeric"}},
    "tasks": {"click": {"kind": "binary"}, "like": {"kind": "binary"}, "watch": {"kind": "regression"}},
}
TASKS = Schema.model_validate(SCHEMA).tasks


def experiment(metric=None, metrics=(), group_by="user"):
    return Experiment.model_validate(
        {
            "data": {"split": {"by": "random", "fraction": 0.2}},
            "schema": SCHEMA,
            "architecture": "shared_bottom",
            "early_stopping": {"metric": metric},
            "evaluation": {"group_by": group_by, "metrics": metrics},
        }
    )


def test_of_a_task_by_its_own_score_within_lists():
    assert list_metric("metric", "click.ndcg@10", TASKS, grouped=True) == Metric("click", "ndcg", 10)
    for other in ("mean_auc", "click.auc", "click.gauc", "watch.rmse", "click.brier"):
        assert list_metric("metric", other, TASKS, grouped=True) is None
    assert list_metric_examples("watch", TASKS["watch"]) == ["watch.ndcg@10", "watch.mean@10"]
    assert "click.mrr@10" in list_metric_examples("click", TASKS["click"])
    for name in ("fused(default).ndcg@10(margin)", "click.ndcg@10(like)", "margin.ndcg@10"):
        with pytest.raises(ConfigError, match=r"write TASK.METRIC@K, such as click.ndcg@10"):
            list_metric("metric", name, TASKS, grouped=True, fusions=["default"])
    with pytest.raises(ConfigError, match=r"click\.ndcg@10 needs evaluation.group_by"):
        list_metric("metric", "click.ndcg@10", TASKS, grouped=False)
    with pytest.raises(ConfigError, match=r"no metric 'watch.map'"):
        list_metric("metric", "watch.map@10", TASKS, grouped=True)


def test_a_fused_ranking_is_measured_against_a_tasks_label():
    found = list_metric("metric", "fused(default).gauc(click)", TASKS, grouped=True, fusions=["default"])
    assert found == Metric("click", "gauc", fusion="default")
    for name in ("fused(default).gauc(click)", "fused(a).ndcg@10(like)", "click.mrr", "watch.rmse"):
        assert name_of(*task_and_key(name)) == name
    assert task_and_key("fused(a).ndcg@10(like)") == ("like", "fused(a).ndcg@10")
    assert task_and_key("click.ndcg@10") == ("click", "ndcg@10")
    config = experiment("fused(default).ndcg@5(click)")
    assert [metric.report_key for metric in config.list_metrics] == ["fused(default).ndcg@5"]


def test_an_unknown_metric_lists_what_there_is():
    for name in ("mean_auc", "mean_loss", "click.gauc", "watch.rmse", "click.hit@3"):
        check_metric("metric", name, TASKS, grouped=True)
    valid = r"metric: no metric 'click.nd' \(valid: mean_loss, mean_auc, click.auc, .*; within lists: click.map@10, "
    with pytest.raises(ConfigError, match=valid):
        check_metric("metric", "click.nd", TASKS, grouped=True)
    with pytest.raises(ConfigError, match=r"no metric 'click.gauc' \(valid: [^;]*\)$"):
        check_metric("metric", "click.gauc", TASKS, grouped=False)


def test_only_those_within_lists_are_reported_on_request():
    assert list_metrics("metrics", ["click.mrr", "click.mrr"], TASKS, grouped=True) == (Metric("click", "mrr"),)
    with pytest.raises(ConfigError, match=r"metrics: 'click.gauc' is reported anyway, .* such as click.map@10"):
        list_metrics("metrics", ["click.gauc"], TASKS, grouped=True)
    with pytest.raises(ConfigError, match=r"metrics: 'click.mpa@10' is unknown; did you mean 'click.map@10'"):
        list_metrics("metrics", ["click.mpa@10"], TASKS, grouped=True)


def test_a_config_reports_its_own_metrics_early_stoppings_and_more_on_request():
    both = experiment("like.ndcg@5", ["click.mrr"])
    assert [metric.name for metric in both.list_metrics] == ["click.mrr", "like.ndcg@5"]
    assert both.measuring(["mean_auc", "click.mrr", "like.ndcg@5"]) is both
    more = both.measuring(["watch.mean@3"])
    assert [metric.name for metric in more.list_metrics] == ["click.mrr", "watch.mean@3", "like.ndcg@5"]
    assert experiment("click.auc").list_metrics == ()


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        (
            {"metric": "click.ndcg@10", "group_by": None},
            "early_stopping.metric: click.ndcg@10 needs evaluation.group_by",
        ),
        ({"metrics": ["like.map"]}, "evaluation.metrics like.map: needs a cutoff k, for example like.map@10"),
        (
            {"metric": "fused(mine).auc(click)"},
            r"early_stopping.metric: fused\(mine\).auc\(click\): .* \(here: default\)",
        ),
        ({"metric": "fused(default).auc(click)", "group_by": None}, r"needs evaluation.group_by"),
        (
            {"metric": "watch.hit@5"},
            r"early_stopping.metric: no metric 'watch.hit' \(of a regression task: ndcg, mean\)",
        ),
    ],
)
def test_mistakes_in_a_config_name_the_field(asked, problem):
    with pytest.raises(ValueError, match=problem):
        experiment(**asked)
