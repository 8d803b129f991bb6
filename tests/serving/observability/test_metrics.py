"""What Prometheus would read, of real requests."""

import math
import resource
from pathlib import Path

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from ranker.encoding import Packed
from serving.observability.drift import FEWEST, FEWEST_REQUESTS, Drift
from serving.ranking.request_trace import STAGES
from tests.serving.asking import CLIENT, patiently, post
from tests.serving.conftest import server


def samples(url):
    text = CLIENT.get(f"{url}/metrics").text
    found = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {(s.name, *sorted(filter(None, s.labels.values()))): s.value for s in found}


@pytest.fixture(scope="module")
def own(artifact):
    with server(artifact.folder) as running:
        yield running.url


def test_outcomes_stages_and_candidates_are_counted(own, body):
    before = samples(own)
    for _ in range(3):
        assert post(own, body).status_code == 200
    assert post(own, {}).status_code == 422
    after = samples(own)

    def more(*name):
        return after[name] - before.get(name, 0)

    assert more("ranker_requests_total", "1", "default", "ok") == 3
    assert more("ranker_requests_total", "1", "default", "invalid") == 1
    assert more("ranker_request_seconds_count", "default") == 3
    assert more("ranker_candidates_sum", "default") == 60
    assert {stage: more("ranker_stage_seconds_count", stage) for stage in STAGES} == {
        **dict.fromkeys(STAGES, 3),
        "read": 4,
        "wait": 4,
        "sift": 0,
    }
    staged = sum(more("ranker_stage_seconds_sum", stage) for stage in STAGES)
    assert staged >= more("ranker_request_seconds_sum", "default")
    assert after[("ranker_in_flight",)] == 0
    assert after["ranker_model_version", "default"] == 1


def test_unknown_values_are_counted_by_feature(own, body):
    def settled():
        """Samples once the ids of all requests so far are counted, which is done a few times a second."""
        found = samples(own)
        return found if found.get(("ranker_ids_total", "item"), 0) == found.get(("ranker_candidates_sum",), 0) else None

    before = patiently(settled)
    assert post(own, {**body, "candidates": {**body["candidates"], "item": [10**6] * 20}}).status_code == 200

    def more(name):
        return samples(own).get((name, "default", "item"), 0) - before.get((name, "default", "item"), 0)

    # Counts come in by and by: the known items of requests before this one may still be on their way.
    patiently(lambda: more("ranker_unknown_ids_total") == 20)
    assert more("ranker_ids_total") >= 20


def packed_for(artifact, rows):
    widths = artifact.encoder.layout.widths()
    return Packed(
        np.ones((1, widths[0]), np.int32),
        np.zeros((1, widths[1]), np.float32),
        np.full((rows, widths[2]), 2, np.int32),
        np.zeros((rows, widths[3]), np.float32),
    )


def test_scores_spread_as_in_validation_give_no_index_and_shifted_ones_a_large_one(artifact):
    spreads = artifact.spreads
    assert list(spreads) == ["click", "buy", "watch"]
    drift = Drift(artifact)
    middles = {}
    for task, spread in spreads.items():
        middles[task] = np.concatenate([[spread.edges[0] - 1], (spread.edges[:-1] + spread.edges[1:]) / 2, [9.0]])
    same = np.stack([np.repeat(m, 12) for m in middles.values()], axis=1).astype(np.float32)
    assert len(same) == 120
    for _ in range(int(FEWEST_REQUESTS)):
        assert set(drift.indices().values()) == {0.0}
        drift.keep(packed_for(artifact, len(same)), same)
        unknown = drift.take()
        assert unknown["item"] == (120, 0)
        assert unknown["user"] == (1, 1)
    assert FEWEST <= FEWEST_REQUESTS * 120
    assert all(0 <= index < 1e-6 for index in drift.indices().values())
    for _ in range(100):
        drift.keep(packed_for(artifact, len(same)), np.full_like(same, 9.0))
        drift.take()
    assert all(index > 1 for index in drift.indices().values())


def test_scores_fade_with_time(artifact, monkeypatch):
    drift = Drift(artifact)
    for _ in range(120):
        drift.keep(packed_for(artifact, 12), np.zeros((12, 3), np.float32))
        drift.take()
    assert all(0 < index < math.inf for index in drift.indices().values())
    now = drift._aged + 600
    monkeypatch.setattr("serving.observability.drift.time.monotonic", lambda: now)
    drift.take()
    assert set(drift.indices().values()) == {0.0}  # 720 scores are too few


def test_many_scores_of_few_requests_give_no_index(artifact):
    drift = Drift(artifact)
    for _ in range(50):
        drift.keep(packed_for(artifact, 120), np.zeros((120, 3), np.float32))
        drift.take()
    assert set(drift.indices().values()) == {0.0}


def test_what_alerts_compare_is_there_from_the_start(own):
    found = samples(own)
    for name in ("ranker_ids_total", "ranker_unknown_ids_total"):
        assert (name, "default", "item") in found
        assert (name, "default", "user") in found
    assert found["ranker_score_psi_threshold", "click", "default"] == 0.25


def test_what_the_process_takes_is_measured(own, artifact):
    found = patiently(lambda: (now := samples(own))["process_open_fds",] and now)
    assert found["process_resident_memory_bytes",] > 2e7
    assert 10 < found["process_open_fds",] < found["process_max_fds",]
    assert found["process_cpu_seconds_total",] > 0.1
    with server(artifact.folder, "--workers", 2) as running:
        pids = patiently(lambda: workers_of(running))
        assert patiently(lambda: measured_of(running, pids))


def workers_of(running):
    """Process ids of a service's two workers, once both run."""
    children = Path(f"/proc/{running.process.pid}/task/{running.process.pid}/children").read_text().split()
    found = [pid for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    return found if len(found) == 2 else None


def measured_of(running, pids):
    """Whether the service's memory is that of all its workers together, as the system tells it."""
    pages = [int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in pids]
    resident = sum(pages) * resource.getpagesize()
    return 0.9 < samples(running.url)["process_resident_memory_bytes",] / resident < 1.1


def test_of_many_requests_and_candidates_a_sample_is_counted(artifact):
    drift = Drift(artifact)
    for _ in range(100):
        drift.keep(packed_for(artifact, 1000), np.zeros((1000, 3), np.float32))
    found = drift.take()
    assert found["user"] == (8, 8)
    assert found["item"] == (8 * 143, 0)  # every seventh of 1000
    assert drift.take() == {}


def test_an_endpoint_for_traces_without_their_packages_is_said_and_does_no_harm(artifact, body, monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    with server(artifact.folder) as running:
        assert post(running.url, body).status_code == 200
        said = patiently(lambda: running.logged("no traces"))
    assert "opentelemetry-sdk" in said[0]["reason"]
