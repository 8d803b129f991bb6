"""What every metric of the table promises; a new row of ``METRICS`` is tested here without further work."""

import json

import numpy as np
import pytest

from ranker.metrics import (
    METRICS,
    RANKING_METRICS,
    choosable,
    headline,
    in_lists,
    metrics_of,
    report,
    sign_of,
    title_of,
)
from ranker.metrics.base import Sample
from ranker.tasks import TASK_KINDS

NEEDED = {
    "multiclass": {"classes": 3, "positive": [1, 2]},
    "quantile_of_duration": {"duration": "seconds"},
}
"""Options that a kind cannot do without."""
EXAMPLES = {kind: cls.model_validate({"kind": kind, **NEEDED.get(kind, {})}) for kind, cls in TASK_KINDS.items()}
CASES = [(metric.name, kind) for kind, task in EXAMPLES.items() for metric in metrics_of(task)]
every_case = pytest.mark.parametrize(("name", "kind"), CASES)
every_metric = pytest.mark.parametrize("name", list(METRICS))
NUMBERS = np.array([-2.0, -0.5, 0.0, 0.25, 1.0, 2.0, 3.0, 7.5])
ROWS = 240
GROUPS = np.arange(ROWS) % 12


def drawn(kind):
    """Labels [N] that the kind allows, several of each in every group."""
    allowed = NUMBERS[EXAMPLES[kind].allowed(NUMBERS)]
    return np.random.default_rng(0).choice(allowed, ROWS)


def value(name, kind, labels, scores, groups=GROUPS):
    return report(EXAMPLES[kind], labels, scores, groups[: len(labels)], resamples=0, seed=0)[name]


def test_titles_are_unique():
    for titles in (
        [metric.title for metric in METRICS.values()],
        [metric.column for metric in METRICS.values()],
        [metric.title for metric in RANKING_METRICS.values()],
    ):
        assert len(set(titles)) == len(titles)
        assert all(titles)


@every_metric
def test_a_metric_is_registered_by_name_and_fits_a_task_kind(name):
    assert METRICS[name].name == name
    assert any(METRICS[name].fits(task) for task in EXAMPLES.values())
    assert METRICS[name].better is not None or not METRICS[name].front


@every_metric
def test_a_grouped_metric_fits_no_task_without_groups(name):
    for task in EXAMPLES.values():
        fits = METRICS[name].fits(task)
        assert METRICS[name].fits(task, grouped=False) == (fits and not METRICS[name].grouped)


@every_case
def test_units_of_a_grouped_metric_are_groups_with_a_value(name, kind):
    labels = np.where(GROUPS == 3, 0, drawn(kind))  # of no group with classes or grades that differ
    sample = Sample.checked(EXAMPLES[kind], labels, np.full(ROWS, 0.5), GROUPS, 7)
    measured = METRICS[name].measure(sample)
    if not METRICS[name].grouped:
        assert measured.groups is None
        return
    assert set(measured.groups) == set(range(12)) - {3, 7}
    assert measured.units == len(measured.groups)
    assert np.isfinite(measured.statistic(np.ones(measured.units)))


@every_case
def test_a_perfect_prediction_is_at_least_as_good_as_a_shuffled_one(name, kind):
    labels = drawn(kind)
    perfect = value(name, kind, labels, labels)
    assert perfect is not None
    if METRICS[name].better is None:
        assert perfect == pytest.approx(1.0)
        return
    shuffled = value(name, kind, labels, np.random.default_rng(1).permutation(labels))
    assert METRICS[name].sign * (perfect - shuffled) > 0


@every_case
def test_front_metrics_rate_a_constant_below_a_perfect_prediction(name, kind):
    labels = drawn(kind)
    constant = value(name, kind, labels, np.full(ROWS, labels.mean()))
    if METRICS[name].front:
        assert METRICS[name].sign * (value(name, kind, labels, labels) - constant) > 0.01


@every_case
def test_the_order_of_rows_does_not_matter(name, kind):
    labels = drawn(kind)
    scores = np.random.default_rng(2).permutation(labels)
    order = np.random.default_rng(3).permutation(ROWS)
    expected = value(name, kind, labels, scores)
    assert value(name, kind, labels[order], scores[order], GROUPS[order]) == pytest.approx(expected, rel=1e-9)


@every_case
def test_a_metric_is_undefined_without_rows(name, kind):
    assert value(name, kind, np.empty(0), np.empty(0)) is None


@every_case
def test_a_metric_of_constant_labels_is_finite_or_undefined(name, kind):
    label = float(drawn(kind).max())
    found = value(name, kind, np.full(ROWS, label), np.full(ROWS, label))
    assert found is None or np.isfinite(found)


@every_case
def test_the_interval_contains_the_value(name, kind):
    labels = drawn(kind)
    scores = np.random.default_rng(4).permutation(labels)
    whole = report(EXAMPLES[kind], labels, scores, GROUPS, resamples=50, seed=0)
    assert json.loads(json.dumps(whole, allow_nan=False)) == whole
    assert (f"{name}_interval" in whole) == METRICS[name].interval
    if METRICS[name].interval:
        low, high = whole[f"{name}_interval"]
        assert low <= whole[name] <= high


@pytest.mark.parametrize("kind", list(TASK_KINDS))
def test_each_task_kind_has_a_valid_default_metric(kind):
    task = EXAMPLES[kind]
    default = METRICS[task.default_metric]
    assert default in choosable(task, grouped=default.grouped)
    assert default.front
    labels = drawn(kind)
    for groups in (None, GROUPS):
        shown = headline(report(task, labels, labels, groups, resamples=0, seed=0))
        assert shown is (None if default.grouped and groups is None else default)


def test_metrics_within_lists_of_a_report_have_titles_and_are_better_with_more():
    keys = [
        "auc",
        "ndcg@10",
        "ndcg@10_interval",
        "mean",
        "mean@3",
        "mrr",
        "mrr_lists",
        "fused(a).gauc",
        "fused(a).map@3",
    ]
    found = in_lists(dict.fromkeys([*keys, "rows", "gauc_groups"], 0))
    assert found == ["ndcg@10", "mean@3", "mrr", "fused(a).gauc", "fused(a).map@3"]
    titles = [title_of(key) for key in ("auc", *found)]
    assert titles == ["AUC", "NDCG@10", "mean@3", "MRR", "fused(a) GAUC", "fused(a) MAP@3"]
    assert {sign_of(key) for key in found} == {1.0}
    assert sign_of("log_loss") == -1.0


def test_a_report_without_the_default_metric_shows_another():
    assert headline({"log_loss": 0.3, "rows": 4}).name == "log_loss"
