"""Who is ranked when: requests that wait are prepared together, and finished one after the other.

Parsing and encoding are much code over little data, and a run of the engine in between pushes both out of the
processor's caches. Prepared one right behind the other, requests find them there.
"""

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeAlias

from serving.watch import DeadlineError

Finish: TypeAlias = Callable[[], bytes]
Prepare: TypeAlias = Callable[[], Finish]

TOGETHER = 8
"""Requests that are prepared together at most, so that the first of them is not kept waiting for long."""


class Turns:
    """A few threads that rank, for one event loop."""

    def __init__(self, threads: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="rank")
        self._threads, self._busy = threads, 0
        self._waiting: deque[_Job] = deque()
        self._lock = threading.Lock()

    async def take(self, prepare: Prepare, deadline: float | None = None) -> bytes:
        """Wait for a turn, then for both steps of a request.

        Raises what they raise, and ``DeadlineError`` where the deadline passes before the turn has come.
        """
        loop = asyncio.get_running_loop()
        job = _Job(prepare, loop)
        with self._lock:
            self._waiting.append(job)
            idle = self._busy < self._threads
            self._busy += idle
        if idle:
            self._pool.submit(self._work)
        if deadline is not None:
            await asyncio.wait([job.answer], timeout=deadline - loop.time())  # its clock is time.monotonic too
            if not job.answer.done() and self._withdrawn(job):
                raise DeadlineError("wait")
        return await job.answer

    def _withdrawn(self, job: "_Job") -> bool:
        with self._lock, contextlib.suppress(ValueError):  # a thread has it already, and will see the deadline too
            self._waiting.remove(job)
            return True
        return False

    def _work(self) -> None:
        while group := self._next():
            ready = [(job, finish) for job in group if (finish := job.prepared()) is not None]
            for job, finish in ready:
                job.finished(finish)

    def _next(self) -> "list[_Job]":
        """A thread's share of those that wait; empty where there are none, and then the thread counts as idle."""
        with self._lock:
            count = min(-(-len(self._waiting) // self._threads), TOGETHER)
            self._busy -= not count
            return [self._waiting.popleft() for _ in range(count)]


class _Job:
    """A request that waits, or is worked on; its answer belongs to the event loop."""

    def __init__(self, prepare: Prepare, loop: asyncio.AbstractEventLoop) -> None:
        self._prepare, self._loop = prepare, loop
        self.answer: asyncio.Future[bytes] = loop.create_future()

    def prepared(self) -> Finish | None:
        try:
            return self._prepare()
        except Exception as error:  # whoever awaits the answer gets it
            self._tell(error)
            return None

    def finished(self, finish: Finish) -> None:
        try:
            self._tell(finish())
        except Exception as error:  # as above
            self._tell(error)

    def _tell(self, result: bytes | Exception) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._settle, result)

    def _settle(self, result: bytes | Exception) -> None:
        if self.answer.done():
            return
        if isinstance(result, Exception):
            self.answer.set_exception(result)
        else:
            self.answer.set_result(result)
