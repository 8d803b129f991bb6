"""Micro-batches queued requests, stage by stage: prepared together, scored together, answered together.

Parsing, encoding, fusing and writing run much code over little data, and an engine run in between evicts both from the
CPU caches. Running one stage for several requests keeps its code, or the engine's weights, in the caches. The event
loop gets all answers of a batch at once, so that it does not contend for the GIL in between.

A step may also be work in another process: no thread waits for it, and its request goes on before new ones begin.
"""

import asyncio
import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, Protocol, TypeAlias

from serving.ranking.request_trace import DeadlineError

Step: TypeAlias = "Callable[[], bytes | Step | Later]"
"""Returns the answer, or the next step. A request's steps are prepare, score and answer."""


class Work(Protocol):
    """Work in another process."""

    def start(self, done: Callable[[], None]) -> None:
        """Begin; ``done`` is called from any thread once the work has ended. May raise instead."""

    def cancel(self) -> None:
        """Give up, if it is not too late; ``done`` is called all the same."""


class Later(NamedTuple):
    """A step that follows once some work has ended."""

    work: Work
    step: Step


def completed(step: Step) -> bytes:
    """Take a request's steps one after the other, in this thread alone, and return the answer. Raises what they do."""
    while not isinstance(answer := step(), bytes):
        if isinstance(answer, Later):
            ended = threading.Event()
            answer.work.start(ended.set)
            ended.wait()
            answer = answer.step
        step = answer
    return answer


MAX_BATCH = 8
"""Most requests that one thread batches."""
MAX_BATCH_SECONDS = 0.01
"""Longest time in seconds that a stage keeps batching, and that a finished answer waits for others."""


class Scheduler:
    """Runs the steps of one event loop's requests on a few threads."""

    def __init__(self, threads: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="rank")
        self._threads, self._busy = threads, 0
        self._waiting: deque[_Job] = deque()
        self._resumed: deque[_Job] = deque()
        self._lock = threading.Lock()

    def waiting(self) -> int:
        """Number of requests waiting for a thread."""
        return len(self._waiting)

    async def run(self, first: Step, deadline: float | None = None) -> bytes:
        """Queue a request and wait for its answer.

        Raises what its steps raise, and ``DeadlineError`` if the deadline passes first; a step running at that time
        finishes, and its result is discarded.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[bytes] = loop.create_future()
        job = _Job(first, loop, answer)
        try:
            self._queue(job)
            if deadline is not None:
                await asyncio.wait([answer], timeout=deadline - loop.time())  # the loop's clock is time.monotonic, too
                if not answer.done():
                    self._withdraw(job)
                    answer.cancel()  # discards an answer already on its way
                    raise DeadlineError("wait")
            return await answer
        except asyncio.CancelledError:
            self._withdraw(job)
            answer.cancel()
            raise
        finally:
            # An error refers to its frames. If these referred to the error, request bodies would stay in memory until
            # the next garbage collection.
            del job, answer

    def _queue(self, job: "_Job") -> None:
        with self._lock:
            self._waiting.append(job)
            self._wake()

    def _resume(self, job: "_Job") -> None:
        """Queue the next step of a job whose work in another process has ended."""
        with self._lock:
            self._resumed.append(job)
            with contextlib.suppress(RuntimeError):  # no thread can start: a later request tries again
                self._wake()

    def _wake(self) -> None:
        """Start a thread unless all are busy."""
        if self._busy == self._threads:
            return
        self._pool.submit(self._work)  # before counting it as busy, since it raises if no thread can start
        self._busy += 1

    def _withdraw(self, job: "_Job") -> None:
        """Cancel the remaining steps of a job."""
        with self._lock:
            job.withdrawn = True
            work = job.elsewhere
        if work is not None:
            work.cancel()

    def _work(self) -> None:
        while batch := self._batch():
            self._finish(self._run_stage(*batch))

    def _finish(self, jobs: "deque[_Job]") -> None:
        """Run all remaining steps of the jobs."""
        while jobs:
            self._finish(self._run_stage(jobs, len(jobs)))

    def _run_stage(self, jobs: "deque[_Job]", most: int) -> "deque[_Job]":
        """Run the next step of up to ``most`` jobs, within ``MAX_BATCH_SECONDS``; return those with another step."""
        further: deque[_Job] = deque()
        ended: list[_Ended] = []
        until = time.monotonic() + MAX_BATCH_SECONDS
        while most and (not further or time.monotonic() < until) and (job := self._next(jobs)):
            if self._run(job, ended):
                further.append(job)
            most -= 1
            del job
            if time.monotonic() >= until:
                ended = _deliver(ended)
        _deliver(ended)
        return further

    def _batch(self) -> "tuple[deque[_Job], int] | None":
        """Where this thread takes requests from, and how many it batches; if there are none, it counts as idle."""
        with self._lock:
            jobs = self._resumed or self._waiting
            self._busy -= not jobs
            return (jobs, min(-(-len(jobs) // self._threads), MAX_BATCH)) if jobs else None

    def _next(self, jobs: "deque[_Job]") -> "_Job | None":
        with self._lock:
            return jobs.popleft() if jobs else None

    def _run(self, job: "_Job", ended: "list[_Ended]") -> bool:
        """Run a job's next step unless it is withdrawn; return whether it has another one to run now."""
        with self._lock:
            job.elsewhere = None
            if job.withdrawn:
                return False
        more = job.run(ended)
        if isinstance(more, bool):
            return more
        return self._run_elsewhere(job, more, ended)

    def _run_elsewhere(self, job: "_Job", work: Work, ended: "list[_Ended]") -> bool:
        """Start a job's work in another process."""
        with self._lock:
            job.elsewhere = work
        try:
            work.start(lambda: self._resume(job))
        except BaseException as error:
            ended.append(job.end(_as_exception(error)))
            return False
        with self._lock:
            withdrawn = job.withdrawn  # while the work began
        if withdrawn:
            work.cancel()
        return False


