"""Metrics of the exposure log: what was written and dropped, and how far the writer is behind."""

from collections.abc import Mapping
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge

DROPPED = ("queue_full", "failed", "ended")
"""Why requests are not logged: the queue was full, they could not be converted, or the process ended before."""


class Counts(Protocol):
    """What a writer counts since its start, and its state."""

    requests: int
    rows: int
    bytes: int

    @property
    def dropped(self) -> Mapping[str, int]:
        """Requests that are not logged, by cause."""

    @property
    def waiting_bytes(self) -> int:
        """Bytes of queued requests, roughly."""

    @property
    def unwritten_seconds(self) -> float:
        """Age of the oldest request that is not written yet; 0 if there is none."""


class ExposureMetrics:
    """One worker's metrics; all are 0 without a log."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, description: str) -> Counter:
            return Counter(f"ranker_exposures_{name}", description, registry=registry)

        self._counters = {
            "requests": counter("requests", "Requests written to the exposure log."),
            "rows": counter("rows", "Rows written to the exposure log."),
            "bytes": counter("bytes", "Bytes written to the exposure log, before compression."),
        }
        self._dropped = Counter(
            "ranker_exposures_dropped", "Requests that are not in the exposure log, by cause.", ["cause"],
            registry=registry,
        )  # fmt: skip
        self._queue = Gauge(
            "ranker_exposures_queue_bytes", "Bytes waiting for the exposure log.", registry=registry,
            multiprocess_mode="livesum",
        )  # fmt: skip
        self._unwritten = Gauge(
            "ranker_exposures_unwritten_seconds", "Age of the oldest exposure that is not written yet.",
            registry=registry, multiprocess_mode="livemax",
        )  # fmt: skip
        self._counts: Counts | None = None
        self._before: dict[str, int] = {}
        for cause in DROPPED:
            self._dropped.labels(cause)

    def watch(self, counts: Counts) -> None:
        """Measure a writer from now on."""
        self._counts = counts

    def measure(self) -> None:
        """Update the metrics; called a few times a second, outside requests."""
        counts = self._counts
        if counts is None:
            return
        for name, counter in self._counters.items():
            counter.inc(self._since(name, getattr(counts, name)))
        for cause, count in list(counts.dropped.items()):
            self._dropped.labels(cause).inc(self._since(cause, count))
        self._queue.set(counts.waiting_bytes)
        self._unwritten.set(counts.unwritten_seconds)

    def _since(self, name: str, count: int) -> int:
        """Growth of a count since the last call."""
        before, self._before[name] = self._before.get(name, 0), count
        return count - before
