"""Middleware of every request: request id, security headers, access log, and the response to unexpected errors."""

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
REQUEST_ID = "ranker.request_id"
"""Key of an ASGI scope that holds the request's id, as the answer's ``X-Request-ID`` has it."""
ACCEPTED_ID = re.compile(rb"[A-Za-z0-9._:-]{1,128}")
SECURITY = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
]
POLICY = b"content-security-policy"
NO_CONTENT = (POLICY, b"default-src 'none'; frame-ancestors 'none'")
"""Sent with everything but pages."""
OWN_FILES = (
    POLICY,
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    b"require-trusted-types-for 'script'; trusted-types 'none'",
)
"""For a page of the service's own files: no inline script or style, and no text that becomes markup."""
PAGES: dict[str, tuple[tuple[bytes, bytes], ...]] = {"/docs": (), "/console": (OWN_FILES,)}
"""Policies of pages by path; the docs load scripts from elsewhere."""
ANY = (NO_CONTENT,)
CLOSE = (b"connection", b"close")


class Middleware:
    """The outermost layer inside CORS, in plain ASGI: it sees each message without copying the body."""

    def __init__(self, app: ASGIApp, lifecycle: Lifecycle, log: Literal["all", "errors", "none"]) -> None:
        self._app, self._lifecycle, self._log = app, lifecycle, log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and add headers to its response."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = time.monotonic()
        sent_id = next((value for key, value in scope["headers"] if key == ID_HEADER), b"")
        request_id = sent_id.decode() if ACCEPTED_ID.fullmatch(sent_id) else os.urandom(8).hex()
        scope[REQUEST_ID] = request_id
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                policy = PAGES.get(scope["path"], ANY)
                headers = [*message.get("headers", ()), *SECURITY, (ID_HEADER, request_id.encode()), *policy]
                if self._lifecycle.draining:
                    headers.append(CLOSE)
                message["headers"] = headers
            await send(message)

        try:
            await self._app(scope, receive, answer)
        except ClientDisconnect:
            event(logging.INFO, "client left", request_id=request_id, path=scope["path"])
            return
        except Exception:
            event(logging.ERROR, "request failed", traceback=True, request_id=request_id, path=scope["path"])
            if status:
                raise
            await _send_500(answer, request_id)
        if self._log == "all" or (self._log == "errors" and status >= 400):
            event(
                logging.WARNING if status >= 500 else logging.INFO,
                "request",
                request_id=request_id,
                method=scope["method"],
                path=scope["path"],
                client=scope["client"][0] if scope.get("client") else None,
                status=status,
                ms=round((time.monotonic() - begun) * 1e3, 3),
            )


async def _send_500(send: Send, request_id: str) -> None:
    """Answer with a 500 that hides the error and names the request id to find in the log."""
    reason = f"the service failed; its log says why under request id {request_id}"
    body = orjson.dumps({"detail": [{"field": "service", "reason": reason}]})
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 500, "headers": headers})
    await send({"type": "http.response.body", "body": body})
