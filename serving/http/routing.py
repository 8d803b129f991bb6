"""Routing: strips the root path and trailing slashes, answers HEAD as GET, and sends ``/rank`` a short way."""

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.routing import Match
from starlette.types import ASGIApp, Receive, Scope, Send


class Route(APIRoute):
    """A route that answers HEAD like GET; the server omits the body."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether this route matches a request."""
        return super().matches(_as_get(scope))

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await super().handle(_as_get(scope), receive, send)


class Service(FastAPI):
    """FastAPI, except that ``POST /rank`` bypasses the layers it does not need."""

    rank: ASGIApp
    outer: ASGIApp
    """The outermost layer of every request: :meth:`dispatch`, or a middleware around it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request or lifespan scope."""
        await self.outer(scope, receive, send)

    async def dispatch(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Dispatch one request by its path, with or without the root path and trailing slashes."""
        if scope["type"] == "http":
            scope = {**scope, "path": self._plain(scope["path"])}
            if scope["path"] == "/rank" and scope["method"] == "POST":
                await self.rank(scope, receive, send)
                return
        await super().__call__(scope, receive, send)

    def _plain(self, path: str) -> str:
        if self.root_path and f"{path}/".startswith(f"{self.root_path}/"):
            path = path[len(self.root_path) :]
        return path.rstrip("/") or "/"


def _as_get(scope: Scope) -> Scope:
    return {**scope, "method": "GET"} if scope["type"] == "http" and scope["method"] == "HEAD" else scope
