"""Bounded work, deadlines, body sizes and the end of a service, against real server processes."""

import http.client
import json
import os
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import httpx
import pytest

from serving.http.admission import Admission
from serving.protocol.errors import Refusal
from tests.serving.asking import CLIENT, load, metric, patiently, post
from tests.serving.conftest import server, serving


@pytest.fixture(scope="module")
def small(artifact, scorer):
    """One request at a time and one waiting; bodies of at most 20 kB, which may take their time."""
    options = {"max_in_flight": 2, "concurrency": 1, "max_body_bytes": 20_000, "body_timeout": 600, "scorer": scorer}
    with server(artifact.folder, **options) as running:
        yield running


@pytest.fixture(scope="module")
def strict(artifact):
    """At most five candidates, in bodies that come within a second."""
    with serving(artifact.folder, max_candidates=5, body_timeout=1) as url:
        yield url


def receives(url, count):
    """Wait until so many bodies are on their way to the service."""
    patiently(lambda: metric(url, "ranker_receiving") == count)


def half_sent(url, text, path="/rank"):
    """A connection on which the head of a request and half of its body were sent."""
    connection = socket.create_connection((urlsplit(url).hostname, urlsplit(url).port))
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(text)}\r\n\r\n"
    connection.sendall(head.encode() + text.encode()[: len(text) // 2])
    return connection


def status_of(connection):
    response = http.client.HTTPResponse(connection)
    response.begin()
    return response.status, json.loads(response.read())


def test_bodies_that_come_slowly_take_no_place(small, body):
    text = json.dumps(body)
    receives(small.url, 0)
    held = [half_sent(small.url, text) for _ in range(40)]
    receives(small.url, 40)
    assert [post(small.url, body).status_code for _ in range(5)] == [200] * 5
    assert metric(small.url, "ranker_in_flight") == 0
    for connection in held:
        connection.sendall(text.encode()[len(text) // 2 :])
        assert status_of(connection)[0] in (200, 503)  # they may all be whole at once now
        connection.close()


@pytest.mark.parametrize(("options", "many"), [({"max_receiving": 3}, 3), ({"max_receiving_bytes": 20_000}, 0)])
def test_of_too_many_slow_bodies_the_slowest_is_given_up(artifact, body, options, many):
    text = json.dumps(body).ljust(18_000)
    with serving(artifact.folder, max_body_bytes=20_000, body_timeout=600, **options) as url:
        first, *others = [half_sent(url, text) for _ in range(many or 3)]
        if many:
            receives(url, many)
            assert post(url, body).status_code == 200
        status, answer = status_of(first)
        assert status == 408
        assert "slowest of too many" in answer["detail"][0]["reason"]
        receives(url, 2)
        assert post(url, body).status_code == 200 if many else True
        for connection in (first, *others):
            connection.close()
        receives(url, 0)
        assert post(url, body).status_code == 200


def test_more_than_may_be_held_are_refused_at_once_and_the_held_ones_finish():
    admission = Admission(2)
    with admission.one():
        admission.require_place()
        with admission.one(), pytest.raises(Refusal, match="already holds 2 requests") as refused:
            admission.require_place()
        assert (refused.value.status, refused.value.headers) == (503, {"Retry-After": "1"})
        admission.require_place()
    assert admission.held == 0


def test_other_routes_take_small_bodies_alone(artifact):
    with serving(artifact.folder, admin_keys="a key for administrators", body_timeout=1) as url:
        answer = CLIENT.post(f"{url}/admin/reload", content=b"{" * 100_000)
        assert answer.status_code == 413
        slow = half_sent(url, "{" * 1000, "/admin/reload")
        assert status_of(slow)[0] == 408
        slow.close()
        assert CLIENT.post(f"{url}/admin/reload", content=b"{}").status_code == 401
        key = {"Authorization": "Bearer a key for administrators"}
        assert CLIENT.post(f"{url}/admin/rollback", json={"model": "none"}, headers=key).status_code == 404


def test_nothing_is_kept_of_clients_that_leave(small, body):
    for _ in range(2):
        connection = half_sent(small.url, json.dumps(body))
        receives(small.url, 1)
        connection.close()
        receives(small.url, 0)
    assert post(small.url, body).status_code == 200


def test_a_body_that_does_not_come_is_given_up(strict, body):
    connection = half_sent(strict, json.dumps(body))
    status, answer = status_of(connection)
    connection.close()
    assert status == 408
    assert answer["detail"] == [{"field": "body", "reason": "was not received within 1 s"}]
    receives(strict, 0)


@pytest.mark.parametrize("chunked", [False, True])
def test_large_bodies_are_refused(small, body, chunked):
    large = b" " * 3_000_000
    content = (large[i : i + 50_000] for i in range(0, len(large), 50_000)) if chunked else large
    answer = CLIENT.post(f"{small.url}/rank", content=content)
    assert answer.status_code == 413
    assert answer.json()["detail"] == [{"field": "body", "reason": "may have at most 20000 bytes"}]
    assert post(small.url, body).status_code == 200


def test_a_deadline_that_passes_before_the_work_is_a_504(small, body):
    connection = socket.create_connection((urlsplit(small.url).hostname, urlsplit(small.url).port))
    connection.sendall(b"POST /rank HTTP/1.1\r\nHost: x\r\nX-Request-Timeout-Ms: 80\r\nContent-Length: 9000\r\n\r\n{")
    status, answer = status_of(connection)  # the body never comes, and would be waited for for ten minutes
    connection.close()
    assert status == 504
    assert "deadline set by X-Request-Timeout-Ms passed" in answer["detail"][0]["reason"]
    assert post(small.url, body, **{"X-Request-Timeout-Ms": "60000"}).status_code == 200


def test_a_deadline_that_passes_as_the_body_is_whole_is_a_504(small, body):
    """However the deadline and the end of the body fall together."""
    text = json.dumps(body).encode()
    statuses = set()
    for number in range(60):
        with socket.create_connection((urlsplit(small.url).hostname, urlsplit(small.url).port)) as connection:
            head = f"POST /rank HTTP/1.1\r\nHost: x\r\nX-Request-Timeout-Ms: 3\r\nContent-Length: {len(text)}\r\n\r\n"
            connection.sendall(head.encode() + text[:-1])
            time.sleep(0.0015 + number * 0.00004)
            connection.sendall(text[-1:])
            statuses.add(status_of(connection)[0])
    assert 504 in statuses
    assert statuses <= {200, 504}


@pytest.mark.parametrize("wrong", ["", "0", "-5", "1.5", "soon", "600001", "99999999999999", "\u0663".encode()])
def test_a_deadline_that_is_no_number_is_named(small, body, wrong):
    answer = post(small.url, body, **{"X-Request-Timeout-Ms": wrong})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["field"] == "header X-Request-Timeout-Ms"


def test_overload_gets_rankings_and_refusals_only(small, body):
    text = json.dumps(body)
    with httpx.Client() as client, ThreadPoolExecutor(12) as pool:
        statuses = list(pool.map(lambda _: client.post(f"{small.url}/rank", content=text).status_code, range(120)))
    assert set(statuses) <= {200, 503}
    assert 200 in statuses
    assert post(small.url, body).status_code == 200


def closed(url):
    try:
        CLIENT.get(f"{url}/health/live")
    except httpx.TransportError:
        return True
    return False


def finish(connection, text):
    """Send the other half, and end."""
    connection.sendall(text.encode()[len(text) // 2 :])
    assert status_of(connection)[0] == 200
    connection.close()


def ends_without_a_loss(running, body):
    """SIGTERM begins a long drain, and a second one skips it."""
    held = half_sent(running.url, json.dumps(body))
    receives(running.url, 1)
    with load(running.url, body, until_closed=True) as tally:
        patiently(lambda: tally.statuses[200] > 5)
        running.process.send_signal(signal.SIGTERM)
        patiently(lambda: CLIENT.get(f"{running.url}/health/ready").status_code == 503)
        assert CLIENT.get(f"{running.url}/health/live").status_code == 200
    running.process.send_signal(signal.SIGTERM)
    patiently(lambda: closed(running.url))
    finish(held, json.dumps(body))
    assert running.process.wait(timeout=60) == 0
    assert tally.statuses.keys() == {200}
    assert not tally.errors


def test_sigterm_loses_nothing_and_a_second_one_skips_the_drain(artifact, body):
    with server(artifact.folder, drain=600, body_timeout=600) as running:
        ends_without_a_loss(running, body)


def test_the_drain_ends_by_itself(artifact, body):
    with server(artifact.folder, drain=0.5, body_timeout=600) as running:
        held = half_sent(running.url, json.dumps(body))
        receives(running.url, 1)
        running.process.send_signal(signal.SIGTERM)
        patiently(lambda: closed(running.url))
        finish(held, json.dumps(body))
        assert running.process.wait(timeout=60) == 0


def test_a_killed_worker_is_replaced_at_once_while_the_other_answers_and_both_end_well(artifact, body):
    options = {"admin_keys": "a key for administrators", "drain": 600, "body_timeout": 600}
    with server(artifact.folder, "--workers", 2, **options) as running:
        keyed = {"Authorization": "Bearer a key for administrators"}

        def workers():
            return set(CLIENT.get(f"{running.url}/admin/status", headers=keyed, timeout=2).json()["workers"])

        before = patiently(lambda: len(workers()) == 2 and workers())
        with load(running.url, body) as tally:
            patiently(lambda: tally.statuses[200] > 5)
            killed = time.monotonic()
            os.kill(int(next(iter(before))), signal.SIGKILL)
            patiently(lambda: len(workers()) == 2 and workers() != before)
        assert sum(tally.errors.values()) <= 2  # at most what its two clients had in flight
        assert tally.statuses.keys() == {200}
        assert any(moment > killed for moment in tally.times)
        assert post(running.url, body).status_code == 200

        before = workers()
        victim = int(next(iter(before)))
        os.kill(victim, signal.SIGSTOP)
        time.sleep(1.5)  # by now it is asked for a sign of life, and does not answer
        os.kill(victim, signal.SIGKILL)
        killed = time.monotonic()
        patiently(lambda: len(workers()) == 2 and workers() != before)
        assert time.monotonic() - killed < 40  # silence is put up with for a minute
        ends_without_a_loss(running, body)


def test_the_settings_of_the_environment_are_kept_by_the_command(strict, body):
    assert post(strict, body).json()["detail"][0]["reason"] == "may hold at most 5 candidates, got 20"
