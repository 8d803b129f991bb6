"""What Prometheus reads: counts of outcomes, seconds of stages, candidates, unknown values, drift, versions."""

import os

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from serving.drift import Drift
from serving.rank import Ranker
from serving.users import OUTCOMES
from serving.watch import STAGES, Watch

MULTIPROCESS = "PROMETHEUS_MULTIPROC_DIR"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.0005, 0.001, 0.002, 0.004, 0.006, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
STAGE_SECONDS = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5)
CANDIDATES = (1, 10, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)
RELOADS = ("loaded", "rolled_back", "unreadable", "schema", "scores", "engine", "items")


class Metrics:
    """One worker's metrics; several workers write below ``PROMETHEUS_MULTIPROC_DIR``, and any one reads them all."""

    def __init__(self) -> None:
        own = self._own = CollectorRegistry()
        self._requests = Counter(
            "ranker_requests", "Requests to /rank by outcome and version.", ["outcome", "version"], registry=own
        )
        self._duration = Histogram(
            "ranker_request_seconds", "From a request's headers to its ranking.", buckets=SECONDS, registry=own
        )
        stages = Histogram(
            "ranker_stage_seconds", "Time of each stage of a request.", ["stage"], buckets=STAGE_SECONDS, registry=own
        )
        self._stages = {stage: stages.labels(stage) for stage in STAGES}
        self._candidates = Histogram(
            "ranker_candidates", "Candidates of a ranked request.", buckets=CANDIDATES, registry=own
        )
        self.in_flight = Gauge(
            "ranker_in_flight", "Requests that are held now.", registry=own, multiprocess_mode="livesum"
        )
        self._ids = Counter("ranker_ids", "Ids in a sample of requests.", ["feature"], registry=own)
        self._unknown = Counter(
            "ranker_unknown_ids", "Ids in a sample of requests that training did not keep.", ["feature"], registry=own
        )
        self._index = Gauge(
            "ranker_score_psi",
            "Population stability index of served scores against validation scores.",
            ["objective"],
            registry=own,
            multiprocess_mode="livemax",
        )
        self._version = Gauge(
            "ranker_model_version", "Version that a worker serves.", registry=own, multiprocess_mode="liveall"
        )
        self._items = Gauge(
            "ranker_items", "Items that a worker looks up by id.", registry=own, multiprocess_mode="livemin"
        )
        self._unknown_items = Counter("ranker_unknown_items", "Ids looked up that the items do not have.", registry=own)
        users = Counter("ranker_users", "Users looked up, by what came of it.", ["outcome"], registry=own)
        self._users = {outcome: users.labels(outcome) for outcome in OUTCOMES}
        self.reloads = Counter("ranker_reloads", "Versions loaded or refused.", ["outcome"], registry=own)
        for outcome in RELOADS:
            self.reloads.labels(outcome)  # a rate can be taken only of a series that was there before
        self._drift: Drift | None = None
        self._ranker: Ranker | None = None

    def serve(self, ranker: Ranker) -> None:
        """Another version is served from now on; drift is measured anew."""
        self._ranker, self._drift = ranker, Drift(ranker.artifact)
        self._version.set(ranker.artifact.manifest.version)
        for task in ranker.artifact.spreads:
            self._index.labels(task).set(0)
        self.serve_items(ranker)

    def serve_items(self, ranker: Ranker) -> None:
        """Other items are looked up from now on."""
        self._items.set(len(ranker.items or ()))

    def record(self, outcome: str, ranker: Ranker, watch: Watch) -> None:
        """Count a request that has its answer; arrays are only kept by reference, for :meth:`measure`."""
        self._requests.labels(outcome, str(ranker.artifact.manifest.version)).inc()
        for stage, seconds in watch.seconds.items():
            self._stages[stage].observe(seconds)
        if watch.unknown:
            self._unknown_items.inc(watch.unknown)
        if watch.user is not None:
            self._users[watch.user].inc()
        if outcome == "ok" and watch.packed is not None and watch.scores is not None:
            self._duration.observe(sum(watch.seconds.values()))
            self._candidates.observe(len(watch.scores))
            if self._drift is not None and ranker is self._ranker:
                self._drift.keep(watch.packed, watch.scores)

    def measure(self) -> None:
        """Bring what was kept into the metrics; called a few times a second, outside of any request."""
        drift = self._drift
        if drift is None:
            return
        for feature, (ids, unknown) in drift.take().items():
            self._ids.labels(feature).inc(ids)
            self._unknown.labels(feature).inc(unknown)
        for task, index in drift.indices().items():
            self._index.labels(task).set(index)

    def bury(self, pid: int) -> None:
        """Forget the gauges of a worker that died."""
        if MULTIPROCESS in os.environ:
            mark_process_dead(pid)  # type: ignore[no-untyped-call]

    def text(self) -> bytes:
        """All workers' metrics in Prometheus's text format."""
        if MULTIPROCESS not in os.environ:
            return generate_latest(self._own)
        together = CollectorRegistry()
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]
        return generate_latest(together)
