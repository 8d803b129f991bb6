"""Who is ranked when: requests that wait are prepared together, and finished one after the other.

Parsing and encoding are much code over little data, and a run of the engine in between pushes both out of the
processor's caches. Prepared one right behind the other, requests find them there.
"""

import asyncio
import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeAlias

from serving.watch import DeadlineError

Finish: TypeAlias = Callable[[], bytes]
Prepare: TypeAlias = Callable[[], Finish]

TOGETHER = 8
"""Requests that one thread prepares together at most."""
PATIENCE = 0.01
"""Seconds after which it prepares no more, so that those that are prepared do not wait for long."""


class Turns:
    """A few threads that rank, for one event loop."""

    def __init__(self, threads: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="rank")
        self._threads, self._busy = threads, 0
        self._waiting: deque[_Job] = deque()
        self._lock = threading.Lock()

    async def take(self, prepare: Prepare, deadline: float | None = None) -> bytes:
        """Wait for a turn, then for both steps of a request.

        Raises what they raise, and ``DeadlineError`` where the deadline passes while it waits for either of them.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[bytes] = loop.create_future()
        job = _Job(prepare, loop, answer)
        try:
            self._queue(job)
            if deadline is not None:
                await asyncio.wait([answer], timeout=deadline - loop.time())  # its clock is time.monotonic too
                if not answer.done() and self._withdrawn(job):
                    raise DeadlineError("wait")
            return await answer
        except asyncio.CancelledError:
            self._withdrawn(job)
            raise
        finally:
            # An error holds the frames that it passed, and these must not hold the error: bodies would lie about until
            # the garbage collector comes.
            del job, answer

    def _queue(self, job: "_Job") -> None:
        with self._lock:
            self._waiting.append(job)
            if self._busy == self._threads:
                return
            self._pool.submit(self._work)  # where no thread can be started, nobody is counted as busy
            self._busy += 1

    def _withdrawn(self, job: "_Job") -> bool:
        """Whether no step of a job has to be waited for any more; a step that runs sees the deadline itself."""
        with self._lock:
            job.withdrawn = True
            return not job.runs

    def _work(self) -> None:
        while share := self._share():
            ready: deque[_Job] = deque()
            until = time.monotonic() + PATIENCE
            while share and (not ready or time.monotonic() < until) and (job := self._next()):
                if self._done(job):
                    ready.append(job)
                share -= 1
                del job
            while ready:
                self._done(ready.popleft())

    def _share(self) -> int:
        """How many of those that wait are a thread's own; 0 where there are none, and then it counts as idle."""
        with self._lock:
            waiting = len(self._waiting)
            self._busy -= not waiting
            return min(-(-waiting // self._threads), TOGETHER)

    def _next(self) -> "_Job | None":
        with self._lock:
            return self._waiting.popleft() if self._waiting else None

    def _done(self, job: "_Job") -> bool:
        """Do a job's next step; return whether there is another one."""
        with self._lock:
            if job.withdrawn:
                return False
            job.runs = True
        more = job.do()
        with self._lock:
            job.runs = False
            if more and job.withdrawn:  # its deadline passed meanwhile, and somebody waits to hear of it
                job.tell(DeadlineError("turn"))
        return more


class _Job:
    """A request that waits, or is worked on; its answer belongs to the event loop."""

    def __init__(self, prepare: Prepare, loop: asyncio.AbstractEventLoop, answer: asyncio.Future[bytes]) -> None:
        self._prepare: Prepare | None = prepare
        self._finish: Finish | None = None
        self._loop = loop
        self._answer: asyncio.Future[bytes] | None = answer
        self.runs = self.withdrawn = False

    def do(self) -> bool:
        """Do the next step; return whether there is another one."""
        try:
            if self._prepare is not None:
                prepare, self._prepare = self._prepare, None
                self._finish = prepare()
                return True
            assert self._finish is not None
            finish, self._finish = self._finish, None
            self.tell(finish())
        except BaseException as error:  # whoever awaits the answer gets it, and the thread goes on
            self.tell(_told(error))
        return False

    def tell(self, result: bytes | Exception) -> None:
        """Give the answer, once, from any thread; the job lets go of it."""
        answer, self._answer = self._answer, None
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(_settle, answer, result)


def _told(error: BaseException) -> Exception:
    """An error that a future takes."""
    return error if isinstance(error, Exception) and not isinstance(error, StopIteration) else RuntimeError(repr(error))


def _settle(answer: asyncio.Future[bytes] | None, result: bytes | Exception) -> None:
    if answer is None or answer.done():
        return
    if isinstance(result, Exception):
        answer.set_exception(result)
    else:
        answer.set_result(result)
