"""A bounded queue of logged requests, and the thread that writes them: it never blocks or fails a request."""

import logging
import threading
import time
from collections import Counter, deque
from itertools import islice

from serving.exposures.rows import Logged
from serving.exposures.sinks import Sink, SinkError
from serving.logs import Problems, event
from serving.observability.exposure_metrics import DROPPED

QUEUE_FULL, FAILED, ENDED = DROPPED
REPORT = 60.0
"""Seconds between log lines about dropped requests."""
LAST = 10.0
"""Seconds that an ending process waits for its last requests to be written."""
CHUNK = 1024
"""Most requests that are taken from the queue at once."""


class ExposureWriter:
    """Takes requests from the event loop and gives them to a sink. What it counts only ever grows."""

    def __init__(self, sink: Sink, flush: float, most_bytes: int) -> None:
        self.sink = sink
        self._flush, self._most = flush, most_bytes
        self._queue: deque[Logged] = deque()
        self._wake, self._ending, self._failing = threading.Event(), False, False
        self._queued = self._taken = 0
        """Total bytes; the first changes in the event loop alone, the second in the thread alone."""
        self.requests = self.rows = self.bytes = 0
        self.dropped: Counter[str] = Counter()
        self._problems = Problems()
        self._reported: Counter[str] = Counter()
        self._report_at = 0.0
        self._thread = threading.Thread(target=self._run, name="exposures", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def offer(self, request: Logged) -> None:
        """Queue a request, or drop it if the queue is full."""
        waiting = self._queued - self._taken
        if waiting + request.size > self._most or self._ending:
            self.dropped[ENDED if self._ending else QUEUE_FULL] += 1
            return
        self._queued += request.size
        self._queue.append(request)
        if waiting > self._most // 2 and not self._failing and not self._wake.is_set():
            self._wake.set()

    def close(self) -> None:
        """Write what is queued and end, within about ``LAST`` seconds; what is not written then is dropped."""
        self._ending = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(LAST)
        left = len(self._queue)
        if left:
            self.dropped[ENDED] += left
            event(logging.WARNING, "exposures lost", requests=left, to=self.sink.name)

    @property
    def waiting_bytes(self) -> int:
        """Bytes of queued requests, roughly."""
        return self._queued - self._taken

    @property
    def unwritten_seconds(self) -> float:
        """Age of the oldest request that is not written yet; 0 if there is none."""
        try:
            return max(time.time() - self._queue[0].time / 1000, 0.0)
        except IndexError:
            return 0.0

    @property
    def problem(self) -> str | None:
        """Why requests cannot be written at the moment; ``None`` if they can."""
        return self._problems.text("write")

    def _run(self) -> None:
        while not self._ending:
            self._wake.wait(self._flush)
            self._wake.clear()
            self._step()
        self.write_queued()
        try:
            self.sink.close()
        except Exception as error:  # the process ends all the same
            event(logging.WARNING, "exposures not finished", file=self.sink.name, reason=str(error))

    def _step(self) -> None:
        self.write_queued()
        try:
            self.sink.tend(self.write_queued)
        except Exception as error:  # the thread goes on
            if self._problems.note("tend", str(error)):
                event(logging.ERROR, "exposures not tended", traceback=True, reason=str(error))
        self._report()

    def write_queued(self) -> None:
        """Write all requests of the queue; they stay in it while they cannot be written."""
        while self._queue:
            # The event loop only appends, so what is at the front stays there until it is taken here. One call of C
            # code, so that it does not append meanwhile.
            chunk = list(islice(self._queue, CHUNK))
            done: set[int] = set()
            try:
                for part in self.sink.parts(chunk):
                    self._write(part)
                    done.update(map(id, part))
            except SinkError as error:
                self._failing = True  # the next try is at the next flush, however full the queue is
                if self._problems.note("write", str(error)):
                    event(logging.WARNING, "exposures not written", to=self.sink.name, reason=str(error))
                self._take(chunk, done)
                return
            self._take(chunk, done)
            self._failing = False
            if self._problems.end("write"):
                event(logging.INFO, "exposures written again", to=self.sink.name)

    def _write(self, part: list[Logged]) -> None:
        try:
            written = self.sink.write(part)
        except SinkError:
            raise
        except Exception as error:
            self.dropped[FAILED] += len(part)
            if self._problems.note("failed", str(error)):
                event(logging.ERROR, "exposures failed", traceback=True, requests=len(part), reason=str(error))
            return
        self.requests += len(part)
        self.rows += written.rows
        self.bytes += written.bytes

    def _take(self, chunk: list[Logged], done: set[int]) -> None:
        """Remove what is done from the front of the queue; put back what is not."""
        for _ in chunk:
            self._queue.popleft()
        rest = [request for request in chunk if id(request) not in done]
        self._queue.extendleft(reversed(rest))
        self._taken += sum(request.size for request in chunk if id(request) in done)

    def _report(self) -> None:
        """Log now and then how many requests were dropped."""
        now = time.monotonic()
        if now < self._report_at:
            return
        new = {cause: count - self._reported[cause] for cause, count in self.dropped.items()}
        if any(new.values()):
            self._report_at = now + REPORT
            self._reported = Counter(self.dropped)
            event(
                logging.WARNING,
                "exposures dropped",
                to=self.sink.name,
                causes={cause: count for cause, count in new.items() if count},
            )
