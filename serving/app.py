"""The HTTP side: the routes, put together."""

import asyncio
import contextlib
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.routing import Route

import ranker
from serving.access import allowing
from serving.admin import admin_routes
from serving.document import document_of
from serving.edge import Edge
from serving.endpoint import RankEndpoint, refused
from serving.facts import facts
from serving.follow import Follower
from serving.keys import Keys
from serving.lifecycle import Lifecycle
from serving.limits import Refusal
from serving.messages import Problems, Ranking
from serving.metrics import CONTENT_TYPE, Metrics
from serving.models import Models
from serving.settings import Settings
from serving.shared import Shared

SWITCH = 5e-4
"""Seconds after which a thread that ranks lets the event loop in, so that refusals and probes are answered at once."""

PROBLEMS = {
    401: "No API key, or one that is not known.",
    408: "The body came too slowly.",
    413: "The body is too large.",
    422: "What is wrong with the request, field by field.",
    500: "The service failed; its log says why, under the request id of the answer.",
    503: "The service holds as many requests as it may; Retry-After says when to try again.",
    504: "The deadline passed.",
}


def create_app(settings: Settings | None = None) -> FastAPI:
    """Load the artifact that the settings (by default the environment's) name, and return the application."""
    settings = settings or Settings.from_environment()
    rank_keys = Keys.read("RANKER_SERVE_API_KEYS", settings.api_keys, settings.api_keys_file)
    admin_keys = Keys.read("RANKER_SERVE_ADMIN_KEYS", settings.admin_keys, settings.admin_keys_file)
    temporary = None if settings.runtime else tempfile.mkdtemp(prefix="ranker-serve-")
    shared = Shared(settings.runtime or Path(str(temporary)))
    metrics = Metrics()
    models = Models(settings, shared, metrics)
    lifecycle = Lifecycle(settings.drain)
    endpoint = RankEndpoint(settings, models, metrics)
    follower = Follower(models, shared, metrics, settings.watch, settings.allow_schema_change)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        sys.setswitchinterval(SWITCH)
        lifecycle.listen()
        following = asyncio.create_task(follower.run())
        yield
        following.cancel()
        shared.leave()
        if temporary:
            shutil.rmtree(temporary, ignore_errors=True)

    docs = settings.docs if settings.docs is not None else not rank_keys
    app = FastAPI(
        title="ranker",
        version=ranker.__version__,
        description="Ranks the candidates of one request for several objectives at once.",
        docs_url="/docs" if docs else None,
        redoc_url=None,
        openapi_url="/openapi.json" if docs else None,
        lifespan=lifespan,
    )
    app.add_middleware(Edge, lifecycle=lifecycle, log=settings.log_requests)
    allowed = allowing(rank_keys) if rank_keys else None
    guarded = [Depends(allowed)] if allowed else []
    readable = [Depends(allowing(rank_keys, admin_keys))] if rank_keys else []

    @app.exception_handler(Refusal)
    async def refuse(_: Request, refusal: Refusal) -> JSONResponse:
        return refused(refusal)

    @app.exception_handler(RequestValidationError)
    async def explain(_: Request, error: RequestValidationError) -> JSONResponse:
        detail = [{"field": ".".join(map(str, e["loc"])), "reason": e["msg"]} for e in error.errors()]
        return JSONResponse({"detail": detail}, status_code=422)

    @app.post(
        "/rank",
        response_model=Ranking,
        responses={status: {"model": Problems, "description": text} for status, text in PROBLEMS.items()},
        dependencies=guarded,
    )
    async def rank(request: Request) -> Response:
        """Score every candidate on every objective, fuse, and return the candidates in order, best first."""
        if allowed:
            await allowed(request)
        return await endpoint.rank(request)

    # The route above is for the document. This one is found first, and has nothing to resolve for each request.
    app.router.routes.insert(0, Route("/rank", rank, methods=["POST"], include_in_schema=False))

    @app.get("/health/live")
    async def live() -> dict[str, str]:
        """The process answers."""
        return {"status": "live"}

    @app.get("/health/ready", responses={503: {"model": Problems, "description": "The service is about to end."}})
    async def ready() -> dict[str, Any]:
        """A model is loaded and has reproduced its golden requests, and the service is not about to end."""
        if lifecycle.draining:
            raise Refusal(503, "draining", "service", "is about to end")
        return {"status": "ready", "model_version": models.version}

    @app.get("/model", dependencies=readable)
    async def model() -> dict[str, Any]:
        """What is served: version, tasks, schema, validation metrics, fusions and their parameters' bounds."""
        return facts(models.ranker)

    @app.get("/metrics", dependencies=readable, include_in_schema=False)
    async def read_metrics() -> Response:
        """What Prometheus reads."""
        return Response(metrics.text(), headers={"Content-Type": CONTENT_TYPE})

    if admin_keys:
        app.include_router(admin_routes(models, shared, allowing(admin_keys)))
    setattr(app, "openapi", document_of(app, lambda: models.ranker))  # noqa: B010 - FastAPI's way to replace it
    return app
