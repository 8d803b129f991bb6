"""Several workers on one port: starts them, replaces those that die or hang, and ends them; it waits for none."""

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
"""Seconds between looks at the workers; the death of one is seen at once."""
LONGEST_TICK = 1.0
"""A longer tick counts as this: a supervisor that was stopped itself knows nothing of its workers' silence."""
LONGEST_PAUSE = 60.0
"""Seconds between two starts of a worker that cannot load; the first pause is a second, and each is twice the last."""
FAILURES = 5
"""The service ends once a worker could not load so many times in a row, and no other worker serves."""
WELL = ("exit status 0", "SIGTERM", "SIGINT")
"""How a worker ends that was asked to."""
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@dataclass
class Place:
    """One of the service's workers, over all processes that take its place one after another."""

    worker: Worker | None = None
    failures: int = 0
    """How often in a row it could not load."""
    due: float = 0.0
    """When to start it, on the clock of ``time.monotonic``."""
    started: bool = False


class Supervisor:
    """Runs ``config.workers`` workers until a signal ends the service. SIGTERM, SIGINT and SIGHUP do.

    ``hung_after`` is how long a worker that has served may be silent, ``start_timeout`` how long one may load, and
    ``drain`` how long one keeps its port after SIGTERM, all in seconds.
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
        self._places = [Place() for _ in range(config.workers)]
        self._killed: list[Worker] = []
        self._received: list[int] = []
        self._problems = Problems()
        self._last = time.monotonic()

    def run(self) -> int:
        """Run the service to its end; return its exit status: 0 after a signal, 1 where no worker could load."""
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
        return [place.worker for place in self._places if place.worker is not None]

    def _start_due(self) -> None:
        for place in self._places:
            if place.worker is not None or place.due > time.monotonic():
                continue
            try:
                place.worker = Worker(self._config, self._sockets, self._hung_after, self._start_timeout)
            except OSError as error:
                self._failed(place, None, {"reason": f"the system cannot start a process: {error.strerror}"})
                continue
            if place.started:
                self._counts.count_restart()
            place.started = True

    def _wait(self, woken: socket.socket, workers: list[Worker]) -> None:
        """Wait for a signal, the death of one of ``workers``, or the next tick."""
        wait([woken, *(worker.process.sentinel for worker in workers)], TICK)
        with suppress(BlockingIOError):
            while woken.recv(64):
                pass

    def _look(self) -> None:
        """Look after every worker; none is waited for."""
        now = time.monotonic()
        passed, self._last = min(now - self._last, LONGEST_TICK), now
        self._killed = [worker for worker in self._killed if worker.alive]  # asking takes the ended ones off the system
        for place in self._places:
            worker = place.worker
            if worker is None:
                continue
            alive = worker.alive  # asked first: of one that has ended everything it said is there
            worker.listen()
            if worker.liveness.served:
                place.failures = 0
            if not alive:
                self._died(place, worker)
            elif worker.liveness.is_hung(passed, lambda pid=worker.pid: activity(pid)):  # type: ignore[misc]
                worker.hung = True
                worker.kill()
                self._killed.append(worker)
                self._died(place, worker)

    def _died(self, place: Place, worker: Worker) -> None:
        """Log and count a worker that is gone, and say when another one takes its place."""
        place.worker = None
        worker.close()
        if not worker.liveness.served:
            limit = f"it was not ready within {self._start_timeout:g} s" if worker.hung else worker.ended_by
            self._failed(place, worker.pid, {"reason": limit, **worker.failure})
            remove_metrics_of(worker.pid)
            return
        reason = "hung" if worker.hung else "killed" if worker.ended_by.startswith("SIG") else "exited"
        silent = {"silent_for": self._hung_after} if worker.hung else {"ended_by": worker.ended_by, **worker.failure}
        event(logging.ERROR, "worker died", worker=worker.pid, reason=reason, **silent)
        self._counts.count_death(reason)
        place.due = 0.0

    def _failed(self, place: Place, pid: int | None, failure: dict[str, Any]) -> None:
        pause = min(2.0**place.failures, LONGEST_PAUSE)
        place.failures += 1
        place.due = time.monotonic() + pause
        event(
            logging.ERROR,
            "worker cannot load",
            worker=pid,
            failures=place.failures,
            again_in=round(pause, 1),
            **failure,
        )
        self._counts.count_death("failed_to_load")

    def _hopeless(self) -> bool:
        """Whether no worker serves and one could not load again and again, which is logged."""
        failures = max(place.failures for place in self._places)
        if failures < FAILURES or any(worker.liveness.served for worker in self._workers()):
            return False
        event(logging.CRITICAL, "service ends", reason=f"no worker serves, and one could not load {failures} times")
        return True

    def _end(self, woken: socket.socket) -> None:
        """End all workers; kill those that are not done in time, and those that hang."""
        workers = self._workers()
        for worker in workers:
            if worker.liveness.served:
                worker.terminate()
            else:
                worker.kill()  # it has no requests, and would load to the end first
        for listener in self._sockets:
            listener.close()  # workers hold the port themselves while they drain; after that nobody may
        self._received.clear()
        grace = max((worker.grace for worker in workers), default=0.0)
        latest = time.monotonic() + self._drain + grace
        killed: set[Worker] = set()
        while workers := [worker for worker in workers if self._goes_on(worker, killed)]:
            self._wait(woken, workers)
            now = time.monotonic()
            passed, self._last = min(now - self._last, LONGEST_TICK), now
            again, self._received = signal.SIGTERM in self._received, []
            if again:  # it skips what is left of the drain
                latest = min(latest, now + grace)
            for worker in workers:
                if worker in killed:  # the system has not ended it yet
                    continue
                worker.listen()
                if again:
                    worker.terminate()
                if now > latest or worker.liveness.is_hung(passed, lambda pid=worker.pid: activity(pid)):  # type: ignore[misc]
                    event(logging.ERROR, "worker killed", worker=worker.pid, reason="it did not end in time")
                    worker.kill()
                    killed.add(worker)

    def _goes_on(self, worker: Worker, killed: set[Worker]) -> bool:
        """Whether a worker still ends; one that was killed by others meanwhile is logged."""
        if worker.alive:
            return True
        if worker not in killed and worker.liveness.served and worker.ended_by not in WELL:
            event(logging.ERROR, "worker died", worker=worker.pid, reason="killed", ended_by=worker.ended_by)
        return False

    def _write_counts(self) -> None:
        """Go on where the counts cannot be written, and try again at the next look: workers matter more."""
        try:
            self._counts.write()
            self._problems.end("counts")
        except OSError as error:
            if self._problems.note("counts", str(error)):
                event(logging.WARNING, "worker counts not written", reason=str(error))

    @contextmanager
    def _signals(self) -> Iterator[socket.socket]:
        """Note signals while the block runs; what is yielded can be read as soon as one has come."""

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
