"""What every request passes: an id, security headers, a line in the log, and an answer even to the unforeseen."""

import logging
import os
import re
import time
from typing import Literal

import orjson
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.logs import event
from serving.process.shutdown import Lifecycle

ID_HEADER = b"x-request-id"
ACCEPTED_ID = re.compile(rb"[A-Za-z0-9._:-]{1,128}")
SECURITY = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
]
NO_CONTENT = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
"""Of everything but the docs, whose page loads scripts."""
CLOSE = (b"connection", b"close")


class Middleware:
    """The outermost layer but CORS, in plain ASGI: it sees each message and copies none."""

    def __init__(self, app: ASGIApp, lifecycle: Lifecycle, log: Literal["all", "errors", "none"]) -> None:
        self._app, self._lifecycle, self._log = app, lifecycle, log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and add to its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = time.monotonic()
        given = next((value for key, value in scope["headers"] if key == ID_HEADER), b"")
        name = given.decode() if ACCEPTED_ID.fullmatch(given) else os.urandom(8).hex()
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = [*message.get("headers", ()), *SECURITY, (ID_HEADER, name.encode())]
                if scope["path"] != "/docs":
                    headers.append(NO_CONTENT)
                if self._lifecycle.draining:
                    headers.append(CLOSE)
                message["headers"] = headers
            await send(message)

        try:
            await self._app(scope, receive, answer)
        except ClientDisconnect:
            event(logging.INFO, "client left", request_id=name, path=scope["path"])
            return
        except Exception:
            event(logging.ERROR, "request failed", traceback=True, request_id=name, path=scope["path"])
            if status:
                raise
            await _apologise(answer, name)
        if self._log == "all" or (self._log == "errors" and status >= 400):
            event(
                logging.WARNING if status >= 500 else logging.INFO,
                "request",
                request_id=name,
                method=scope["method"],
                path=scope["path"],
                client=scope["client"][0] if scope.get("client") else None,
                status=status,
                ms=round((time.monotonic() - begun) * 1e3, 3),
            )


async def _apologise(send: Send, name: str) -> None:
    """Answer with a 500 that says nothing of what went wrong but where to look it up."""
    reason = f"the service failed; its log says why under request id {name}"
    body = orjson.dumps({"detail": [{"field": "service", "reason": reason}]})
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 500, "headers": headers})
    await send({"type": "http.response.body", "body": body})
