"""How a worker ends: on SIGTERM it is not ready any more, goes on for a while, and only then closes its port."""

import asyncio
import logging
import signal
import threading
from types import FrameType

from serving.logs import event


class Lifecycle:
    """Whether the worker drains. Load balancers need some seconds to see that; the port stays open for that long."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.draining = False

    def listen(self) -> None:
        """Put the drain in front of the server's own handler of SIGTERM, which closes the port.

        A second SIGTERM goes through at once. Only a process's main thread can do this.
        """
        if threading.current_thread() is not threading.main_thread() or not self._seconds:
            return
        loop = asyncio.get_running_loop()
        server = signal.getsignal(signal.SIGTERM)

        def terminate(number: int, frame: FrameType | None) -> None:
            if self.draining and callable(server):
                server(number, frame)
                return
            self.draining = True
            loop.call_soon_threadsafe(drain)

        def drain() -> None:
            event(logging.INFO, "draining", seconds=self._seconds)
            loop.call_later(self._seconds, signal.raise_signal, signal.SIGTERM)

        if callable(server):
            signal.signal(signal.SIGTERM, terminate)
