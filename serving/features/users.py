"""User features: context columns stored in Redis by user id, looked up with a timeout and a circuit breaker."""

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
    """One row of context columns, with the outcome of the user look-up."""

    def __init__(
        self,
        columns: Mapping[str, list[Any]],
        stored: frozenset[str] = frozenset(),
        facts: dict[str, Any] | None = None,
    ) -> None:
        self.columns, self.facts, self._stored = dict(columns), facts, stored

    @property
    def outcome(self) -> str | None:
        """Outcome of the user look-up, for the metric; ``None`` if the request named no user."""
        if self.facts is None:
            return None
        return "found" if self.facts["found"] else str(self.facts["reason"])

    def without(self, column: str) -> "Context | None":
        """The context with a stored value replaced by null and listed as invalid; ``None`` if it was not stored."""
        if column not in self._stored or self.facts is None or self.columns[column] == [None]:
            return None
        facts = {**self.facts, "invalid": [*self.facts.get("invalid", []), column]}
        return Context({**self.columns, column: [None]}, self._stored, facts)


class Users:
    """A Redis store of users: each key holds a JSON object of context columns by name."""

    def __init__(self, url: str, prefix: str, seconds: float, connections: int) -> None:
        """Raise ``SettingsError`` for an invalid URL. The connection is first tried by a request, not here."""
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
        self, user: int | str, sent: Mapping[str, list[Any]], expected: Mapping[str, TypeAdapter[Any]]
    ) -> Context:
        """All context columns of one row: from the request, else from Redis, else missing. Never raises."""
        facts: dict[str, Any] = {"id": user, "found": True}
        stored: dict[str, Any] = {}
        try:
            value = self._stored_value(user)
            if value is None:
                facts |= {"found": False, "reason": "unknown"}
            else:
                stored = orjson.loads(value)
                if not isinstance(stored, dict):
                    raise ValueError("not an object")
        except RedisTimeoutError:
            facts |= {"found": False, "reason": "timeout"}
        except RedisError:
            facts |= {"found": False, "reason": "unavailable"}
        except ValueError:
            stored = {}
            facts |= {"found": False, "reason": "invalid"}
        columns = dict(sent)
        invalid = []
        for name, kind in expected.items():
            if name in columns:
                continue
            value = stored.get(name)
            try:
                value = kind.validate_python(value, strict=True)
            except ValidationError:
                invalid.append(name)
                value = None
            columns[name] = [value]
        if invalid:
            facts["invalid"] = invalid
        return Context(columns, frozenset(stored) - sent.keys(), facts)

    def _stored_value(self, user: int | str) -> bytes | None:
        """The value stored for a user. Raises ``RedisError``, and ``ValueError`` for a key that holds no string."""
        if not self._breaker.closed():
            raise RedisError("not tried")
        try:
            value: Any = self._redis.get(f"{self._prefix}{user}")
        except ResponseError as error:
            wrong_type = str(error).startswith("WRONGTYPE")  # Redis is up; only this user's key is not a string
            self._breaker.record(failed=not wrong_type)
            if wrong_type:
                raise ValueError("not a string") from None
            raise
        except (RedisError, OSError) as error:
            self._breaker.record(failed=True)
            raise error if isinstance(error, RedisError) else RedisError(str(error)) from None
        self._breaker.record(failed=False)
        return value  # type: ignore[no-any-return]


def users_of(settings: Settings) -> Users | None:
    """The user store named by the settings, if any. Raises ``SettingsError``."""
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
