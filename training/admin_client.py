"""Asks a running service by its admin routes, with a key."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

import orjson

from ranker.config.file import ConfigError

PATIENCE = 300.0
"""Seconds to wait for an answer: a service loads and checks a version before it answers."""
LONGEST = 2**22
"""Most bytes of an answer that are read."""


class ServiceError(RuntimeError):
    """A service that cannot be asked, or does not serve what it should; the message says why.

    ``status`` is that of its answer, if it refused.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class _NoRedirects(HTTPRedirectHandler):
    """Reports a redirect as an error: the key is for the given address alone."""

    def redirect_request(self, *_: Any) -> None:
        """Follow none."""


def address(option: str, url: str) -> str:
    """A service's address without the last slash. Raises ``ConfigError`` naming the option."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or parts.query or parts.fragment or any(not 32 < ord(char) < 127 for char in url):
        raise ConfigError(f"{option} {url!r}: name a service by its address, such as http://localhost:8000")
    return url.rstrip("/")


def key_in_environment(option: str, name: str) -> str:
    """The key in an environment variable. Raises ``ConfigError`` naming the option."""
    key = os.environ.get(name, "").strip()
    if not key:
        raise ConfigError(f"{option} {name}: the environment has no such variable, or it is empty")
    return _usable(f"{option} {name}", key)


def key_in_file(option: str, file: Path) -> str:
    """The first key in a file, as the service reads it: one a line, ``#`` for comments. Raises ``ConfigError``."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not UTF-8"
        raise ConfigError(f"{option} {file}: cannot be read: {reason}") from None
    keys = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    if not keys:
        raise ConfigError(f"{option} {file}: holds no key")
    return _usable(f"{option} {file}", keys[0])


def _usable(where: str, key: str) -> str:
    if not key.isascii() or not key.isprintable():
        raise ConfigError(f"{where}: the key has characters that a header cannot have")
    return key


@dataclass(frozen=True)
class AdminClient:
    """A running service: its address, and an admin key."""

    url: str
    key: str

    def ask(self, method: str, path: str, body: Mapping[str, object] | None = None) -> dict[str, Any]:
        """Ask for an answer in JSON. Raises ``ServiceError``."""
        request = Request(
            self.url + path,
            data=None if body is None else orjson.dumps(body),
            method=method,
            headers={"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"},
        )
        try:
            with build_opener(_NoRedirects).open(request, timeout=PATIENCE) as response:
                content = response.read(LONGEST)
        except HTTPError as error:
            with error:
                reason = _reason(error.read(LONGEST)) or error.reason
            raise ServiceError(f"{method} {self.url}{path}: answers {error.code}: {reason}", error.code) from None
        except (URLError, OSError, HTTPException, ValueError) as error:
            cause = str(error.reason if isinstance(error, URLError) else error)
            raise ServiceError(f"{method} {self.url}{path}: cannot be asked: {cause}") from None
        try:
            answer = orjson.loads(content)
        except orjson.JSONDecodeError:
            answer = None
        if not isinstance(answer, dict):
            raise ServiceError(f"{method} {self.url}{path}: its answer is no JSON object; is it a ranker-serve?")
        return answer


def _reason(content: bytes) -> str:
    """The reasons in a refusal's body; empty if it is of another form."""
    try:
        detail = orjson.loads(content)["detail"]
        return " ".join("; ".join(f"{each['field']}: {each['reason']}" for each in detail).split())
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return ""
