"""Authentication: a FastAPI dependency that checks API keys."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Security
from fastapi.security import HTTPBearer
from fastapi.security.http import HTTPAuthorizationCredentials
from starlette.requests import Request

from serving.http.api_keys import Keys
from serving.protocol.errors import Refusal

BEARER = HTTPBearer(auto_error=False, description="An API key.")


def allowing(*keys: Keys, refused: Callable[[], None] = lambda: None) -> Callable[..., Awaitable[None]]:
    """Return a dependency that requires one of the keys and raises ``Refusal`` (401) without it.

    ``refused`` is called for each refused request.
    """

    async def allowed(
        request: Request, _: Annotated[HTTPAuthorizationCredentials | None, Security(BEARER)] = None
    ) -> None:
        header = request.headers.get("authorization")
        if not any(known.allow(header) for known in keys):
            refused()
            reason = "holds no valid API key; send 'Authorization: Bearer KEY'"
            raise Refusal(401, "unauthorised", "header Authorization", reason, {"WWW-Authenticate": "Bearer"})

    return allowed
