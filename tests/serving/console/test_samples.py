import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from serving.console.samples import samples


@pytest.fixture
def registry():
    own = CollectorRegistry()
    requests = Counter("ranker_requests", "Requests.", ["outcome"], registry=own)
    requests.labels("ok").inc(3)
    requests.labels("invalid")
    Gauge("ranker_in_flight", "Requests.", registry=own).set(2)
    Gauge("python_threads", "Not the service's.", registry=own).set(9)
    seconds = Histogram("ranker_stage_seconds", "Seconds.", ["stage"], buckets=(0.1, 1), registry=own)
    for value in (0.05, 0.5, 0.6, 7.0):
        seconds.labels("score").observe(value)
    seconds.labels("read").observe(0.2)
    return own


def test_counts_and_gauges_have_their_labels_and_values(registry):
    found = samples(registry.collect())
    assert found["ranker_requests_total"] == [
        {"labels": {"outcome": "ok"}, "value": 3.0},
        {"labels": {"outcome": "invalid"}, "value": 0.0},
    ]
    assert found["ranker_in_flight"] == [{"labels": {}, "value": 2.0}]
    assert set(found) == {"ranker_requests_total", "ranker_in_flight", "ranker_stage_seconds"}


def test_a_histogram_is_one_sample_with_its_buckets(registry):
    score, read = samples(registry.collect())["ranker_stage_seconds"]
    assert score["labels"] == {"stage": "score"}
    assert score["buckets"] == [(0.1, 1.0), (1.0, 3.0), (None, 4.0)]
    assert (score["count"], score["sum"]) == (4.0, pytest.approx(8.15))
    assert read["buckets"] == [(0.1, 0.0), (1.0, 1.0), (None, 1.0)]


def test_they_are_those_of_the_text_format(registry):
    text = generate_latest(registry).decode()
    assert samples(text_string_to_metric_families(text)) == samples(registry.collect())
