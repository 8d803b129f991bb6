"""Prometheus metrics by model and group: outcomes, latencies, candidates, unknown ids, drift, versions."""

import os
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, TypeAlias

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from serving.features.users import OUTCOMES
from serving.observability import reserved_metrics
from serving.observability.drift import Drift, features_with_ids
from serving.observability.exposure_metrics import ExposureMetrics
from serving.observability.log_queue import dropped_lines
from serving.observability.process_metrics import ProcessMetrics
from serving.process.worker_counts import WorkerCounts
from serving.ranking.ranker import Ranker
from serving.ranking.request_trace import STAGES, RequestTrace

MULTIPROCESS = "PROMETHEUS_MULTIPROC_DIR"
Aggregation: TypeAlias = Literal["liveall", "livemax", "livemin", "livesum"]
"""How the gauges of the living workers are combined."""
reserved_metrics.install()
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.0005, 0.001, 0.002, 0.004, 0.006, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
STAGE_SECONDS = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5)
MERGED = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
CANDIDATES = (1, 10, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)
REQUESTS = (
    "ok", "invalid", "overloaded", "no_scorer", "deadline", "too_large", "slow_body", "left", "failed", "unauthorised",
)  # fmt: skip
"""Outcomes of requests to /rank."""
RELOADS = ("loaded", "rolled_back", "unreadable", "schema", "scores", "engine", "experiment", "items", "version_file")


