"""Reads the bodies of all routes but those that rank completely, within limits, before a route sees the request."""

from collections.abc import Collection

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.http.rank_route import refused
from serving.http.request_bodies import Bodies
from serving.protocol.errors import Refusal

LARGEST = 65536
"""Largest body in bytes."""


class SmallBodies:
    """Middleware that limits bodies: FastAPI alone would read any body, and before checking the API key."""

    def __init__(self, app: ASGIApp, bodies: Bodies, seconds: float, but: Collection[str] = ()) -> None:
        """``but`` are the paths of routes that read their bodies themselves."""
        self._app, self._bodies, self._seconds, self._but = app, bodies, seconds, but

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on with its body, or answer with the reason for refusing it."""
        if scope["type"] != "http" or scope["path"] in self._but or not _has_body(scope):
            await self._app(scope, receive, send)
            return
        try:
            body = await self._bodies.read(Request(scope, receive), LARGEST, self._seconds)
        except Refusal as refusal:
            await refused(refusal)(scope, receive, send)
            return
        replayed = False

        async def replay() -> Message:
            nonlocal replayed
            if replayed:
                return await receive()
            replayed = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, replay, send)


def _has_body(scope: Scope) -> bool:
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and value != b"0")
        for name, value in scope["headers"]
    )
