"""Names of metrics of rankings: what they mean, and what is said about those that mean nothing."""

import numpy as np
import pytest

from ranker.schema import Schema
from training.config.experiment import ConfigError
from training.config.metric_names import Metric, parse_metrics, parse_relevance

TASKS = Schema.model_validate(
    {
        "candidate": {"age": {"kind": "numeric"}},
        "tasks": {"click": {"kind": "binary"}, "like": {"kind": "binary"}, "watch": {"kind": "regression"}},
    }
).tasks
FUSIONS = ("default", "watchers")


def parsed(*texts, relevance=("rel",)):
    return parse_metrics("--metrics", texts, TASKS, FUSIONS, relevance)


@pytest.mark.parametrize(
    ("text", "metric", "title"),
    [
        ("click.auc", Metric("click", "auc"), "click AUC"),
        ("watch.ndcg@10", Metric("watch", "ndcg", 10), "watch NDCG@10"),
        ("click.mrr", Metric("click", "mrr"), "click MRR"),
        ("click.mrr@5", Metric("click", "mrr", 5), "click MRR@5"),
        ("click.ndcg@10(rel)", Metric("rel", "ndcg", 10, by="click"), "rel NDCG@10"),
        ("fused(default).auc(like)", Metric("like", "auc", fusion="default"), "like AUC"),
        ("fused(watchers).hit@3(click)", Metric("click", "hit", 3, fusion="watchers"), "click hit rate@3"),
        ("margin.mean@3", Metric("margin", "mean", 3), "margin mean@3"),
    ],
)
def test_a_name_is_read_and_written_again(text, metric, title):
    assert parsed(text) == (metric,)
    assert metric.name == text
    assert metric.title == title


def test_names_are_separated_by_commas_in_any_number_of_texts():
    assert [m.name for m in parsed("click.auc, like.map@5", " fused( default ).auc( like ) ")] == [
        *("click.auc", "like.map@5", "fused(default).auc(like)")
    ]
    assert parsed("click.ndcg@5(click)") == (Metric("click", "ndcg", 5),)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("click", "cannot read 'click'; write names such as click.ndcg@10"),
        ("click.auc,", "cannot read ''"),
        ("click.auc, click.auc", "click.auc is listed twice"),
        ("fused(default).auc", r"fused\(default\).auc names no column; write fused\(default\).auc\(click\)"),
        ("fused(watcher).auc(like)", "has no fusion 'watcher'; did you mean 'watchers'"),
        ("fused.auc(like)", r"'fused' has no score to rank by; write fused\(NAME\).auc\(like\)"),
        ("rel.ndcg@5(click)", r"'rel' has no score to rank by; write TASK.ndcg@5\(click\)"),
        ("fused(default).auc(rel)", "no metric 'rel.auc'; 'rel' is not a binary task"),
        ("fused(default).auc(watch)", r"no metric 'watch.auc' \(of a regression task: ndcg, mean\)"),
        ("click.recal@5", "no metric 'click.recal'; did you mean 'recall'"),
        ("click.recall", "needs a cutoff k, for example click.recall@10"),
        ("click.gauc@5", "an AUC takes no cutoff"),
        ("click.map@0", "the cutoff must be at least 1"),
        ("click.map@99999999999999999999", "below a billion"),
    ],
)
def test_mistakes_name_the_option_and_what_is_right(text, problem):
    with pytest.raises(ConfigError, match=rf"--metrics.*({problem})"):
        parsed(text)


def test_relevance_is_a_formula_of_columns_with_a_name():
    formulas = parse_relevance("--relevance", ["rel = 5*booked + click", "big = price >= 100"], TASKS)
    assert list(formulas) == ["rel", "big"]
    assert formulas["rel"].names == ("booked", "click")
    np.testing.assert_array_equal(formulas["rel"].evaluate({"booked": [0, 1], "click": [1, 1]}), [1, 6])
    assert parse_relevance("relevance", {"rel": "5*booked + click"}, TASKS)["rel"] == formulas["rel"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("5*booked", "write NAME = FORMULA"),
        ("click = booked", "'click' is the name of a task or feature; choose another name"),
        ("rel = booked +", "rel: 'booked \\+' is not a valid formula"),
        ("rel = 5", "reads no column of the log"),
    ],
)
def test_mistakes_in_relevance(text, problem):
    with pytest.raises(ConfigError, match=rf"--relevance.*{problem}"):
        parse_relevance("--relevance", [text], TASKS)


def test_one_name_has_one_formula():
    with pytest.raises(ConfigError, match="'rel' is given twice"):
        parse_relevance("--relevance", ["rel = a", "rel = b"], TASKS)
