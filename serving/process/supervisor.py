"""Supervisor of several workers on one port: starts them, replaces dead and hung ones, and stops them."""

import logging
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import wait
from types import FrameType
from typing import Any

from uvicorn import Config

from serving.logs import Problems, event
from serving.process.metric_files import remove_metrics_of
from serving.process.procfs import activity
from serving.process.worker import Worker
from serving.process.worker_counts import WorkerCounts

TICK = 0.25
"""Seconds between checks of the workers; a death is noticed immediately."""
LONGEST_TICK = 1.0
"""Longest time in seconds that one tick counts as silence, in case the supervisor itself was stopped."""
LONGEST_PAUSE = 60.0
"""Longest pause in seconds between starts of a worker that cannot load; pauses double from one second."""
FAILURES = 5
"""The service stops once a worker has failed to load this many times in a row and no other worker serves."""
WELL = ("exit status 0", "SIGTERM", "SIGINT")
"""How a worker ends after being asked to."""
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@dataclass
class WorkerSlot:
    """One of the service's ``workers``, across restarts of its process."""

    worker: Worker | None = None
    failures: int = 0
    """Consecutive failures to load."""
    due: float = 0.0
    """When to start it, on ``time.monotonic``'s clock."""
    started: bool = False


class Supervisor:
    """Runs ``config.workers`` workers until SIGTERM, SIGINT or SIGHUP; it never blocks on a single worker.

    All times are in seconds: ``hung_after`` without a heartbeat a serving worker is replaced, ``start_timeout`` limits
    loading, and for ``drain`` a worker keeps its port after SIGTERM.
    """

    def __init__(
        self,
        config: Config,
        sockets: list[socket.socket],
        counts: WorkerCounts,
        hung_after: float,
        start_timeout: float,
        drain: float,
    ) -> None:
        self._config, self._sockets, self._counts = config, sockets, counts
        self._hung_after, self._start_timeout, self._drain = hung_after, start_timeout, drain
        self._slots = [WorkerSlot() for _ in range(config.workers)]
        self._killed: list[Worker] = []
        self._received: list[int] = []
        self._problems = Problems()
        self._last = time.monotonic()

    def run(self) -> int:
        """Run until the service stops; return the exit status: 0 after a signal, 1 if no worker could load."""
        with self._signals() as woken:
            try:
                while not self._received:
                    self._start_due()
                    self._wait(woken, self._workers())
                    self._look()
                    self._write_counts()
                    if self._hopeless():
                        return 1
                self._end(woken)
                return 0
            finally:
                for worker in self._workers():
                    worker.kill()

    def _workers(self) -> list[Worker]:
        return [slot.worker for slot in self._slots if slot.worker is not None]

    def _start_due(self) -> None:
        for slot in self._slots:
            if slot.worker is not None or slot.due > time.monotonic():
                continue
            try:
                slot.worker = Worker(self._config, self._sockets, self._hung_after, self._start_timeout)
            except OSError as error:
                self._failed(slot, None, {"reason": f"the system cannot start a process: {error.strerror}"})
                continue
            if slot.started:
                self._counts.count_restart()
            slot.started = True

    def _wait(self, woken: socket.socket, workers: list[Worker]) -> None:
        """Wait for a signal, the death of one of ``workers``, or the next tick."""
        wait([woken, *(worker.process.sentinel for worker in workers)], TICK)
        with suppress(BlockingIOError):
            while woken.recv(64):
                pass

    def _look(self) -> None:
        """Check every worker without blocking."""
        now = time.monotonic()
        passed, self._last = min(now - self._last, LONGEST_TICK), now
        self._killed = [worker for worker in self._killed if worker.alive]  # asking also reaps the ended ones
        for slot in self._slots:
            worker = slot.worker
            if worker is None:
                continue
            alive = worker.alive  # checked first, so that all messages of an ended worker are read
            worker.listen()
            if worker.liveness.served:
                slot.failures = 0
            if not alive:
                self._died(slot, worker)
            elif worker.liveness.is_hung(passed, lambda pid=worker.pid: activity(pid)):  # type: ignore[misc]
                worker.hung = True
                worker.kill()
                self._killed.append(worker)
                self._died(slot, worker)

    def _died(self, slot: WorkerSlot, worker: Worker) -> None:
        """Log and count a dead worker, and schedule its replacement."""
        slot.worker = None
        worker.close()
        if not worker.liveness.served:
            limit = f"it was not ready within {self._start_timeout:g} s" if worker.hung else worker.ended_by
            self._failed(slot, worker.pid, {"reason": limit, **worker.failure})
            remove_metrics_of(worker.pid)
            return
        reason = "hung" if worker.hung else "killed" if worker.ended_by.startswith("SIG") else "exited"
        silent = {"silent_for": self._hung_after} if worker.hung else {"ended_by": worker.ended_by, **worker.failure}
        event(logging.ERROR, "worker died", worker=worker.pid, reason=reason, **silent)
        self._counts.count_death(reason)
        slot.due = 0.0

    def _failed(self, slot: WorkerSlot, pid: int | None, failure: dict[str, Any]) -> None:
        pause = min(2.0**slot.failures, LONGEST_PAUSE)
        slot.failures += 1
        slot.due = time.monotonic() + pause
        event(
            logging.ERROR,
            "worker cannot load",
            worker=pid,
            failures=slot.failures,
            again_in=round(pause, 1),
            **failure,
        )
        self._counts.count_death("failed_to_load")

    def _hopeless(self) -> bool:
        """Whether no worker serves and one failed to load ``FAILURES`` times; logs it."""
        failures = max(slot.failures for slot in self._slots)
        if failures < FAILURES or any(worker.liveness.served for worker in self._workers()):
            return False
        event(logging.CRITICAL, "service ends", reason=f"no worker serves, and one could not load {failures} times")
        return True

    def _end(self, woken: socket.socket) -> None:
        """Stop all workers; kill those that are hung or not done in time."""
        workers = self._workers()
        for worker in workers:
            if worker.liveness.served:
                worker.terminate()
            else:
                worker.kill()  # it has no requests, and would finish loading before it ends
        for listener in self._sockets:
            listener.close()  # draining workers hold the port themselves; after that it must be free
        self._received.clear()
        grace = max((worker.grace for worker in workers), default=0.0)
        latest = time.monotonic() + self._drain + grace
        killed: set[Worker] = set()
        while workers := [worker for worker in workers if self._still_running(worker, killed)]:
            self._wait(woken, workers)
            now = time.monotonic()
            passed, self._last = min(now - self._last, LONGEST_TICK), now
            again, self._received = signal.SIGTERM in self._received, []
            if again:  # skips the rest of the drain
                latest = min(latest, now + grace)
            for worker in workers:
                if worker in killed:  # the kernel has not ended it yet
                    continue
                worker.listen()
                if again:
                    worker.terminate()
                if now > latest or worker.liveness.is_hung(passed, lambda pid=worker.pid: activity(pid)):  # type: ignore[misc]
                    event(logging.ERROR, "worker killed", worker=worker.pid, reason="it did not end in time")
                    worker.kill()
                    killed.add(worker)

    def _still_running(self, worker: Worker, killed: set[Worker]) -> bool:
        """Whether a stopping worker is still running; logs one that was killed from outside."""
        if worker.alive:
            return True
        if worker not in killed and worker.liveness.served and worker.ended_by not in WELL:
            event(logging.ERROR, "worker died", worker=worker.pid, reason="killed", ended_by=worker.ended_by)
        return False

    def _write_counts(self) -> None:
        """Write the counts. A failure is logged and retried at the next tick."""
        try:
            self._counts.write()
            self._problems.end("counts")
        except OSError as error:
            if self._problems.note("counts", str(error)):
                event(logging.WARNING, "worker counts not written", reason=str(error))

    @contextmanager
    def _signals(self) -> Iterator[socket.socket]:
        """Record signals while the block runs; the yielded socket becomes readable when one arrives."""

        def note(number: int, _: FrameType | None) -> None:
            self._received.append(number)

        reader, writer = socket.socketpair()
        reader.setblocking(False)
        writer.setblocking(False)
        before = {number: signal.signal(number, note) for number in SIGNALS}
        waker = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        try:
            yield reader
        finally:
            signal.set_wakeup_fd(waker)
            for number, handler in before.items():
                signal.signal(number, handler)
            reader.close()
            writer.close()
