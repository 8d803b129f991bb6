"""Metrics as text."""

import numpy as np
import pytest

from training.experiments.metrics import MetricError, default_metrics, distinct, metric_of, names_of

KINDS = ["click", "watch", "add-to-cart"]
TOTALS = {
    "users": np.ones(3),
    "requests": np.array([1.0, 2, 4]),
    "impressions": np.array([10.0, 20, 40]),
    "click": np.array([0.0, 3, 1]),
    "watch": np.array([0.0, 1, 1]),
    "watch.value": np.array([0.0, 30, 90]),
    "add_to_cart": np.array([0.0, 0, 1]),
}


@pytest.mark.parametrize(
    ("text", "numerator", "denominator"),
    [
        ("click / requests", [0, 3, 1], [1, 2, 4]),
        ("watch.value / users", [0, 30, 90], [1, 1, 1]),
        ("(click > 0) / users", [0, 1, 1], [1, 1, 1]),
        ("reach = min(watch.value, 60) / users", [0, 30, 60], [1, 1, 1]),
        ("(click + 5 * add_to_cart) / (impressions - requests)", [0, 3, 6], [9, 18, 36]),
        ("click / requests / users", [0, 1.5, 0.25], [1, 1, 1]),
        ("1 / users", [1, 1, 1], [1, 1, 1]),
    ],
)
def test_formulas_are_evaluated_by_unit(text, numerator, denominator):
    metric = metric_of(text, KINDS)
    top, bottom = metric.sums(TOTALS)
    assert (top.tolist(), bottom.tolist()) == (numerator, denominator)
    assert set(metric.names) <= set(TOTALS)


def test_a_metric_is_called_by_its_name_or_formula():
    assert metric_of("ctr = click/requests", KINDS).name == "ctr"
    assert metric_of("clicks a request = click/requests", KINDS).name == "clicks a request"
    assert metric_of("ctr = click/requests", KINDS).formula == "click/requests"
    assert metric_of(" watch.value\n / users", KINDS, "less").name == "watch.value / users"
    assert metric_of("(click == 1) / users", KINDS).name == "(click == 1) / users"
    assert metric_of("watch.value / users", KINDS).names == ["watch.value", "users"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("click", "a metric is NUMERATOR / DENOMINATOR"),
        ("click + watch / users", "put sums and comparisons into parentheses"),
        ("clicks / users", "'clicks' at character 1 of 'clicks / users' is not a known name; did you mean 'click'"),
        ("watch.valu / users", "is not part of the grammar"),
        ("watch.values / users", "is not part of the grammar"),
        ("lik.value / users", "'lik.value' at character 1 of 'lik.value / users' is not a known name"),
        ("click / ", "is not a valid formula"),
        ("", "must not be empty"),
        ("__import__('os') / users", "is not a known function"),
        ("'a' / users", "is text"),
        ("sqrt / users", "is not a known name"),
        ("click / " + "users + " * 3000 + "1", "at most 2000 characters"),
    ],
)
def test_what_is_no_metric_is_refused(text, message):
    with pytest.raises(MetricError, match=r"^metric ") as error:
        metric_of(text, KINDS)
    assert message in str(error.value)
    assert "·" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("watch.value / click / users", "the numerator is undefined or infinite for 1 of 3 units"),
        ("click / (watch - 1)", "the denominator is below 0 for 1 units"),
        ("exp(1000 * click) / users", "the numerator is undefined or infinite for 2 of 3 units"),
    ],
)
def test_what_is_undefined_for_a_unit_is_refused(text, message):
    with pytest.raises(MetricError, match=message):
        metric_of(text, KINDS).sums(TOTALS)


def test_kinds_that_are_no_names():
    assert names_of(["add-to-cart", "5 stars", "like"]) == {
        "add_to_cart": "add-to-cart",
        "_5_stars": "5 stars",
        "like": "like",
    }
    with pytest.raises(MetricError, match="'a-b' and 'a b' of events are both written a_b"):
        names_of(["a-b", "a b"])
    with pytest.raises(MetricError, match="kind 'users' cannot be used"):
        names_of(["users"])


def test_defaults_are_counts_by_request_and_values_by_user():
    assert [one.name for one in default_metrics(KINDS, {"watch"})] == [
        "click / requests",
        "watch.value / users",
        "add_to_cart / requests",
    ]
    with pytest.raises(MetricError, match="two metrics are called 'click / users'"):
        distinct([metric_of("click / users", KINDS)] * 2)