class Metrics:
    """One worker's metrics; workers share them through ``PROMETHEUS_MULTIPROC_DIR``, and any one can report all."""

    def __init__(self, runtime: Path | None = None) -> None:
        """``runtime`` is the folder that the workers share."""
        own = self._own = CollectorRegistry()

        def gauge(name: str, description: str, labels: list[str], aggregation: Aggregation) -> Gauge:
            return Gauge(name, description, labels, registry=own, multiprocess_mode=aggregation)

        self._requests = Counter(
            "ranker_requests",
            "Requests to /rank by outcome, and by model, version and group if the request was routed.",
            ["outcome", "model", "version", "group"],
            registry=own,
        )
        self._duration = Histogram(
            "ranker_request_seconds",
            "Seconds from a request's headers to its ranking.",
            ["model", "group"],
            buckets=SECONDS,
            registry=own,
        )
        stages = Histogram(
            "ranker_stage_seconds",
            "Seconds of each stage of a request.",
            ["stage"],
            buckets=STAGE_SECONDS,
            registry=own,
        )
        self._stages = {stage: stages.labels(stage) for stage in STAGES}
        self._candidates = Histogram(
            "ranker_candidates", "Candidates per ranked request.", ["model", "group"], buckets=CANDIDATES, registry=own
        )
        self._cascade = Counter(
            "ranker_cascade_candidates",
            "Candidates of requests ranked in two stages, by the model that scored them.",
            ["model", "scored_by"],
            registry=own,
        )
        self._scorer_wait = Histogram(
            "ranker_scorer_wait_seconds",
            "Seconds that a request waits in the scorer for its run.",
            buckets=STAGE_SECONDS,
            registry=own,
        )
        self._merged = Histogram(
            "ranker_scorer_merged_requests", "Requests of each run of the scorer.", buckets=MERGED, registry=own
        )
        self.in_flight = gauge("ranker_in_flight", "Requests being served or waiting.", [], "livesum")
        sampled = {
            "waiting": "Requests waiting for a thread.",
            "receiving": "Requests whose body is being received.",
            "connections": "Open connections.",
        }
        self._sampled = {name: gauge(f"ranker_{name}", text, [], "livesum") for name, text in sampled.items()}
        self._samples: dict[str, Callable[[], int]] = {}
        self.connections_refused = Counter(
            "ranker_connections_refused",
            "Connections closed before their request reached a route, by cause.",
            ["cause"],
            registry=own,
        )
        self._dropped = Counter(
            "ranker_log_lines_dropped", "Log lines dropped because they could not be written in time.", registry=own
        )
        self._dropped_before = 0
        self._ids = Counter("ranker_ids", "Ids in a sample of requests.", ["model", "feature"], registry=own)
        self._unknown = Counter(
            "ranker_unknown_ids",
            "Ids in a sample of requests that are not in the vocabulary.",
            ["model", "feature"],
            registry=own,
        )
        self._index = gauge(
            "ranker_score_psi",
            "Population stability index of served scores against validation scores.",
            ["model", "objective"],
            "livemax",
        )
        self._threshold = gauge(
            "ranker_score_psi_threshold",
            "Index above which served scores differ more from validation scores than parts of these do.",
            ["model", "objective"],
            "livemax",
        )
        self._version = gauge("ranker_model_version", "Version of a model that a worker serves.", ["model"], "liveall")
        self._age = gauge(
            "ranker_model_age_seconds", "Seconds since the served version was exported.", ["model"], "livemax"
        )
        self._refused = gauge(
            "ranker_version_refused", "1 while a version that should be served is refused.", ["model"], "livemax"
        )
        self._workers = WorkerCounts(runtime)
        own.register(self._workers)
        self._items = gauge("ranker_items", "Items that can be looked up by id.", ["model"], "livemin")
        self._looked_up = Counter("ranker_looked_up_items", "Item ids looked up.", ["model"], registry=own)
        self._unknown_items = Counter(
            "ranker_unknown_items", "Item ids looked up that are unknown.", ["model"], registry=own
        )
        users = Counter("ranker_users", "User look-ups by outcome.", ["outcome"], registry=own)
        self._users = {outcome: users.labels(outcome) for outcome in OUTCOMES}
        self.reloads = Counter("ranker_reloads", "Versions loaded or refused.", ["model", "outcome"], registry=own)
        self.exposures = ExposureMetrics(own)
        self._drift: dict[str, tuple[Ranker, Drift]] = {}
        self._process = ProcessMetrics(own)
        for outcome in REQUESTS:
            self._requests.labels(outcome, "", "", "")

    def sample(self, name: str, count: Callable[[], int]) -> None:
        """Register a count to be sampled by :meth:`measure` into the gauge ``ranker_<name>``."""
        self._samples[name] = count

    def serve(self, model: str, ranker: Ranker) -> None:
        """Start serving a version of a model; its drift statistics start empty."""
        for outcome in RELOADS:
            self.reloads.labels(model, outcome)  # create the series, since a rate needs a first value
        self._drift[model] = ranker, Drift(ranker.artifact)
        version = ranker.artifact.manifest.version
        self._version.labels(model).set(version)
        for outcome in ("ok", "invalid", "no_scorer", "deadline", "failed"):
            self._requests.labels(outcome, model, str(version), "")
        self._refused.labels(model)
        for task, spread in ranker.artifact.spreads.items():
            self._index.labels(model, task).set(0)
            self._threshold.labels(model, task).set(spread.threshold)
        for feature in features_with_ids(ranker.artifact):
            self._ids.labels(model, feature)
            self._unknown.labels(model, feature)
        if ranker.model.cascade is not None:
            for scored_by in ("full", "student"):
                self._cascade.labels(model, scored_by)
        if ranker.items is not None:
            self._looked_up.labels(model)
            self._unknown_items.labels(model)
        self.serve_items(model, ranker)

    def show_refused(self, model: str, refused: bool) -> None:
        """Set whether a version that should be served is refused."""
        self._refused.labels(model).set(refused)

    def serve_items(self, model: str, ranker: Ranker) -> None:
        """Set the number of items that can be looked up."""
        self._items.labels(model).set(len(ranker.items or ()))

    def unauthorised(self) -> None:
        """Count a request refused for a missing or invalid key."""
        self._requests.labels("unauthorised", "", "", "").inc()

    def record(self, outcome: str, trace: RequestTrace) -> None:
        """Count an answered request; arrays are only kept by reference, for :meth:`measure`."""
        for stage, seconds in list(trace.seconds.items()):  # a thread may still be in a stage
            self._stages[stage].observe(seconds)
        route = trace.route
        if route is None:  # refused before it was read
            self._requests.labels(outcome, "", "", "").inc()
            return
        self._requests.labels(outcome, route.model, str(route.version), route.group).inc()
        if trace.looked_up:
            self._looked_up.labels(route.model).inc(trace.looked_up)
            self._unknown_items.labels(route.model).inc(trace.unknown)
        if trace.user is not None:
            self._users[trace.user].inc()
        if trace.scored is not None and trace.scored.merged:
            self._scorer_wait.observe(trace.scored.waited)
            if trace.scored.first:
                self._merged.observe(trace.scored.merged)
        if outcome == "ok" and trace.packed is not None and trace.scores is not None:
            self._duration.labels(route.model, route.group).observe(sum(trace.seconds.values()))
            self._candidates.labels(route.model, route.group).observe(len(trace.scores))
            if trace.by_full is not None:
                self._cascade.labels(route.model, "full").inc(trace.by_full)
                self._cascade.labels(route.model, "student").inc(len(trace.scores) - trace.by_full)
            ranker, drift = self._drift[route.model]
            if ranker is route.ranker:
                drift.keep(trace.packed, trace.scores)

    def measure(self) -> None:
        """Update the sampled metrics; called a few times a second, outside requests."""
        self._process.measure()
        self.exposures.measure()
        for name, count in self._samples.items():
            self._sampled[name].set(count())
        dropped = dropped_lines()
        self._dropped.inc(dropped - self._dropped_before)
        self._dropped_before = dropped
        for model, (ranker, drift) in list(self._drift.items()):
            self._age.labels(model).set(time.time() - ranker.artifact.manifest.created.timestamp())
            for feature, (ids, unknown) in drift.take().items():
                self._ids.labels(model, feature).inc(ids)
                self._unknown.labels(model, feature).inc(unknown)
            for task, index in drift.indices().items():
                self._index.labels(model, task).set(index)

    def mend(self) -> bool:
        """Recreate the shared metrics folder if it was removed; return whether it was."""
        folder = Path(os.environ.get(MULTIPROCESS, "."))
        if folder.is_dir():
            return False
        folder.mkdir(parents=True, exist_ok=True)
        return True

    def remove_worker(self, pid: int) -> None:
        """Remove the gauges of a dead worker."""
        if MULTIPROCESS in os.environ:
            mark_process_dead(pid)  # type: ignore[no-untyped-call]

    def text(self) -> bytes:
        """All workers' metrics in Prometheus's text format."""
        return generate_latest(self._together())

    def families(self) -> list[Metric]:
        """All workers' metrics, as in :meth:`text`."""
        return list(self._together().collect())

    def requests_by_group(self, families: Sequence[Metric] | None = None) -> dict[str, float]:
        """Requests so far by group of an experiment, of all workers, models and outcomes.

        ``families`` are those of :meth:`families`, if they have been collected already.
        """
        counts: defaultdict[str, float] = defaultdict(float)
        for family in self.families() if families is None else families:
            if family.name == "ranker_requests":
                for sample in family.samples:
                    if sample.name == "ranker_requests_total":
                        counts[sample.labels["group"]] += sample.value
        return {group: count for group, count in counts.items() if group and not group.startswith("_")}

    def _together(self) -> CollectorRegistry:
        """The registry of this worker if it is alone, else one that reads the files of all."""
        if MULTIPROCESS not in os.environ:
            return self._own
        together = CollectorRegistry()
        together.register(self._workers)
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]
        return together
