"""Detects hung workers from the heartbeats of their event loop and their CPU activity."""

from collections.abc import Callable

from serving.process.procfs import Activity

NOTICED = 1.0
"""Seconds without a heartbeat before a worker's CPU activity is checked."""
OVERLOADED = 6
"""Multiple of ``hung_after`` that a silent but active worker is allowed."""


class Liveness:
    """Measures one worker's time without a heartbeat, in seconds.

    A worker on an overloaded machine may be silent because it gets no CPU time. A silent worker therefore counts as
    hung only if it is idle (no CPU time, no runnable thread), if its event loop alone has used ``hung_after`` seconds
    of CPU time, or if it has been silent for ``OVERLOADED`` times ``hung_after``.
    """

    def __init__(self, hung_after: float, start_timeout: float, end_timeout: float) -> None:
        self._hung_after, self._start_timeout, self._end_timeout = hung_after, start_timeout, end_timeout
        self.served = self.ending = False
        self._silent = self._idle = 0.0
        self._first: Activity | None = None
        self._last: Activity | None = None

    def beat(self) -> None:
        """Record a heartbeat; the first one means that the worker serves."""
        self.served = True
        self._forget()

    def end(self) -> None:
        """Record that the worker is shutting down: it finishes its requests and sends no more heartbeats."""
        self.ending = True
        self._forget()

    def is_hung(self, seconds: float, look: Callable[[], Activity | None]) -> bool:
        """Add ``seconds`` of silence and return whether the worker is hung; ``look`` returns its activity."""
        self._silent += seconds
        if self.ending:
            return self._silent >= self._end_timeout
        if not self.served:
            return self._silent >= self._start_timeout
        if self._silent < NOTICED or (now := look()) is None:
            return False
        first, last = self._first or now, self._last or now
        worked = now.runnable or now.seconds > last.seconds
        self._idle = 0.0 if worked else self._idle + seconds
        self._first, self._last = first, now
        return self._silent >= self._hung_after and (
            self._idle >= self._hung_after / 2
            or now.loop_seconds - first.loop_seconds >= self._hung_after
            or self._silent >= OVERLOADED * self._hung_after
        )

    def _forget(self) -> None:
        self._silent = self._idle = 0.0
        self._first = self._last = None
