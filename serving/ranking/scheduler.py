"""Micro-batches queued requests, stage by stage: prepared together, scored together, answered together.

Parsing, encoding, fusing and writing run much code over little data, and a run of the engine in between evicts both
from the processor's caches. Requests of one stage that follow each other find that code there, and the engine finds its
weights. The event loop gets all answers of a batch at once, so that it does not contend for Python's lock in between.
"""

import asyncio
import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeAlias

from serving.ranking.request_trace import DeadlineError

Step: TypeAlias = "Callable[[], bytes | Step]"
"""Returns the answer, or the next step. A request's steps are: prepare, score, answer."""

TOGETHER = 8
"""Most requests that one thread batches."""
PATIENCE = 0.01
"""Longest time in seconds that a stage keeps batching, and that a finished answer waits for others."""


class Scheduler:
    """Ranks on a few threads for one event loop."""

    def __init__(self, threads: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="rank")
        self._threads, self._busy = threads, 0
        self._waiting: deque[_Job] = deque()
        self._lock = threading.Lock()

    def waiting(self) -> int:
        """How many requests wait for a thread."""
        return len(self._waiting)

    async def take(self, first: Step, deadline: float | None = None) -> bytes:
        """Wait for a turn, then for all steps of a request.

        Raises what they raise, and ``DeadlineError`` where the deadline passes first; a step that runs then runs to its
        end, and nothing of it is used.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[bytes] = loop.create_future()
        job = _Job(first, loop, answer)
        try:
            self._queue(job)
            if deadline is not None:
                await asyncio.wait([answer], timeout=deadline - loop.time())  # its clock is time.monotonic too
                if not answer.done():
                    self._withdraw(job)
                    answer.cancel()  # nobody waits any more for one that is on its way
                    raise DeadlineError("wait")
            return await answer
        except asyncio.CancelledError:
            self._withdraw(job)
            answer.cancel()
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

    def _withdraw(self, job: "_Job") -> None:
        """Let no further step of a job be done."""
        with self._lock:
            job.withdrawn = True

    def _work(self) -> None:
        while share := self._share():
            self._take_through(self._taken_on(self._waiting, share))

    def _take_through(self, jobs: "deque[_Job]") -> None:
        """Do all steps that are left of some jobs."""
        while jobs:
            self._take_through(self._taken_on(jobs, len(jobs)))

    def _taken_on(self, jobs: "deque[_Job]", most: int) -> "deque[_Job]":
        """Do the next step of some jobs, as many as there is patience for; return those that have another one."""
        further: deque[_Job] = deque()
        ended: list[_Ended] = []
        until = time.monotonic() + PATIENCE
        while most and (not further or time.monotonic() < until) and (job := self._next(jobs)):
            if self._done(job, ended):
                further.append(job)
            most -= 1
            del job
            if time.monotonic() >= until:
                ended = _delivered(ended)
        _delivered(ended)
        return further

    def _share(self) -> int:
        """How many of those that wait are a thread's own; 0 where there are none, and then it counts as idle."""
        with self._lock:
            waiting = len(self._waiting)
            self._busy -= not waiting
            return min(-(-waiting // self._threads), TOGETHER)

    def _next(self, jobs: "deque[_Job]") -> "_Job | None":
        with self._lock:
            return jobs.popleft() if jobs else None

    def _done(self, job: "_Job", ended: "list[_Ended]") -> bool:
        """Do a job's next step; return whether there is another one, or else add what came of it to ``ended``."""
        with self._lock:
            if job.withdrawn:
                return False
        return job.do(ended)


class _Job:
    """A request that waits, or is worked on; its answer belongs to the event loop."""

    def __init__(self, first: Step, loop: asyncio.AbstractEventLoop, answer: asyncio.Future[bytes]) -> None:
        self._next: Step | None = first
        self._loop = loop
        self._answer: asyncio.Future[bytes] | None = answer
        self.withdrawn = False

    def do(self, ended: "list[_Ended]") -> bool:
        """Do the next step; return whether there is another one, or else add what came of it to ``ended``."""
        try:
            assert self._next is not None
            step, self._next = self._next, None
            result = step()
            if not isinstance(result, bytes):
                self._next = result
                return True
            ended.append(self.end(result))
        except BaseException as error:  # whoever awaits the answer gets it, and the thread goes on
            ended.append(self.end(_told(error)))
        return False

    def end(self, result: bytes | Exception) -> "_Ended":
        """Pair what awaits the answer with it; the job lets go of both, since an error's frames hold the job."""
        answer, self._answer = self._answer, None
        return self._loop, answer, result


_Ended: TypeAlias = tuple[asyncio.AbstractEventLoop, asyncio.Future[bytes] | None, bytes | Exception]


def _delivered(ended: list[_Ended]) -> list[_Ended]:
    """Tell the event loop; return a list for those to come."""
    if not ended:
        return ended
    with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
        ended[0][0].call_soon_threadsafe(_settle, ended)
    return []


def _told(error: BaseException) -> Exception:
    """An error that a future takes."""
    return error if isinstance(error, Exception) and not isinstance(error, StopIteration) else RuntimeError(repr(error))


def _settle(ended: list[_Ended]) -> None:
    """Give the answers in their order, but for those that nobody waits for any more."""
    for _, answer, result in ended:
        if answer is None or answer.done():
            continue
        if isinstance(result, Exception):
            answer.set_exception(result)
        else:
            answer.set_result(result)
    ended.clear()
