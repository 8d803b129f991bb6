"""Several workers on one port: uvicorn's supervisor, which replaces those that die."""

import os
import signal
import time

from uvicorn.supervisors import Multiprocess


class Supervisor(Multiprocess):
    """Gives up its own hold of the port as it ends, so that the port is closed as soon as the workers have drained.

    Otherwise connections would still be taken in by the system after that, and wait for an answer that never comes.
    """

    def terminate_all(self) -> None:
        """End all workers; they hold the port themselves for as long as they drain."""
        super().terminate_all()
        for socket in self.sockets:
            socket.close()

    def join_all(self) -> None:
        """Wait for the workers to end; another SIGTERM skips what is left of their drain."""
        while living := [worker.pid for worker in self.processes if worker.process.is_alive()]:
            while self.signal_queue:
                if self.signal_queue.pop() == signal.SIGTERM:
                    for pid in filter(None, living):
                        os.kill(pid, signal.SIGTERM)
            time.sleep(0.05)
        super().join_all()
