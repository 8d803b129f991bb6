"""What Prometheus reads, by model and group: outcomes, seconds, candidates, unknown values, drift, versions."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal, TypeAlias

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from serving.features.users import OUTCOMES
from serving.observability import reserved_metrics
from serving.observability.drift import Drift, features_with_ids
from serving.observability.log_queue import dropped_lines
from serving.observability.process_metrics import ProcessMetrics
from serving.process.worker_counts import WorkerCounts
from serving.ranking.ranker import Ranker
from serving.ranking.request_trace import STAGES, RequestTrace

MULTIPROCESS = "PROMETHEUS_MULTIPROC_DIR"
Several: TypeAlias = Literal["liveall", "livemax", "livemin", "livesum"]
"""How the values of several workers become one sample or many; dead workers have none."""
reserved_metrics.install()
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.0005, 0.001, 0.002, 0.004, 0.006, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
STAGE_SECONDS = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5)
CANDIDATES = (1, 10, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)
REQUESTS = (
    "ok", "invalid", "overloaded", "deadline", "too_large", "slow_body", "left", "failed", "unauthorised",
)  # fmt: skip
"""Outcomes of requests to /rank."""
RELOADS = ("loaded", "rolled_back", "unreadable", "schema", "scores", "engine", "experiment", "items", "version_file")


class Metrics:
    """One worker's metrics; several workers write below ``PROMETHEUS_MULTIPROC_DIR``, and any one reads them all."""

    def __init__(self, runtime: Path | None = None) -> None:
        """``runtime`` is the folder that the workers share."""
        own = self._own = CollectorRegistry()

        def gauge(name: str, told: str, labels: list[str], several: Several) -> Gauge:
            return Gauge(name, told, labels, registry=own, multiprocess_mode=several)

        self._requests = Counter(
            "ranker_requests",
            "Requests to /rank by outcome, and by model, version and group where it came to that.",
            ["outcome", "model", "version", "group"],
            registry=own,
        )
        self._duration = Histogram(
            "ranker_request_seconds",
            "From a request's headers to its ranking.",
            ["model", "group"],
            buckets=SECONDS,
            registry=own,
        )
        stages = Histogram(
            "ranker_stage_seconds", "Time of each stage of a request.", ["stage"], buckets=STAGE_SECONDS, registry=own
        )
        self._stages = {stage: stages.labels(stage) for stage in STAGES}
        self._candidates = Histogram(
            "ranker_candidates", "Candidates of a ranked request.", ["model", "group"], buckets=CANDIDATES, registry=own
        )
        self.in_flight = gauge("ranker_in_flight", "Requests that are held now.", [], "livesum")
        sampled = {
            "waiting": "Requests that wait for a thread.",
            "receiving": "Requests whose body is still coming.",
            "connections": "Open connections.",
        }
        self._sampled = {name: gauge(f"ranker_{name}", told, [], "livesum") for name, told in sampled.items()}
        self._samples: dict[str, Callable[[], int]] = {}
        self.connections_refused = Counter(
            "ranker_connections_refused",
            "Connections ended before their request reached a route, by cause.",
            ["cause"],
            registry=own,
        )
        self._dropped = Counter(
            "ranker_log_lines_dropped", "Lines of the log that could not be written in time.", registry=own
        )
        self._dropped_before = 0
        self._ids = Counter("ranker_ids", "Ids in a sample of requests.", ["model", "feature"], registry=own)
        self._unknown = Counter(
            "ranker_unknown_ids",
            "Ids in a sample of requests that training did not keep.",
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
            "Index above which served scores are spread otherwise than parts of the validation scores.",
            ["model", "objective"],
            "livemax",
        )
        self._version = gauge("ranker_model_version", "Version of a model that a worker serves.", ["model"], "liveall")
        self._age = gauge(
            "ranker_model_age_seconds", "Time since the version that is served was exported.", ["model"], "livemax"
        )
        self._refused = gauge(
            "ranker_version_refused", "1 while a version that would be served is refused.", ["model"], "livemax"
        )
        self._workers = WorkerCounts(runtime)
        own.register(self._workers)
        self._items = gauge("ranker_items", "Items that a worker looks up by id.", ["model"], "livemin")
        self._looked_up = Counter("ranker_looked_up_items", "Ids looked up among the items.", ["model"], registry=own)
        self._unknown_items = Counter(
            "ranker_unknown_items", "Ids looked up that the items do not have.", ["model"], registry=own
        )
        users = Counter("ranker_users", "Users looked up, by what came of it.", ["outcome"], registry=own)
        self._users = {outcome: users.labels(outcome) for outcome in OUTCOMES}
        self.reloads = Counter("ranker_reloads", "Versions loaded or refused.", ["model", "outcome"], registry=own)
        self._drift: dict[str, tuple[Ranker, Drift]] = {}
        self._process = ProcessMetrics(own)
        for outcome in REQUESTS:
            self._requests.labels(outcome, "", "", "")

    def sample(self, name: str, count: Callable[[], int]) -> None:
        """Look at a count now and then; ``name`` is that of the gauge behind ``ranker_``."""
        self._samples[name] = count

    def serve(self, model: str, ranker: Ranker) -> None:
        """A model's other version is served from now on; its drift is measured anew."""
        for outcome in RELOADS:
            self.reloads.labels(model, outcome)  # a rate can be taken only of a series that was there before
        self._drift[model] = ranker, Drift(ranker.artifact)
        version = ranker.artifact.manifest.version
        self._version.labels(model).set(version)
        for outcome in ("ok", "invalid", "deadline", "failed"):
            self._requests.labels(outcome, model, str(version), "")
        self._refused.labels(model)
        for task, spread in ranker.artifact.spreads.items():
            self._index.labels(model, task).set(0)
            self._threshold.labels(model, task).set(spread.threshold)
        for feature in features_with_ids(ranker.artifact):
            self._ids.labels(model, feature)
            self._unknown.labels(model, feature)
        if ranker.items is not None:
            self._looked_up.labels(model)
            self._unknown_items.labels(model)
        self.serve_items(model, ranker)

    def show_refused(self, model: str, refused: bool) -> None:
        """Say whether a version that would be served is refused."""
        self._refused.labels(model).set(refused)

    def serve_items(self, model: str, ranker: Ranker) -> None:
        """Other items are looked up from now on."""
        self._items.labels(model).set(len(ranker.items or ()))

    def unauthorised(self) -> None:
        """Count a request that was let in no further for want of a key."""
        self._requests.labels("unauthorised", "", "", "").inc()

    def record(self, outcome: str, watch: RequestTrace) -> None:
        """Count a request that has its answer; arrays are only kept by reference, for :meth:`measure`."""
        for stage, seconds in list(watch.seconds.items()):  # a thread may still be in a stage
            self._stages[stage].observe(seconds)
        route = watch.route
        if route is None:  # refused before it was read
            self._requests.labels(outcome, "", "", "").inc()
            return
        self._requests.labels(outcome, route.model, str(route.version), route.group).inc()
        if watch.looked_up:
            self._looked_up.labels(route.model).inc(watch.looked_up)
            self._unknown_items.labels(route.model).inc(watch.unknown)
        if watch.user is not None:
            self._users[watch.user].inc()
        if outcome == "ok" and watch.packed is not None and watch.scores is not None:
            self._duration.labels(route.model, route.group).observe(sum(watch.seconds.values()))
            self._candidates.labels(route.model, route.group).observe(len(watch.scores))
            ranker, drift = self._drift[route.model]
            if ranker is route.ranker:
                drift.keep(watch.packed, watch.scores)

    def measure(self) -> None:
        """Bring what was kept into the metrics; called a few times a second, outside of any request."""
        self._process.measure()
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
        """Make the folder of several workers' metrics where somebody removed it; return whether it was gone."""
        folder = Path(os.environ.get(MULTIPROCESS, "."))
        if folder.is_dir():
            return False
        folder.mkdir(parents=True, exist_ok=True)
        return True

    def bury(self, pid: int) -> None:
        """Forget the gauges of a worker that died."""
        if MULTIPROCESS in os.environ:
            mark_process_dead(pid)  # type: ignore[no-untyped-call]

    def text(self) -> bytes:
        """All workers' metrics in Prometheus's text format."""
        if MULTIPROCESS not in os.environ:
            return generate_latest(self._own)
        together = CollectorRegistry()
        together.register(self._workers)
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]
        return generate_latest(together)
