"""A worker's connections: their limit, and which idle one is closed to make room for a new one."""

import logging
import resource
from typing import Literal, Protocol, TypeAlias

from serving.logs import event
from serving.observability.metrics import Metrics
from serving.settings import Settings

Cause: TypeAlias = Literal["head_size", "url_size", "malformed", "slow_head", "slow_reader", "connections"]
CAUSES: tuple[Cause, ...] = ("head_size", "url_size", "malformed", "slow_head", "slow_reader", "connections")
"""Why a connection is closed before its request reaches a route; the metric's label."""
OTHER_DESCRIPTORS = 128
"""File descriptors reserved for files, libraries and Redis."""


class Connection(Protocol):
    """A connection as :class:`Connections` uses it."""

    def dismiss(self) -> None:
        """Close at once."""


class Connections:
    """The limits of a worker's connections, and its idle connections, longest idle first."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self.max_head_bytes, self.head_timeout = settings.max_head_bytes, settings.head_timeout
        self._logged = settings.log_requests != "none"
        self._limit = _possible(settings.max_connections)
        self._refused = {cause: metrics.connections_refused.labels(cause) for cause in CAUSES}
        self._open = 0
        self.parsing = 0
        """Connections with data left to parse when their turn ended."""
        metrics.sample("connections", lambda: self._open)
        self._idle: dict[Connection, None] = {}

    def idle(self, connection: Connection) -> None:
        """Mark a connection as waiting for its client to send a request head or to read a response."""
        self._idle[connection] = None

    def busy(self, connection: Connection) -> None:
        """Mark a connection as serving a request, or gone."""
        self._idle.pop(connection, None)

    def opened(self) -> bool:
        """Count a new connection; return whether it may stay. At the limit, the longest idle one is closed."""
        self._open += 1
        if self._open <= self._limit:
            return True
        self.refused("connections", "the worker has reached its limit of connections")
        oldest = next(iter(self._idle), None)
        if oldest is None:
            return False
        self.busy(oldest)
        oldest.dismiss()
        return True

    def closed(self, connection: Connection) -> None:
        """Count a connection as closed."""
        self._open -= 1
        self.busy(connection)

    def refused(self, cause: Cause, reason: str, client: str | None = None) -> None:
        """Count and log a connection that is closed by the service."""
        self._refused[cause].inc()
        if self._logged:
            event(logging.INFO, "connection refused", cause=cause, reason=reason, client=client)


def _possible(wanted: int) -> int:
    """Number of connections to allow: ``wanted``, or fewer if the process cannot have enough file descriptors."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + OTHER_DESCRIPTORS
    if soft != resource.RLIM_INFINITY and soft < needed:
        raised = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
        soft = raised
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return wanted
    possible = max(soft - OTHER_DESCRIPTORS, 1)
    event(logging.WARNING, "fewer connections", wanted=wanted, possible=possible, reason=f"ulimit -n is {soft}")
    return possible
