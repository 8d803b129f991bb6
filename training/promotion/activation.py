"""Asks a running service to serve a version, by its admin routes."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

import orjson

from ranker.artifact import Artifact
from training.config.experiment import ConfigError

PATIENCE = 300.0
"""Seconds to wait for an answer: the service loads and checks the version before it answers."""
LONGEST = 2**22
"""Most bytes of an answer that are read."""


class ActivationError(RuntimeError):
    """A service that cannot be asked, or does not serve the version; the message says why."""


class _NoRedirects(HTTPRedirectHandler):
    """Reports a redirect as an error: the key is for the given address alone."""

    def redirect_request(self, *_: Any) -> None:
        """Follow none."""


@dataclass(frozen=True)
class Service:
    """A running service: its address, an admin key, and the model's name there; ``None`` for the default model."""

    url: str
    key: str
    model: str | None = None

    @classmethod
    def of(cls, url: str, key_env: str | None, model: str | None = None) -> "Service":
        """Check the address, and read the key from an environment variable. Raises ``ConfigError``."""
        try:
            parts = urlsplit(url)
            usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            usable = False
        if not usable or parts.query or parts.fragment or any(not 32 < ord(char) < 127 for char in url):
            raise ConfigError(f"--activate {url!r}: name a service by its address, such as http://localhost:8000")
        if key_env is None:
            raise ConfigError("--activate: needs --admin-key-env, the environment variable that holds the admin key")
        key = os.environ.get(key_env, "").strip()
        if not key:
            raise ConfigError(f"--admin-key-env {key_env}: the environment has no such variable, or it is empty")
        if not key.isascii() or not key.isprintable():
            raise ConfigError(f"--admin-key-env {key_env}: the key has characters that a header cannot have")
        return cls(url.rstrip("/"), key, model)

    def activate(self, artifact: Artifact) -> int:
        """Have the service serve this artifact's version; return the number of workers that serve it.

        Raises ``ActivationError`` if it cannot be asked, refuses, or then serves another artifact of this number.
        """
        version = artifact.manifest.version
        chosen = {} if self.model is None else {"model": self.model}
        answer = self._ask("POST", "/admin/reload", {"version": version, **chosen})
        if answer.get("version") != version:
            raise ActivationError(f"{self.url}: serves version {answer.get('version')} and not {version}")
        name = "" if self.model is None else f"?name={quote(self.model, safe='')}"
        created = self._ask("GET", f"/model{name}").get("created")
        if created != artifact.manifest.created.isoformat():
            raise ActivationError(
                f"{self.url}: serves another artifact with the number {version}, exported {created}, and not "
                f"{artifact.folder}; POST /admin/rollback returns to the version before"
            )
        workers = answer.get("workers")
        workers = workers if isinstance(workers, dict) else {}
        if late := [pid for pid, serves in workers.items() if serves != version]:
            raise ActivationError(
                f"{self.url}: {len(late)} of {len(workers)} workers do not serve version {version} yet"
            )
        return len(workers)

    def _ask(self, method: str, path: str, body: Mapping[str, object] | None = None) -> dict[str, Any]:
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
            raise ActivationError(f"{method} {self.url}{path}: answers {error.code}: {reason}") from None
        except (URLError, OSError, HTTPException, ValueError) as error:
            cause = str(error.reason if isinstance(error, URLError) else error)
            raise ActivationError(f"{method} {self.url}{path}: cannot be asked: {cause}") from None
        try:
            answer = orjson.loads(content)
        except orjson.JSONDecodeError:
            answer = None
        if not isinstance(answer, dict):
            raise ActivationError(f"{method} {self.url}{path}: its answer is no JSON object; is it a ranker-serve?")
        return answer


def _reason(content: bytes) -> str:
    """The reasons in a refusal's body; empty if it is of another form."""
    try:
        detail = orjson.loads(content)["detail"]
        return " ".join("; ".join(f"{each['field']}: {each['reason']}" for each in detail).split())
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return ""
