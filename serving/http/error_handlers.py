"""What a request gets that no route answers: every problem in the one shape of ``detail``."""

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from serving.http.rank_route import refused
from serving.protocol.errors import Refusal


def add_error_handlers(app: FastAPI) -> None:
    """Have the application answer refusals, invalid parameters and unknown routes."""

    @app.exception_handler(Refusal)
    async def refuse(_: Request, refusal: Refusal) -> JSONResponse:
        return refused(refusal)

    @app.exception_handler(RequestValidationError)
    async def explain(_: Request, error: RequestValidationError) -> JSONResponse:
        told = [(e["loc"], ": ".join([e["msg"], *map(str, e.get("ctx", {}).values())])) for e in error.errors()]
        detail = [{"field": ".".join(map(str, where)), "reason": reason} for where, reason in told]
        return JSONResponse({"detail": detail}, status_code=422)

    @app.exception_handler(HTTPException)
    async def name(request: Request, error: HTTPException) -> JSONResponse:
        """No such route, or not by this method: in the shape that every other problem has."""
        headers = dict(error.headers or {})
        if headers.get("Allow") == "GET":
            headers["Allow"] = "GET, HEAD"
        detail = [{"field": f"{request.method} {request.url.path[:100]}", "reason": str(error.detail)}]
        return JSONResponse({"detail": detail}, status_code=error.status_code, headers=headers)
