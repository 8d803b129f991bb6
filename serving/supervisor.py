"""Several workers on one port: uvicorn's supervisor, which replaces those that die."""

import os
import signal
import time

from uvicorn.supervisors import Multiprocess


class Supervisor(Multiprocess):
    """Replaces a worker as soon as it is dead, and gives up its own hold of the port as it ends.

    It asks each worker for a sign of life. Of one that dies meanwhile the answer would be waited for as long as of one
    that is silent, as long as this process holds the worker's end of the pipe too. And with the port held here,
    connections would still be taken in after the workers have drained, and wait for an answer that never comes.
    """

    def init_processes(self) -> None:
        """Start all workers."""
        super().init_processes()
        self._let_go()

    def keep_subprocess_alive(self) -> None:
        """Ask all workers for a sign of life, and replace those that give none."""
        super().keep_subprocess_alive()
        self._let_go()

    def _let_go(self) -> None:
        for worker in self.processes:
            worker.child_conn.close()

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
