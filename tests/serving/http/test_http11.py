"""Heads, pipelines, connections and clients that half-close, against a real server with keys."""

import contextlib
import json
import socket
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.serving.asking import CLIENT, patiently
from tests.serving.conftest import server
from tests.serving.http.raw import HEAD, connected, said, until_closed

KEY = {"Authorization": "Bearer a key for these tests alone"}
KEYED = b"".join(f"{name}: {value}\r\n".encode() for name, value in KEY.items())
NEXT = HEAD + b"Connection: close\r\n\r\n"
POST = b"POST /rank HTTP/1.1\r\nHost: x\r\n" + KEYED
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(scope="module")
def strict(artifact):
    """Keys, small heads that come within two seconds, and twenty connections."""
    options = {"api_keys": KEY["Authorization"].removeprefix("Bearer "), "log_requests": "all"}
    with server(artifact.folder, max_head_bytes=4096, head_timeout=2, max_connections=20, **options) as running:
        yield running


def resident(pid):
    """MiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def refused(running, cause):
    lines = CLIENT.get(f"{running.url}/metrics", headers=KEY).text.splitlines()
    name = f'ranker_connections_refused_total{{cause="{cause}"}} '
    return next(float(line.removeprefix(name)) for line in lines if line.startswith(name))


def post(body, *headers):
    text = json.dumps(body).encode()
    return POST + b"".join(headers) + b"Content-Length: %d\r\n\r\n" % len(text) + text


@pytest.mark.parametrize(
    ("text", "status", "cause", "reason"),
    [
        (HEAD + b"A: b\r\n" * 200 + b"\r\n", 431, "head_size", "at most 100 header lines"),
        (HEAD + (b"A: " + b"b" * 990 + b"\r\n") * 5 + b"\r\n", 431, "head_size", "at most 4096 bytes"),
        (HEAD + b"A: " + b"b" * 4_000_000, 431, "head_size", "at most 4096 bytes"),
        (HEAD + b"A" * 4_000_000, 431, "head_size", "at most 4096 bytes"),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414, "url_size", "at most 8192 bytes"),
        (HEAD + b"Host: y\r\n\r\n", 400, "malformed", "exactly one Host header, got 2"),
        (b"GET / HTTP/1.1\r\n\r\n", 400, "malformed", "exactly one Host header, got 0"),
        (POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400, "malformed", "Content-Length"),
        (POST + b"Content-Length: 1\r\n" + CHUNKED, 400, "malformed", "Transfer-Encoding"),
        (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400, "malformed", "must be chunked, once"),
        (POST + b"Transfer-Encoding: identity\r\n" + CHUNKED, 400, "malformed", "must be chunked, once"),
        (POST.replace(b"/1.1", b"/1.0") + CHUNKED, 400, "malformed", "must be chunked, once"),
        (HEAD + b"A: b\r\n folded\r\n\r\n", 400, "malformed", "whitespace"),
        (HEAD + b"A : b\r\n\r\n", 400, "malformed", "header"),
        (HEAD.replace(b"\r\n", b"\n") + b"\n", 400, "malformed", "CRLF"),
        (HEAD.replace(b"/1.1", b"/2.0") + b"\r\n", 505, "malformed", "HTTP/1.1 or 1.0"),
        (POST + b"Connection: upgrade\r\nUpgrade: x\r\nContent-Length: 5\r\n\r\n", 400, "malformed", "protocol"),
        (POST + CHUNKED + b"1\r\na\r\n" * 3000, 400, "malformed", "chunks of only a few bytes"),
    ],
)
def test_heads_that_are_too_large_or_mean_two_things_are_refused_and_the_connection_ends(
    strict, text, status, cause, reason
):
    before = refused(strict, cause)
    (answer,) = said(strict.url, text + NEXT)
    assert answer[0] == status
    assert reason in answer[2]["detail"][0]["reason"]
    assert answer[1]["connection"] == "close"
    assert refused(strict, cause) == before + 1


def test_a_large_head_within_the_bounds_is_served_in_however_many_pieces(strict):
    text = HEAD + b"A: " + b"b" * 3900 + b"\r\nConnection: close\r\n\r\n"
    with connected(strict.url) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(0, len(text), 500):
            connection.sendall(text[at : at + 500])
        assert b"200 OK" in until_closed(connection)


def test_a_head_that_comes_slowly_is_given_up(strict):
    with connected(strict.url) as connection, connected(strict.url) as silent:
        connection.sendall(HEAD)
        silent.sendall(b"\r\n")
        assert b"408 Request Timeout" in until_closed(connection)
        assert until_closed(silent) == b""
    assert refused(strict, "slow_head") == 1


def test_headers_behind_a_chunked_body_are_none_of_the_request(strict):
    answer = said(strict.url, b"POST /rank HTTP/1.1\r\nHost: x\r\n" + CHUNKED + b"0\r\n" + KEYED + b"\r\n" + NEXT)
    assert answer[0][0] == 401
    many = b"A: b\r\n" * 200
    (answer,) = said(strict.url, POST + CHUNKED + b"1\r\n{\r\n0\r\n" + many + b"\r\n" + NEXT)
    assert answer[0] == 431


@pytest.mark.parametrize("parts", [1, 2])
def test_what_follows_a_request_to_upgrade_is_no_request(strict, parts):
    upgrade = HEAD + b"Connection: upgrade\r\nUpgrade: h2c\r\n\r\n"
    with connected(strict.url) as connection:
        connection.sendall(upgrade + (NEXT if parts == 1 else b""))
        if parts == 2:
            with contextlib.suppress(ConnectionError):
                connection.sendall(NEXT)
        assert until_closed(connection).count(b"HTTP/1.1 200 OK") == 1


def test_an_offer_of_http_2_is_not_taken_up_and_the_request_is_answered(strict, body):
    more = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
    (answer,) = said(strict.url, post(body, more) + NEXT)
    assert answer[0] == 200
    assert answer[1]["connection"] == "close"
    assert len(answer[2]["ids"]) == len(body["candidates"]["item"])


def test_an_empty_line_before_a_request_is_left_out_and_many_are_refused(strict):
    assert [status for status, _, _ in said(strict.url, b"\r\n" + NEXT)] == [200]
    assert [status for status, _, _ in said(strict.url, HEAD + b"\r\n\r\n\r\n" + NEXT)] == [200, 200]
    ((status, _, answer),) = said(strict.url, b"\r\n" * 9 + NEXT)
    assert (status, answer["detail"][0]["reason"]) == (400, "more than 16 bytes of empty lines")


def test_pipelined_requests_are_answered_in_order_and_few_of_them_are_held(strict, body):
    pid, count = strict.process.pid, 200_000
    before = resident(pid)
    with connected(strict.url) as connection:
        connection.settimeout(1)
        with contextlib.suppress(TimeoutError, ConnectionError):  # nobody reads the answers, so it stops reading
            connection.sendall((HEAD + b"\r\n") * count)
        assert CLIENT.get(f"{strict.url}/health/live").status_code == 200
        assert resident(pid) < before + 30
    texts = [post({**body, "top_k": k}) for k in (3, 1, 2)]
    end = post({**body, "top_k": 4}, b"Connection: close\r\n")
    found = said(strict.url, b"".join(texts) + (HEAD + b"\r\n") * 50 + end)
    assert [status for status, _, _ in found] == [200] * 54
    assert [len(ranking["ids"]) for _, _, ranking in (*found[:3], found[-1])] == [3, 1, 2, 4]


def test_chunked_bodies_are_read_and_pipelined(strict, body):
    text = json.dumps(body).encode()
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(text[i : i + 50]), text[i : i + 50]) for i in range(0, len(text), 50))
    one = POST + CHUNKED + chunks + b"0\r\n\r\n"
    assert [status for status, _, _ in said(strict.url, one * 3 + NEXT)] == [200] * 4


def test_one_connection_too_many_closes_the_one_idle_for_longest(strict, body):
    with ExitStack() as stack:
        first, *_, last = [stack.enter_context(connected(strict.url)) for _ in range(20)]
        assert CLIENT.post(f"{strict.url}/rank", json=body, headers=KEY).status_code == 200
        assert until_closed(first) == b""
        last.sendall(NEXT)
        assert b"200 OK" in until_closed(last)
    assert refused(strict, "connections") >= 1


def test_connections_with_a_request_are_not_closed_for_others(strict, body):
    text = post(body, b"Connection: close\r\n")
    with ExitStack() as stack:
        busy = [stack.enter_context(connected(strict.url)) for _ in range(20)]
        for connection in busy:
            connection.sendall(text[:-10])
        answer = patiently(lambda: said(strict.url, NEXT))
        if answer[0][0] == 200:  # it came before one of the others
            answer = patiently(lambda: said(strict.url, NEXT))
        assert answer[0][0] == 503
        assert "too many connections" in answer[0][2]["detail"][0]["reason"]
        for connection in busy:
            connection.sendall(text[-10:])
            assert b"200 OK" in until_closed(connection)


@pytest.mark.parametrize("pipelined", [0, 3])
def test_a_client_that_sends_no_more_gets_its_answers(strict, body, pipelined):
    found = said(strict.url, post(body) * (1 + pipelined), half_close=True)
    assert [status for status, _, _ in found] == [200] * (1 + pipelined)


def test_half_a_request_and_a_half_closed_connection_are_nothing(strict, body):
    for text in (post(body)[:-10], HEAD):
        assert said(strict.url, text, half_close=True) == []


def test_an_unread_body_keeps_the_connection_but_not_for_ever(strict):
    with connected(strict.url) as connection:
        connection.sendall(b"POST /rank HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n" + b"x" * 50)
        connection.sendall(b"x" * 50 + NEXT)
        found = until_closed(connection)
        assert b"401 Unauthorized" in found
        assert b"200 OK" in found
    with connected(strict.url) as connection:
        connection.sendall(b"POST /rank HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n" + b"x" * 50)
        assert b"401 Unauthorized" in until_closed(connection)


def test_refused_connections_are_logged(strict):
    causes = {"head_size", "url_size", "malformed", "slow_head", "connections"}
    patiently(lambda: causes <= {line["cause"] for line in strict.logged("connection refused")})
    assert not [line for line in strict.log() if line["level"] == "error"]
