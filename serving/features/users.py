"""Users by id: features of the context kept in Redis, with a bound on what they may cost a request."""

from collections.abc import Mapping
from typing import Any

import orjson
from pydantic import TypeAdapter, ValidationError
from redis import ConnectionPool, Redis, RedisError
from redis.backoff import NoBackoff
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

from serving.features.circuit_breaker import CircuitBreaker
from serving.settings import Settings, SettingsError

OUTCOMES = ("found", "unknown", "timeout", "unavailable", "invalid")


class Context:
    """One row of context columns, and what became of the user whose stored features are among them."""

    def __init__(
        self,
        columns: Mapping[str, list[Any]],
        stored: frozenset[str] = frozenset(),
        facts: dict[str, Any] | None = None,
    ) -> None:
        self.columns, self.facts, self._stored = dict(columns), facts, stored

    @property
    def outcome(self) -> str | None:
        """One word for the metric; ``None`` where no user was named."""
        if self.facts is None:
            return None
        return "found" if self.facts["found"] else str(self.facts["reason"])

    def without(self, column: str) -> "Context | None":
        """The context with a stored value counted as missing, and said to be invalid; ``None`` where none is stored."""
        if column not in self._stored or self.facts is None or self.columns[column] == [None]:
            return None
        facts = {**self.facts, "invalid": [*self.facts.get("invalid", []), column]}
        return Context({**self.columns, column: [None]}, self._stored, facts)


class Users:
    """A Redis whose keys hold JSON objects: features of the context by their columns' names."""

    def __init__(self, url: str, prefix: str, seconds: float, connections: int) -> None:
        """Raise ``SettingsError`` for a URL that is none; whether anything answers there shows with each request."""
        try:
            pool = ConnectionPool.from_url(
                url,
                max_connections=connections,
                socket_timeout=seconds,
                socket_connect_timeout=seconds,
                retry=Retry(NoBackoff(), 0),
            )
        except ValueError as error:
            raise SettingsError(f"RANKER_SERVE_USERS: {error}") from None
        self._redis = Redis(connection_pool=pool)
        self._prefix = prefix
        self._breaker = CircuitBreaker()

    def context(
        self, user: int | str, given: Mapping[str, list[Any]], expected: Mapping[str, TypeAdapter[Any]]
    ) -> Context:
        """All context columns of one row: as given, else as stored, else missing. Never raises."""
        facts: dict[str, Any] = {"id": user, "found": True}
        stored: dict[str, Any] = {}
        try:
            held = self._held(user)
            if held is None:
                facts |= {"found": False, "reason": "unknown"}
            else:
                stored = orjson.loads(held)
                if not isinstance(stored, dict):
                    raise ValueError("no object")
        except RedisTimeoutError:
            facts |= {"found": False, "reason": "timeout"}
        except RedisError:
            facts |= {"found": False, "reason": "unavailable"}
        except ValueError:
            stored = {}
            facts |= {"found": False, "reason": "invalid"}
        columns = dict(given)
        wrong = []
        for name, kind in expected.items():
            if name in columns:
                continue
            value = stored.get(name)
            try:
                value = kind.validate_python(value, strict=True)
            except ValidationError:
                wrong.append(name)
                value = None
            columns[name] = [value]
        if wrong:
            facts["invalid"] = wrong
        return Context(columns, frozenset(stored) - given.keys(), facts)

    def _held(self, user: int | str) -> bytes | None:
        """What is stored of a user. Raises ``RedisError``, and ``ValueError`` for a key that holds no string."""
        if not self._breaker.closed():
            raise RedisError("not tried")
        try:
            held: Any = self._redis.get(f"{self._prefix}{user}")
        except ResponseError as error:
            wrong_type = str(error).startswith("WRONGTYPE")  # Redis answered: it is this user's key that is no string
            self._breaker.tell(failed=not wrong_type)
            if wrong_type:
                raise ValueError("no string") from None
            raise
        except (RedisError, OSError) as error:
            self._breaker.tell(failed=True)
            raise error if isinstance(error, RedisError) else RedisError(str(error)) from None
        self._breaker.tell(failed=False)
        return held  # type: ignore[no-any-return]


def users_of(settings: Settings) -> Users | None:
    """The store that the settings name, if any. Raises ``SettingsError``."""
    if settings.users is not None:
        url = settings.users.get_secret_value()
    elif settings.users_file is not None:
        try:
            url = settings.users_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"RANKER_SERVE_USERS_FILE: cannot be read: {error}") from None
    else:
        return None
    return Users(url, settings.users_prefix, settings.users_timeout_ms / 1e3, connections=settings.concurrency)
