"""How requests reach their routes: below a prefix or not, with a trailing slash or not, HEAD as GET, from browsers."""

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.routing import Match
from starlette.types import ASGIApp, Receive, Scope, Send


class Route(APIRoute):
    """A route that answers HEAD where it answers GET; the server leaves the body out."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether this route answers a request."""
        return super().matches(_as_get(scope))

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await super().handle(_as_get(scope), receive, send)


class Service(FastAPI):
    """FastAPI, but for ``POST /rank``: its requests pass none of the layers that they have no use for."""

    rank: ASGIApp
    outer: ASGIApp
    """What every request passes first: :meth:`dispatch`, or a layer around it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or live through one lifespan."""
        await self.outer(scope, receive, send)

    async def dispatch(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request by its path, which may stand below the root path and may end with slashes."""
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
