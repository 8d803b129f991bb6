"""Several workers on one port: uvicorn's supervisor, which replaces those that die."""

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
