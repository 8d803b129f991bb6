"""Writes the log to a Redis stream, one entry a request, for those who ship from there."""

import os
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any

import orjson
from redis import ConnectionPool, Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from ranker.encoding import Column
from ranker.exposures.columns import CANDIDATE, CONTEXT, ITEM, RAW, SCORE
from serving.exposures.arrow_values import arrow_values
from serving.exposures.rows import Hash, Logged
from serving.exposures.sinks import SinkError, Written
from serving.settings import PREFIX, SettingsError

TIMEOUT = 2.0
"""Seconds that Redis has to connect and to answer."""
BATCH = 64
"""Most requests that are sent at once."""
FIELD, ENTRY = "request", "entry"
"""Fields of an entry of the stream: the request as JSON, and a name that is equal if the entry is there twice."""
OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NAIVE_UTC


class RedisStream:
    """The log in a stream, as one process writes it."""

    def __init__(self, url: str, key: str, length: int, hashed: Hash | None) -> None:
        """Raise ``SettingsError`` for an invalid URL. The connection is first tried by the first write."""
        try:
            pool = ConnectionPool.from_url(
                url,
                max_connections=1,
                socket_timeout=TIMEOUT,
                socket_connect_timeout=TIMEOUT,
                retry=Retry(NoBackoff(), 0),
            )
        except ValueError:  # its text may have a part of the password
            raise SettingsError(
                f"{PREFIX}EXPOSURES: is not a URL of Redis such as redis://user:password@host:6379/0; in the "
                "password / is written as %2F and @ as %40"
            ) from None
        self._redis = Redis(connection_pool=pool)
        given = pool.connection_kwargs
        self._place = f"{given.get('host') or given.get('path', '')}:{given.get('port', '')}".rstrip(":")
        self._key, self._length, self._hashed = key, length, hashed
        self._writer = f"{socket.gethostname()}-{os.getpid()}-{time.time_ns() // 1_000_000}"
        self._numbers = count()
        self._unsure: dict[int, str] = {}
        """Names of the entries that may or may not be there, by request; the queue keeps these until they are sent."""

    @property
    def name(self) -> str:
        """Host and key."""
        return f"redis {self._place} {self._key}"

    def check(self) -> None:
        """Redis may come later."""

    def parts(self, requests: Sequence[Logged]) -> list[list[Logged]]:
        """Requests as they are sent at once."""
        return [list(requests[i : i + BATCH]) for i in range(0, len(requests), BATCH)]

    def write(self, requests: Sequence[Logged]) -> Written:
        """Add an entry for each request, all or none.

        If the connection is lost before Redis answers, they may be there all the same, and are added again under the
        same names.
        """
        rows = size = 0
        names = {id(each): self._unsure.pop(id(each), "") or self._new_name() for each in requests}
        with self._redis.pipeline(transaction=True) as pipeline:
            for request in requests:
                content = orjson.dumps(dict(entry_of(request, self._hashed)), option=OPTIONS)
                entry: dict[Any, Any] = {FIELD: content, ENTRY: names[id(request)]}
                pipeline.xadd(self._key, entry, maxlen=self._length, approximate=True)
                rows, size = rows + len(request.exposure.fused), size + len(content)
            try:
                pipeline.execute()
            except (RedisError, OSError) as error:
                self._unsure.update(names)
                raise SinkError(f"{self.name}: {error or type(error).__name__}") from None
        return Written(rows, size)

    def tend(self, between: Callable[[], None]) -> None:
        """Nothing else is due: Redis keeps the stream's length."""

    def close(self) -> None:
        """Close the connection."""
        self._redis.close()

    def _new_name(self) -> str:
        return f"{self._writer}-{next(self._numbers)}"


def entry_of(request: Logged, hashed: Hash | None) -> Iterator[tuple[str, Any]]:
    """A request by the log's column names: single values, and lists [K] for the columns of candidates."""
    exposure = request.exposure
    objectives = exposure.plan.objectives
    yield "request_id", request.request_id
    yield "time", request.time
    yield from request.words.items()
    yield "version", request.version
    yield "unit", request.unit if hashed is None or request.unit is None else hashed(request.unit)
    yield "candidates", exposure.candidates
    yield "returned", exposure.returned
    schema = request.columns.schema

    def plain(name: str, column: Column) -> Any:
        return arrow_values([column], schema.field(name).type).to_pylist()

    for name, value in exposure.context.items():
        yield f"{CONTEXT}{name}", plain(f"{CONTEXT}{name}", value)[0]
    yield ITEM, plain(ITEM, exposure.ids)
    yield "place", list(range(1, len(exposure.fused) + 1))
    if exposure.propensity is not None and exposure.base_place is not None:
        yield "base_place", exposure.base_place
        yield "propensity", exposure.propensity
    yield "fused", exposure.fused
    for i, objective in enumerate(objectives):
        yield f"{SCORE}{objective}", exposure.scores[:, i].copy()
        if exposure.raw is not None and objective in exposure.plan.options.calibration:
            yield f"{RAW}{objective}", exposure.raw[:, i].copy()
    for name, column in exposure.features.items():
        yield f"{CANDIDATE}{name}", plain(f"{CANDIDATE}{name}", column)
