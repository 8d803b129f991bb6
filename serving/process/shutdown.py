"""Graceful shutdown: on SIGTERM a worker turns unready, serves for a while, and then closes its port."""

import asyncio
import logging
import signal
import threading
from types import FrameType

from serving.logs import event


class Lifecycle:
    """Whether the worker is draining; the port stays open while load balancers notice."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.draining = False

    def listen(self) -> None:
        """Drain before the server's own SIGTERM handler, which closes the port.

        A second SIGTERM skips the drain. Signal handlers can be set only in the main thread.
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
