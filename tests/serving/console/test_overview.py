"""What the page shows of a service equals ``/metrics`` and ``/admin/status``, to the digits that it shows."""

from itertools import pairwise

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.serving.asking import CLIENT, patiently
from tests.serving.console.conftest import ADMIN, bearer
from tests.serving.console.shown import DASH, go, number, poll, table


@pytest.fixture(scope="module")
def asked(console):
    """Requests of many users, some of them wrong, counted by both workers."""
    for user in range(60):
        context = {**console.request["context"], "user": user}
        assert console.rank({**console.request, "context": context}).status_code == 200
    for _ in range(3):
        assert console.rank({}).status_code == 422
    assert console.rank(console.request, "a key that is not known").status_code == 401
    patiently(lambda: sum(value for _, value in samples(console, "ranker_requests_total")) >= 64)


def samples(console, name):
    """Labels and values of a metric in the text of ``/metrics``."""
    text = CLIENT.get(f"{console.url}/metrics", headers=bearer(ADMIN)).text
    families = text_string_to_metric_families(text)
    return [(one.labels, one.value) for family in families for one in family.samples if one.name == name]


def total(console, name, **labels):
    return sum(value for found, value in samples(console, name) if labels.items() <= found.items())


def quantile(console, name, share, **labels):
    """As Prometheus computes it: linear within a bucket."""
    counts: dict[float, float] = {}
    for found, value in samples(console, f"{name}_bucket"):
        if labels.items() <= found.items():
            counts[float(found["le"])] = counts.get(float(found["le"]), 0.0) + value
    rank = share * max(counts.values())
    for (low, before), (high, below) in pairwise([(0.0, 0.0), *sorted(counts.items())]):
        if below >= rank:
            return low + (high - low) * (rank - before) / (below - before)
    raise AssertionError("no bucket holds the rank")


def test_outcomes_are_those_of_metrics(console, asked, page):
    rows = {row["Outcome"]: row for row in table(page, "Requests by outcome")}
    for outcome in ("ok", "invalid", "unauthorised"):
        assert number(rows[outcome]["Requests"]) == total(console, "ranker_requests_total", outcome=outcome) > 0
    everything = total(console, "ranker_requests_total")
    assert rows["ok"]["Share"] == f"{100 * number(rows['ok']['Requests']) / everything:.1f} %"
    assert set(rows) == {"ok", "invalid", "unauthorised"}
    (version,) = table(page, "Requests by version")
    assert (version["Model"], version["Version"]) == ("shop", "2")
    assert number(version["Ranked"]) == total(console, "ranker_requests_total", outcome="ok", version="2")


def test_latency_is_that_of_the_histograms_of_all_workers(console, asked, page):
    rows = {row["Stage"]: row for row in table(page, "Latency by stage in milliseconds")}
    for stage in ("read", "parse", "encode", "score", "fuse", "respond"):
        for column, share in {"p50": 0.5, "p95": 0.95, "p99": 0.99}.items():
            expected = quantile(console, "ranker_stage_seconds", share, stage=stage) * 1e3
            assert number(rows[stage][column]) == pytest.approx(expected, abs=0.00501)
        seconds = total(console, "ranker_stage_seconds_sum", stage=stage)
        count = total(console, "ranker_stage_seconds_count", stage=stage)
        assert number(rows[stage]["mean"]) == pytest.approx(seconds / count * 1e3, abs=0.00501)
    whole = quantile(console, "ranker_request_seconds", 0.95) * 1e3
    assert number(rows["whole request"]["p95"]) == pytest.approx(whole, abs=0.00501)
    assert f"p95 {rows['whole request']['p95']}" in page.text()


def test_versions_are_those_of_the_status(console, page):
    status = console.get("/admin/status")["models"]["shop"]
    (row,) = table(page, "Models and their versions")
    assert (row["Model"], row["Version"], row["Available"], row["Refused"]) == ("shop", "2", "1, 2, 3", "3 (scores)")
    assert row["Workers"] == "all 2"
    assert page.text().count(status["last_refused"]["reason"]) == 1
    assert page.run(f"new Date('{status['since']}').getHours()") == int(row["Served since"][11:13])


def test_drift_and_workers_are_those_of_metrics(console, asked, page):
    rows = {row["Objective"]: row for row in table(page, "Population stability index of served scores")}
    assert set(rows) == {"click", "buy", "watch"}
    for objective, row in rows.items():
        threshold = total(console, "ranker_score_psi_threshold", objective=objective)
        assert number(row["Threshold"]) == pytest.approx(threshold, abs=5.1e-5)
        assert number(row["Index"]) == total(console, "ranker_score_psi", objective=objective) == 0.0
        assert row["State"] == "too few scores"
    workers = {row["What"]: row["Now"] for row in table(page, "Workers")}
    assert workers["alive"] == "2 of 2"
    assert workers["restarts"] == "0"


def test_groups_are_counted_and_compared_with_their_shares(console, asked, page):
    go(page, "experiment")
    rows = {row["Group"]: row for row in table(page, "Groups of june")}
    assert list(rows) == ["control", "bold", "calm"]
    counts = {group: total(console, "ranker_requests_total", group=group) for group in rows}
    assert {group: number(row["Requests"]) for group, row in rows.items()} == counts
    assert number(rows["control"]["Expected"]) == pytest.approx(sum(counts.values()) / 2, abs=0.5)
    assert rows["bold"]["Fusion"] == "default; share click 4; rerank false"
    assert rows["calm"]["Fusion"] == "calm"
    p50 = quantile(console, "ranker_request_seconds", 0.5, group="control") * 1e3
    assert number(rows["control"]["p50 ms"]) == pytest.approx(p50, abs=0.00501)
    outside = total(console, "ranker_requests_total", group="_no_unit")
    assert outside == 0 or f"{outside:.0f} that name no user" in page.text()
    ratio = console.get("/admin/console")["experiment"]["ratio"]
    assert ("fit their shares" in page.text()) == (not ratio["mismatch"])


def test_exposures_are_those_of_metrics(console, asked, page):
    def written():
        rows = {row["What"]: row["Since start"] for row in table(page, "Exposure log")}
        requests = total(console, "ranker_exposures_requests_total")
        return requests > 0 and number(rows["requests written"]) == requests and rows

    rows = patiently(written)
    assert number(rows["rows written"]) == total(console, "ranker_exposures_rows_total")
    for cause in ("queue_full", "failed", "ended"):
        dropped = total(console, "ranker_exposures_dropped_total", cause=cause)
        assert number(rows[f"requests dropped: {cause}"]) == dropped == 0


def test_rates_come_from_the_polls_of_this_page(console, page):
    assert page.run("document.querySelector('.tile .value').textContent") == f"{DASH} a second"
    console.rank(console.request)
    poll(page)
    page.until(f"document.querySelector('.tile .value').textContent !== '{DASH} a second'")
    assert page.run("document.querySelectorAll('.sparkline').length") == 4
