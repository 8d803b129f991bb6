"""The queue between requests and the log."""

import logging
import threading

import pytest

from serving.exposures import writer as module
from serving.exposures.sinks import SinkError, Written
from serving.exposures.writer import ExposureWriter
from tests.serving.asking import patiently
from tests.serving.exposures.samples import request


class Sink:
    """Takes two requests at once, unless it is told not to."""

    name = "here"

    def __init__(self):
        self.taken, self.closed, self.tended = [], False, 0
        self.error = None
        self.held = threading.Event()
        self.held.set()

    def parts(self, requests):
        return [list(requests[i : i + 2]) for i in range(0, len(requests), 2)]

    def write(self, requests):
        self.held.wait()
        if self.error is not None and (not self.taken or isinstance(self.error, SinkError)):
            raise self.error
        self.taken += [each.request_id for each in requests]
        return Written(3 * len(requests), 10)

    def tend(self, between):
        self.tended += 1
        between()

    def close(self):
        self.closed = True


def started(sink, most=10**6, flush=0.01):
    writer = ExposureWriter(sink, flush, most)
    writer.start()
    return writer


def test_requests_are_written_in_order_and_counted():
    sink = Sink()
    writer = started(sink)
    for i in range(25):
        writer.offer(request(i))
    writer.close()
    assert sink.taken == [f"r{i}" for i in range(25)]
    assert (writer.requests, writer.rows, writer.waiting_bytes, sink.closed) == (25, 75, 0, True)
    assert not writer.dropped


def test_a_full_queue_drops_the_new_and_counts_them():
    sink = Sink()
    sink.held.clear()
    size = request(0).size
    writer = started(sink, most=10 * size, flush=60)
    for i in range(15):
        writer.offer(request(i))
    assert writer.dropped == {"queue_full": 5}
    assert writer.waiting_bytes == 10 * size
    assert writer.unwritten_seconds > 0
    sink.held.set()
    writer.close()
    assert sink.taken == [f"r{i}" for i in range(10)]
    assert writer.unwritten_seconds == 0


def test_what_cannot_be_written_waits_in_order_and_comes_once(caplog):
    caplog.set_level(logging.INFO, "ranker.serving")
    sink = Sink()
    sink.error = SinkError("no room")
    writer = started(sink)
    for i in range(5):
        writer.offer(request(i))
    patiently(lambda: sink.tended > 3)
    assert (sink.taken, writer.problem) == ([], "no room")
    sink.error = None
    patiently(lambda: writer.requests == 5)
    writer.close()
    assert sink.taken == [f"r{i}" for i in range(5)]
    assert writer.problem is None
    assert [record.message for record in caplog.records] == ["exposures not written", "exposures written again"]


def test_what_cannot_be_converted_is_dropped_alone(caplog):
    sink = Sink()
    sink.error = KeyError("a fault")
    writer = started(sink, flush=60)
    writer.offer(request(0))
    writer.offer(request(1))
    writer.offer(request(2))
    sink.error = KeyError("a fault")

    def fails_once(requests, write=sink.write):
        try:
            return write(requests)
        finally:
            sink.error = None

    sink.write = fails_once
    writer.close()
    assert writer.dropped == {"failed": 2}
    assert sink.taken == ["r2"]
    assert [record.message for record in caplog.records][:1] == ["exposures failed"]


def test_an_end_waits_for_a_slow_disk_only_so_long(monkeypatch, caplog):
    monkeypatch.setattr(module, "LAST", 0.05)
    sink = Sink()
    sink.held.clear()
    writer = started(sink)
    for i in range(4):
        writer.offer(request(i))
    writer.close()
    assert writer.dropped == {"ended": 4}
    assert caplog.records[-1].message == "exposures lost"
    assert caplog.records[-1].fields["requests"] == 4
    writer.offer(request(9))
    assert writer.dropped == {"ended": 5}
    sink.held.set()


def test_drops_are_told_at_once_and_then_now_and_then(caplog, monkeypatch):
    sink = Sink()
    writer = ExposureWriter(sink, 0.01, 1)
    writer.offer(request(0))
    writer._step()
    writer.offer(request(1))
    writer._step()
    told = [record.fields for record in caplog.records if record.message == "exposures dropped"]
    assert told == [{"to": "here", "causes": {"queue_full": 1}}]
    writer._report_at = 0.0
    writer._step()
    assert caplog.records[-1].fields["causes"] == {"queue_full": 1}


@pytest.mark.parametrize("error", [OSError(28, "No space"), ValueError("x")])
def test_a_thread_that_meets_an_error_goes_on(error):
    sink = Sink()

    def tend(between):
        sink.tended += 1
        raise error

    sink.tend = tend
    writer = started(sink)
    patiently(lambda: sink.tended > 2)
    writer.offer(request(0))
    patiently(lambda: sink.taken == ["r0"])
    writer.close()
