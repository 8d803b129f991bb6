"""Where logged requests go."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from serving.exposures.rows import Logged


class SinkError(RuntimeError):
    """Requests that cannot be written now; the message says why. They may be given again."""


class Written(NamedTuple):
    """What was written: rows, and bytes before compression."""

    rows: int
    bytes: int


class Sink(Protocol):
    """A place that logged requests are written to, all by one thread."""

    @property
    def name(self) -> str:
        """The place, without any password."""

    def check(self) -> None:
        """Raise ``SettingsError`` for a place that can never be written; called once, when the service starts."""

    def parts(self, requests: Sequence[Logged]) -> list[list[Logged]]:
        """Requests in the parts that :meth:`write` takes."""

    def write(self, requests: Sequence[Logged]) -> Written:
        """Write all of one part. Raises ``SinkError`` if none of it is written."""

    def tend(self, between: Callable[[], None]) -> None:
        """Do what is due besides writing; ``between`` is called now and then, to write."""

    def close(self) -> None:
        """End after the last write."""


def by_columns(requests: Sequence[Logged]) -> list[list[Logged]]:
    """Requests by what is logged of them, in order."""
    found: dict[Any, list[Logged]] = {}
    for request in requests:
        found.setdefault(id(request.columns), []).append(request)
    return list(found.values())
