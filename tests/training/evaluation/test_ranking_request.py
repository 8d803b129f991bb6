"""What the options of `evaluate` come to."""

import pytest

from training.config.experiment import ConfigError
from training.evaluation.ranking_request import ranking_request

LISTS = {"list_by": ["search"], "group_by": "user"}


@pytest.fixture(scope="module")
def two(tmp_path_factory, write_artifact):
    """An artifact with a fusion that reads a feature, and another one."""
    other = {"options": {"name": "expression", "options": {"formula": "click * length"}}}
    return write_artifact(tmp_path_factory.mktemp("two"), other=other)


def request_of(artifact, fusions=(), metrics=(), relevance=(), **lists):
    return ranking_request(artifact, fusions, metrics, relevance, **{**LISTS, **lists})


def test_a_bare_name_is_measured_for_the_own_score_and_every_fusion_named(two):
    found = request_of(two, ["all"], ["buy.map@3", "rel.ndcg@5"], ['rel = 5*buy + price*(city == "Bern")'])
    assert [(metric.ranking, metric.name) for metric in found.metrics] == [
        ("buy", "buy.map@3"),
        ("fused(default)", "fused(default).map@3(buy)"),
        ("fused(default)", "fused(default).ndcg@5(rel)"),
        ("fused(other)", "fused(other).map@3(buy)"),
        ("fused(other)", "fused(other).ndcg@5(rel)"),
    ]
    assert set(found.fusions) == {"default", "other"}
    assert found.features == {"length": "length"}
    assert found.log_columns == ["search", "length", "price", "city"]
    assert found.kinds == {"search": "id", "price": "number", "city": "text"}


def test_only_what_is_named_is_fused(two):
    found = request_of(two, [], ["fused(default).auc(click)", "click.auc"], list_by=[])
    assert [metric.name for metric in found.metrics] == ["click.auc", "fused(default).auc(click)"]
    assert list(found.fusions) == ["default"]
    assert found.features == {}
    assert found.list_by == ("user",)
    assert request_of(two, list_by=[]) is None


def test_by_default_every_binary_task(two):
    names = [metric.name for metric in request_of(two, ["other"]).metrics]
    tasks = [f"{task}.{key}" for task in ("click", "buy") for key in ("ndcg@10", "gauc")]
    fused = [f"fused(other).{key}({task})" for task in ("click", "buy") for key in ("ndcg@10", "gauc")]
    assert names == [*tasks, *fused]


def test_mistakes_name_the_option(two):
    with pytest.raises(ConfigError, match=r"--fusion othr: .* did you mean 'other'\? \(known: default, other\)"):
        request_of(two, ["othr"])
    with pytest.raises(ConfigError, match="--list-by: name the column"):
        request_of(two, ["all"], list_by=[], group_by=None)
    with pytest.raises(ConfigError, match=r"--metrics: rel.ndcg@5 names no ranking"):
        request_of(two, [], ["rel.ndcg@5"], {"rel": "buy"})
