"""Bodies of all routes but ``/rank``: small, in time, and whole before a route is asked."""

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.http.rank_route import refused
from serving.http.request_bodies import Bodies
from serving.protocol.errors import Refusal

LARGEST = 65536
"""Bytes that a body may have."""


class SmallBodies:
    """A layer that reads bodies within the worker's bounds: FastAPI would read any, and before it looks for a key."""

    def __init__(self, app: ASGIApp, bodies: Bodies, seconds: float) -> None:
        self._app, self._bodies, self._seconds = app, bodies, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on with its body, or answer with the reason why it is not read."""
        if scope["type"] != "http" or not _has_body(scope):
            await self._app(scope, receive, send)
            return
        try:
            body = await self._bodies.read(Request(scope, receive), LARGEST, self._seconds)
        except Refusal as refusal:
            await refused(refusal)(scope, receive, send)
            return
        told = False

        async def replay() -> Message:
            nonlocal told
            if told:
                return await receive()
            told = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, replay, send)


def _has_body(scope: Scope) -> bool:
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and value != b"0")
        for name, value in scope["headers"]
    )