class _Job:
    """A request that is waiting or running; its future belongs to the event loop."""

    def __init__(self, first: Step, loop: asyncio.AbstractEventLoop, answer: asyncio.Future[bytes]) -> None:
        self._next: Step | None = first
        self._loop = loop
        self._answer: asyncio.Future[bytes] | None = answer
        self.withdrawn = False
        self.elsewhere: Work | None = None
        """Its work in another process, until the next step."""

    def run(self, ended: "list[_Ended]") -> bool | Work:
        """Run the next step; return whether there is another one, or else append the result to ``ended``.

        Returns work in another process that comes before the next step.
        """
        try:
            assert self._next is not None
            step, self._next = self._next, None
            result = step()
            if isinstance(result, Later):
                self._next = result.step
                return result.work
            if not isinstance(result, bytes):
                self._next = result
                return True
            ended.append(self.end(result))
        except BaseException as error:  # goes to the awaiting request; the thread continues
            ended.append(self.end(_as_exception(error)))
        return False

    def end(self, result: bytes | Exception) -> "_Ended":
        """Pair the future with its result; the job drops the future, since an error's frames refer to the job."""
        answer, self._answer = self._answer, None
        return self._loop, answer, result


_Ended: TypeAlias = tuple[asyncio.AbstractEventLoop, asyncio.Future[bytes] | None, bytes | Exception]


def _deliver(ended: list[_Ended]) -> list[_Ended]:
    """Hand results to the event loop; return an empty list for the next ones."""
    if not ended:
        return ended
    with contextlib.suppress(RuntimeError):  # the loop is closed
        ended[0][0].call_soon_threadsafe(_settle, ended)
    return []


def _as_exception(error: BaseException) -> Exception:
    """An error that a future accepts."""
    return error if isinstance(error, Exception) and not isinstance(error, StopIteration) else RuntimeError(repr(error))


def _settle(ended: list[_Ended]) -> None:
    """Set the results of the futures in order, skipping cancelled ones."""
    for _, answer, result in ended:
        if answer is None or answer.done():
            continue
        if isinstance(result, Exception):
            answer.set_exception(result)
        else:
            answer.set_result(result)
    ended.clear()
