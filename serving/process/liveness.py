"""Whether a worker is hung: by the signs of life of its event loop, and by what the system says about its work."""

from collections.abc import Callable

from serving.process.procfs import Activity

NOTICED = 1.0
"""Seconds of silence before the system is asked about a worker."""
OVERLOADED = 6
"""A worker that works and yet gives no sign of life has this many times as long before it counts as hung."""


class Liveness:
    """Counts one worker's silence, in seconds.

    A worker on an overloaded machine may be silent because it gets no CPU time. So a silent worker counts as hung only
    if it does nothing (no CPU time, no thread that could run), or if its event loop alone has used ``hung_after``
    seconds of CPU time, or if it has been silent for ``OVERLOADED`` times as long.
    """

    def __init__(self, hung_after: float, start_timeout: float, end_timeout: float) -> None:
        self._hung_after, self._start_timeout, self._end_timeout = hung_after, start_timeout, end_timeout
        self.served = self.ending = False
        self._silent = self._idle = 0.0
        self._first: Activity | None = None
        self._last: Activity | None = None

    def beat(self) -> None:
        """Note a sign of life; the first one says that the worker serves."""
        self.served = True
        self._forget()

    def end(self) -> None:
        """Note that the worker has begun to end: it finishes its requests and gives no more signs."""
        self.ending = True
        self._forget()

    def is_hung(self, seconds: float, look: Callable[[], Activity | None]) -> bool:
        """Add ``seconds`` of silence and return whether the worker is hung; ``look`` says how much it has worked."""
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
