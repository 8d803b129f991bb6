"""Handlers that report every problem in the same shape: a list ``detail`` of fields and reasons."""

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from serving.http.rank_route import refused
from serving.protocol.errors import Refusal


def add_error_handlers(app: FastAPI) -> None:
    """Add handlers for refusals, invalid parameters and unknown routes."""

    @app.exception_handler(Refusal)
    async def refuse(_: Request, refusal: Refusal) -> JSONResponse:
        return refused(refusal)

    @app.exception_handler(RequestValidationError)
    async def explain(_: Request, error: RequestValidationError) -> JSONResponse:
        problems = [(e["loc"], ": ".join([e["msg"], *map(str, e.get("ctx", {}).values())])) for e in error.errors()]
        detail = [{"field": ".".join(map(str, where)), "reason": reason} for where, reason in problems]
        return JSONResponse({"detail": detail}, status_code=422)

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> JSONResponse:
        """Report an unknown route or method in the same shape as every other problem."""
        headers = dict(error.headers or {})
        if headers.get("Allow") == "GET":
            headers["Allow"] = "GET, HEAD"
        detail = [{"field": f"{request.method} {request.url.path[:100]}", "reason": str(error.detail)}]
        return JSONResponse({"detail": detail}, status_code=error.status_code, headers=headers)
