"""Logging that waits for nobody, into pipes that nobody reads."""

import fcntl
import json
import logging
import os
import signal
import threading
from contextlib import contextmanager

import httpx

from serving.logs import JsonFormatter
from serving.observability.log_queue import QueuedHandler
from tests.serving.asking import patiently
from tests.serving.server_process import free_port, ready, server_process

SMALL = 4096


@contextmanager
def pipe():
    reads, writes = os.pipe()
    fcntl.fcntl(writes, fcntl.F_SETPIPE_SZ, SMALL)
    yield reads, writes


def logger_of(handler, name):
    handler.setFormatter(JsonFormatter())
    logger = logging.Logger(name)
    logger.addHandler(handler)
    return logger


def read_all(descriptor, into):
    while part := os.read(descriptor, 65536):
        into.append(part)


def test_lines_are_written_in_order_and_a_flush_waits_for_them():
    with pipe() as (reads, writes):
        handler = QueuedHandler(writes)
        logger, found = logger_of(handler, "ordered"), []
        reader = threading.Thread(target=read_all, args=(reads, found))
        reader.start()
        for number in range(5000):
            logger.info("line %d", number)
        handler.flush()
        os.close(writes)
        reader.join()
        lines = [json.loads(line)["event"] for line in b"".join(found).splitlines()]
        assert lines == [f"line {number}" for number in range(5000)]
        assert handler.dropped == 0
        os.close(reads)


def test_what_does_not_fit_is_dropped_and_counted_and_told_once_somebody_reads():
    with pipe() as (reads, writes):
        handler = QueuedHandler(writes, most_bytes=20_000)
        logger, found = logger_of(handler, "full"), []
        for number in range(1000):
            logger.info("line %d", number)
        dropped = handler.dropped
        assert 700 < dropped < 1000
        reader = threading.Thread(target=read_all, args=(reads, found))
        reader.start()
        patiently(lambda: b"log lines dropped" in b"".join(found))
        lines = [json.loads(line) for line in b"".join(found).splitlines()]
        numbers = [int(line["event"].removeprefix("line ")) for line in lines[:-1]]
        assert (len(numbers), numbers) == (1000 - dropped, sorted(numbers))
        assert (lines[-1]["lines"], lines[-1]["level"]) == (dropped, "warning")
        os.close(writes)
        reader.join()
        os.close(reads)


def test_a_closed_standard_error_is_dropped_lines_and_nothing_else():
    with pipe() as (reads, writes):
        os.close(reads)
        handler = QueuedHandler(writes)
        logger_of(handler, "closed").info("nobody hears this")
        patiently(lambda: handler.dropped == 1)
        os.close(writes)


def test_a_service_whose_log_nobody_reads_answers_and_ends(artifact):
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    given = {"log_requests": "all", "drain": 0}
    with pipe() as (reads, writes):
        with server_process(
            artifact.folder, "--port", port, settings=given, is_up=lambda: ready(url), stderr=writes
        ) as process:
            os.close(writes)
            with httpx.Client(timeout=30) as client:
                for number in range(200):  # of more than 200 bytes each
                    headers = {"X-Request-ID": f"number-{number}"}
                    assert client.get(f"{url}/health/live", headers=headers).status_code == 200
            text = b""
            while text.count(b'"number-') < 200:
                text += os.read(reads, 65536)
            lines = [json.loads(line) for line in text[: text.rfind(b"\n")].splitlines()]
            assert [i for line in lines if (i := line.get("request_id", "")).startswith("number-")] == [
                f"number-{number}" for number in range(200)
            ]
            with httpx.Client(timeout=30) as client:
                for _ in range(100):
                    client.get(f"{url}/health/live")
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=60) == 0
        os.close(reads)
