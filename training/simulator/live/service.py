"""Asks a running service to rank: a ``Ranker`` by ``POST /rank`` over a pool of connections that stay open."""

import http.client
import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

import numpy as np
import orjson

from training.simulator.live.answers import Answers
from training.simulator.live.crowd import CANDIDATE, CONTEXT, Crowd, Visits
from training.simulator.live.responses import NO_ITEM

BUSY = (429, 503)
"""Statuses after which a request is sent again."""
LONGEST_WAIT = 2.0
"""Most seconds between two attempts."""
ITEM = "item_id"


class ServiceError(RuntimeError):
    """A service that cannot be asked, or that refuses the simulated requests; the message says why."""


@dataclass(frozen=True)
class ServiceOptions:
    """How a service is asked.

    Attributes
    ----------
    url
        Its address, such as ``http://localhost:8000``.
    key
        API key, if it wants one.
    model
        Name of the model to ask for; ``None``: the default one, or as its experiment says.
    by_id
        Whether to send candidates' ids alone, to be looked up by the service.
    user
        Whether to name the user, whose features the service looks up, instead of sending the context.
    user_header
        Header in which to send the user's id, for an experiment that splits by it.
    connections
        Requests at a time.
    timeout
        Seconds to wait for an answer.
    attempts
        How often a request is sent while the service is busy.
    clock
        ``wall``: answers have the time of their receipt. ``simulated``: that of their visit.
    """

    url: str
    key: str | None = None
    model: str | None = None
    by_id: bool = False
    user: bool = False
    user_header: str | None = None
    connections: int = 4
    timeout: float = 10.0
    attempts: int = 8
    clock: str = "wall"


class _Reply(NamedTuple):
    """The answer to one visit, and when it came; ``None`` if the service stayed busy."""

    body: dict[str, Any] | None
    at: int


