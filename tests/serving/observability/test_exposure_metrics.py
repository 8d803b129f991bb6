"""Metrics of the exposure log."""

from types import SimpleNamespace

from prometheus_client import CollectorRegistry

from serving.observability.exposure_metrics import DROPPED, ExposureMetrics


def test_counts_grow_by_what_was_added_since_and_begin_at_zero():
    registry = CollectorRegistry()
    metrics = ExposureMetrics(registry)

    def value(name, **labels):
        return registry.get_sample_value(f"ranker_exposures_{name}", labels)

    metrics.measure()
    assert [value("dropped_total", cause=cause) for cause in DROPPED] == [0.0] * 3
    counts = SimpleNamespace(
        requests=2, rows=40, bytes=100, dropped={"queue_full": 1}, waiting_bytes=7, unwritten_seconds=0.5
    )
    metrics.watch(counts)
    metrics.measure()
    metrics.measure()
    assert (value("requests_total"), value("rows_total"), value("bytes_total")) == (2, 40, 100)
    counts.requests, counts.dropped, counts.waiting_bytes = 5, {"queue_full": 1, "ended": 2}, 0
    metrics.measure()
    assert (value("requests_total"), value("queue_bytes"), value("unwritten_seconds")) == (5, 0, 0.5)
    assert [value("dropped_total", cause=cause) for cause in DROPPED] == [1, 0, 2]
