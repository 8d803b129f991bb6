"""Supervisor of workers on one port, and of scorers: starts them, replaces dead and hung ones, and stops them."""

import logging
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import wait
from types import FrameType
from typing import Any

from uvicorn import Config

from serving.logs import Problems, event
from serving.process.child import MARGIN, Child
from serving.process.metric_files import remove_metrics_of
from serving.process.procfs import activity
from serving.process.worker import Worker
from serving.process.worker_counts import WorkerCounts

TICK = 0.25
"""Seconds between checks of the processes; a death is noticed immediately."""
LONGEST_TICK = 1.0
"""Longest time in seconds that one tick counts as silence, in case the supervisor itself was stopped."""
LONGEST_PAUSE = 60.0
"""Longest pause in seconds between starts of a process that cannot load; pauses double from one second."""
FAILURES = 5
"""The service stops once a process has failed to load this many times in a row and no worker serves."""
WELL = ("exit status 0", "SIGTERM", "SIGINT")
"""How a worker ends after being asked to."""
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@dataclass
class Slot:
    """One of the service's processes, across its restarts."""

    make: Callable[[], Child]
    """Starts the process. Raises ``OSError``."""
    of: type[Child]
    child: Child | None = None
    failures: int = 0
    """Consecutive failures to load."""
    due: float = 0.0
    """When to start it, on ``time.monotonic``'s clock."""
    started: bool = False


class Supervisor:
    """Runs ``config.workers`` workers until SIGTERM, SIGINT or SIGHUP; it never blocks on a single process.

    Scorers, which may run already, are replaced like workers, and end after all of them. All times are in seconds:
    ``hung_after`` without a heartbeat a serving worker is replaced, ``start_timeout`` limits loading, and for ``drain``
    a worker keeps its port after SIGTERM.
    """

    def __init__(
        self,
        config: Config,
        sockets: list[socket.socket],
        counts: WorkerCounts,
        hung_after: float,
        start_timeout: float,
        drain: float,
        scorers: Sequence[Slot] = (),
    ) -> None:
        self._sockets, self._counts = sockets, counts
        self._hung_after, self._start_timeout, self._drain = hung_after, start_timeout, drain
        grace = (config.timeout_graceful_shutdown or 0) + MARGIN
        self._workers = [
            Slot(lambda: Worker(config, sockets, hung_after, start_timeout, grace), Worker)
            for _ in range(config.workers)
        ]
        self._scorers = scorers
        self._slots = [*self._workers, *scorers]
        self._grace = grace
        self._killed: list[Child] = []
        self._received: list[int] = []
        self._problems = Problems()
        self._last = time.monotonic()

    def run(self) -> int:
        """Run until the service stops; return the exit status: 0 after a signal, 1 if no worker could load."""
        with self._signals() as woken:
            try:
                while not self._received:
                    self._start_due()
                    self._wait(woken, _running(self._slots))
                    self._look()
                    self._write_counts()
                    if self._hopeless():
                        return 1
                self._end(woken)
                return 0
            finally:
                for child in _running(self._slots):
                    child.kill()

    def _start_due(self) -> None:
        for slot in self._slots:
            if slot.child is not None or slot.due > time.monotonic():
                continue
            try:
                slot.child = slot.make()
            except OSError as error:
                self._failed(slot, None, {"reason": f"the system cannot start a process: {error.strerror}"})
                continue
            if slot.started:
                self._counts.count_restart(slot.of.kind)
            slot.started = True

    def _wait(self, woken: socket.socket, children: list[Child]) -> None:
        """Wait for a signal, the death of one of ``children``, or the next tick."""
        wait([woken, *(child.process.sentinel for child in children)], TICK)
        with suppress(BlockingIOError):
            while woken.recv(64):
                pass

    def _look(self) -> None:
        """Check every process without blocking."""
        now = time.monotonic()
        passed, self._last = min(now - self._last, LONGEST_TICK), now
        self._killed = [child for child in self._killed if child.alive]  # asking also reaps the ended ones
        for slot in self._slots:
            child = slot.child
            if child is None:
                continue
            alive = child.alive  # checked first, so that all messages of an ended process are read
            child.listen()
            if child.liveness.served:
                slot.failures = 0
            if not alive:
                self._died(slot, child)
            elif child.liveness.is_hung(passed, lambda pid=child.pid: activity(pid)):  # type: ignore[misc]
                child.hung = True
                child.kill()
                self._killed.append(child)
                self._died(slot, child)

    def _died(self, slot: Slot, child: Child) -> None:
        """Log and count a dead process, and schedule its replacement."""
        slot.child = None
        child.close()
        if not child.liveness.served:
            limit = f"it was not ready within {self._start_timeout:g} s" if child.hung else child.ended_by
            self._failed(slot, child.pid, {"reason": limit, **child.failure})
            remove_metrics_of(child.pid)
            return
        reason = "hung" if child.hung else "killed" if child.ended_by.startswith("SIG") else "exited"
        silent = {"silent_for": self._hung_after} if child.hung else {"ended_by": child.ended_by, **child.failure}
        slot.of.log_death(child.pid, reason=reason, **silent)
        self._counts.count_death(reason, slot.of.kind)
        slot.due = 0.0

    def _failed(self, slot: Slot, pid: int | None, failure: dict[str, Any]) -> None:
        pause = min(2.0**slot.failures, LONGEST_PAUSE)
        slot.failures += 1
        slot.due = time.monotonic() + pause
        slot.of.log_failure(pid, failures=slot.failures, again_in=round(pause, 1), **failure)
        self._counts.count_death("failed_to_load", slot.of.kind)

    def _hopeless(self) -> bool:
        """Whether no worker serves and a process failed to load ``FAILURES`` times; logs it."""
        failures = max(slot.failures for slot in self._slots)
        if failures < FAILURES or any(worker.liveness.served for worker in _running(self._workers)):
            return False
        event(logging.CRITICAL, "service ends", reason=f"no worker serves, and one could not load {failures} times")
        return True

    def _end(self, woken: socket.socket) -> None:
        """Stop all workers, then the scorers; kill those that are hung or not done in time."""
        workers = _running(self._workers)
        for worker in workers:
            if worker.liveness.served:
                worker.terminate()
            else:
                worker.kill()  # it has no requests, and would finish loading before it ends
        for listener in self._sockets:
            listener.close()  # draining workers hold the port themselves; after that it must be free
        self._received.clear()
        latest = time.monotonic() + self._drain + self._grace
        killed: set[Child] = set()
        while workers := [worker for worker in workers if self._still_running(worker, killed)]:
            self._wait(woken, workers)
            now = time.monotonic()
            passed, self._last = min(now - self._last, LONGEST_TICK), now
            again, self._received = signal.SIGTERM in self._received, []
            if again:  # skips the rest of the drain
                latest = min(latest, now + self._grace)
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
        end(_running(self._scorers))

    def _still_running(self, worker: Child, killed: set[Child]) -> bool:
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


def end(children: Sequence[Child]) -> None:
    """End processes that nobody uses any more: they see that the supervisor has closed its end. Kill slow ones."""
    for child in children:
        child.close()
    until = time.monotonic() + MARGIN
    for child in children:
        child.process.join(max(until - time.monotonic(), 0.0))
        child.kill()


def _running(slots: Sequence[Slot]) -> list[Child]:
    return [slot.child for slot in slots if slot.child is not None]