class Service:
    """A service as a ranker; to be closed, as a context manager.

    Attributes
    ----------
    unanswered
        Visits so far for which it stayed busy.
    """

    def __init__(self, crowd: Crowd, options: ServiceOptions) -> None:
        """Ask the service what requests need. Raises ``ServiceError``."""
        self.options = options
        self.unanswered = 0
        self._crowd = crowd
        try:
            parts = urlsplit(options.url)
            usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            usable = False
        if "@" in options.url:  # it may have a password, and is shown
            raise ServiceError("the service's address: leave out the user and password; an API key is --api-key-file")
        if not usable or parts.query or parts.fragment:
            raise ServiceError(f"{options.url!r}: name a service by its address, such as http://localhost:8000")
        self._host, self._port, self._secure = str(parts.hostname), parts.port, parts.scheme == "https"
        self._path = parts.path.rstrip("/")
        self._local = threading.local()
        self._open: list[http.client.HTTPConnection] = []
        self._pool = ThreadPoolExecutor(options.connections, thread_name_prefix="simulated-users")
        try:
            self._context, self._candidates, self._has_ids = self._needed()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Service":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __call__(self, visits: Visits) -> Answers:
        """Ask for all visits, several at a time. Raises ``ServiceError``."""
        bodies = self._bodies(visits)
        headers = [
            self._headers(request, user) for request, user in zip(visits.ids, visits.users.tolist(), strict=True)
        ]
        replies = list(self._pool.map(self._ask, bodies, headers))
        if not any(reply.body is not None for reply in replies):
            raise ServiceError(
                f"{self.options.url}: stayed busy: answered none of {len(replies)} requests in "
                f"{self.options.attempts} attempts each"
            )
        self.unanswered += sum(reply.body is None for reply in replies)
        return self._answers(visits, replies)

    def close(self) -> None:
        """Close all connections."""
        self._pool.shutdown(cancel_futures=True)
        for connection in self._open:
            connection.close()

    def _needed(self) -> tuple[list[str], list[str], bool]:
        """Columns to send of the context and of candidates, and whether answers name items by id."""
        name = "" if self.options.model is None else f"?name={quote(self.options.model, safe='')}"
        reply = self._attempt("GET", f"/model{name}", None, self._headers(None, None))
        facts = reply.body
        if facts is None or "requests" not in facts:
            raise ServiceError(f"{self.options.url}: GET /model does not say what requests need; is it a ranker-serve?")
        wanted = facts["requests"]
        feature = facts["schema"]["candidate_id"]
        sides = (("context", CONTEXT), ("candidates", CANDIDATE))
        lacking = [
            f"{side}.{column}"
            for side, known in sides
            for column, field in wanted[side].items()
            if column not in known and field["required"] and not self._looked_up(side)
        ]
        if lacking:
            raise ServiceError(
                f"{self.options.url}: requests need {', '.join(lacking)}, which the simulated world does not have "
                f"(context: {', '.join(CONTEXT)}; candidates: {', '.join(CANDIDATE)})"
            )
        if self.options.by_id and (feature is None or ITEM not in wanted["candidates"]):
            raise ServiceError(f"{self.options.url}: the model has no id {ITEM!r} by which items could be looked up")
        context = [] if self.options.user else [column for column in CONTEXT if column in wanted["context"]]
        candidates = [ITEM] if self.options.by_id else [c for c in CANDIDATE if c in wanted["candidates"]]
        return context, candidates, feature is not None

    def _looked_up(self, side: str) -> bool:
        return self.options.user if side == "context" else self.options.by_id

    def _bodies(self, visits: Visits) -> list[bytes]:
        """The requests of visits as JSON."""
        context = [visits.context[name].to_pylist() for name in self._context]
        features = self._crowd.features(visits).select(self._candidates)
        columns = [features[name].to_pylist() for name in self._candidates]
        width = visits.candidates.shape[1]
        common: dict[str, Any] = {"top_k": self._crowd.shown}
        if self.options.model is not None:
            common["model"] = self.options.model
        bodies = []
        for row, user in enumerate(visits.users.tolist()):
            some = slice(row * width, (row + 1) * width)
            body = {
                **({"user": user} if self.options.user else {}),
                "context": {name: values[row] for name, values in zip(self._context, context, strict=True)},
                "candidates": {name: values[some] for name, values in zip(self._candidates, columns, strict=True)},
                **common,
            }
            bodies.append(orjson.dumps(body))
        return bodies

    def _headers(self, request: str | None, user: int | None) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if request is not None:
            headers["X-Request-ID"] = request
        if user is not None and self.options.user_header is not None:
            headers[self.options.user_header] = str(user)
        if self.options.key is not None:
            headers["Authorization"] = f"Bearer {self.options.key}"
        return headers

    def _ask(self, body: bytes, headers: Mapping[str, str]) -> _Reply:
        return self._attempt("POST", "/rank", body, headers)

    def _attempt(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> _Reply:
        """Send a request until it is answered; give up after so many attempts."""
        wait, failed = 0.05, ""
        for attempt in range(self.options.attempts):
            if attempt:
                time.sleep(wait)
                wait = min(2 * wait, LONGEST_WAIT)
            try:
                status, asked, content = self._send(method, path, body, headers)
            except (OSError, http.client.HTTPException) as error:
                failed = str(error) or type(error).__name__
                continue
            at = time.time_ns() // 1_000_000
            failed = ""
            if status in BUSY:
                wait = min(asked, LONGEST_WAIT) if asked else wait
                continue
            return _Reply(self._read(method, path, status, content), at)
        if failed:
            raise ServiceError(f"{method} {self.options.url}{path}: cannot be asked: {failed}")
        return _Reply(None, time.time_ns() // 1_000_000)

    def _send(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> tuple[int, float, bytes]:
        """Status, seconds that the service asks to wait, and content."""
        connection = self._connection()
        try:
            connection.request(method, self._path + path, body=body, headers=dict(headers))
            response = connection.getresponse()
            content = response.read()
        except BaseException:
            connection.close()  # the next request opens it again
            raise
        asked = response.headers.get("Retry-After", "")
        return response.status, float(asked) if asked.isdigit() else 0.0, content

    def _connection(self) -> http.client.HTTPConnection:
        """The connection of this thread."""
        connection: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if connection is None:
            if self._secure:
                context = ssl.create_default_context()
                connection = http.client.HTTPSConnection(
                    self._host, self._port, timeout=self.options.timeout, context=context
                )
            else:
                connection = http.client.HTTPConnection(self._host, self._port, timeout=self.options.timeout)
            self._local.connection = connection
            self._open.append(connection)
        return connection

    def _read(self, method: str, path: str, status: int, content: bytes) -> dict[str, Any]:
        try:
            answer = orjson.loads(content)
        except orjson.JSONDecodeError:
            answer = None
        if status == 200 and isinstance(answer, dict):
            return answer
        place = f"{method} {self.options.url}{path}: answers {status}"
        if status in (401, 403):
            raise ServiceError(f"{place}: it wants an API key that may rank; see --api-key-env and --api-key-file")
        raise ServiceError(f"{place}: {_reason(answer) or 'is it a ranker-serve?'}")

    def _answers(self, visits: Visits, replies: Sequence[_Reply]) -> Answers:
        items = np.full((len(visits), self._crowd.shown), NO_ITEM, dtype=np.int64)
        bodies = [reply.body or {} for reply in replies]
        for row, body in enumerate(bodies):
            ids = [int(each) for each in body.get("ids", ())][: self._crowd.shown]
            items[row, : len(ids)] = ids if self._has_ids else visits.candidates[row][ids]
        groups = [body.get("experiment") or {} for body in bodies]
        times = np.array([reply.at for reply in replies], dtype=np.int64)
        return Answers(
            items=items,
            times=times if self.options.clock == "wall" else None,
            groups=[group.get("group") for group in groups],
            outside=[group.get("outside") for group in groups],
            experiment=next((group["name"] for group in groups if group), None),
            models=[body.get("model") for body in bodies],
            versions=[body.get("model_version") for body in bodies],
        )


def _reason(answer: Any) -> str:
    """The reasons in a refusal's body; empty if it is of another form."""
    try:
        return "; ".join(f"{each['field']}: {each['reason']}" for each in answer["detail"])
    except (KeyError, TypeError):
        return ""
