"""Builds the FastAPI application from its routes and middleware."""

import asyncio
import contextlib
import gc
import os
import shutil
import sys
from collections.abc import AsyncIterator
from typing import Any

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.types import Receive, Scope, Send

import ranker
from serving.http.admin_routes import admin_routes
from serving.http.api_keys import Keys
from serving.http.auth import allowing
from serving.http.connections import Connections
from serving.http.http11 import STATE
from serving.http.middleware import Middleware
from serving.http.model_info import facts, overview
from serving.http.openapi import document_of, documented
from serving.http.rank_route import RankEndpoint, refused
from serving.http.request_bodies import Bodies
from serving.http.routing import Route, Service
from serving.http.small_bodies import SmallBodies
from serving.observability.metrics import CONTENT_TYPE, Metrics
from serving.process.runtime_folder import new_folder
from serving.process.shutdown import Lifecycle
from serving.protocol.errors import Refusal
from serving.protocol.messages import Ranking
from serving.registry.catalog import unknown
from serving.registry.registry import ModelRegistry
from serving.registry.shared_state import SharedState
from serving.registry.watcher import Watcher
from serving.settings import Settings

SWITCH_INTERVAL = 5e-4
"""Python's thread switch interval in seconds; short, so that ranking threads do not delay refusals and probes."""


def create_app(settings: Settings | None = None) -> Service:
    """Load the artifact named by the settings (by default from the environment) and return the application."""
    settings = settings or Settings.from_environment()
    rank_keys = Keys.read("RANKER_SERVE_API_KEYS", settings.api_keys, settings.api_keys_file)
    admin_keys = Keys.read("RANKER_SERVE_ADMIN_KEYS", settings.admin_keys, settings.admin_keys_file)
    temporary = None if settings.runtime else new_folder()
    if temporary:
        settings = settings.model_copy(update={"runtime": temporary[0]})
    assert settings.runtime is not None
    shared = SharedState(settings.runtime)
    metrics = Metrics(settings.runtime)
    models = ModelRegistry(settings, shared, metrics)
    lifecycle = Lifecycle(settings.drain)
    bodies = Bodies(settings.max_receiving, settings.max_receiving_bytes)
    endpoint = RankEndpoint(settings, models, metrics, bodies)
    follower = Watcher(models, shared, metrics, settings)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[dict[str, Any]]:
        sys.setswitchinterval(SWITCH_INTERVAL)
        gc.collect()
        gc.freeze()  # keeps the loaded models out of later collections
        lifecycle.listen()
        following = asyncio.create_task(follower.run())
        yield {STATE: Connections(settings, metrics)}
        following.cancel()
        shared.leave()
        if temporary:
            shutil.rmtree(temporary[0], ignore_errors=True)
            os.close(temporary[1])

    docs = settings.docs if settings.docs is not None else not rank_keys
    app = Service(
        title="ranker",
        version=ranker.__version__,
        description="Ranks the candidates of one request for several objectives at once.",
        docs_url="/docs" if docs else None,
        redoc_url=None,
        openapi_url="/openapi.json" if docs else None,
        lifespan=lifespan,
        redirect_slashes=False,  # behind a proxy, a redirect would name the proxy's scheme and host
    )
    app.root_path = settings.root_path  # passing it to the constructor makes FastAPI warn
    app.router.route_class = Route
    app.outer = app.dispatch
    if settings.origins:
        app.outer = CORSMiddleware(
            app.dispatch,
            allow_origins=settings.origins,
            allow_methods=["GET", "HEAD", "POST"],
            allow_headers=["*"],
            expose_headers=["X-Request-ID", "Retry-After", "Accept-Encoding"],
        )
    app.add_middleware(SmallBodies, bodies=bodies, seconds=settings.body_timeout)
    app.add_middleware(Middleware, lifecycle=lifecycle, log=settings.log_requests)
    allowed = allowing(rank_keys, refused=metrics.unauthorised) if rank_keys else None
    guarded = [Depends(allowed)] if allowed else []
    readable = [Depends(allowing(rank_keys, admin_keys))] if rank_keys else []

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

    @app.post(
        "/rank",
        response_model=Ranking,
        responses=documented(401, 406, 408, 413, 415, 422, 500, 503, 504),
        dependencies=guarded,
    )
    async def rank(request: Request) -> Response:
        """Score every candidate on every objective, fuse the scores, and return the candidates best first."""
        try:
            if allowed:
                await allowed(request)
            return await endpoint.rank(request)
        except Refusal as refusal:
            return refused(refusal)

    async def directly(scope: Scope, receive: Receive, send: Send) -> None:
        answer = await rank(Request(scope, receive))
        await answer(scope, receive, send)

    app.rank = Middleware(directly, lifecycle=lifecycle, log=settings.log_requests)

    @app.get("/health/live")
    async def live() -> dict[str, str]:
        """Liveness: the process responds."""
        return {"status": "live"}

    @app.get("/health/ready", responses=documented(503))
    async def ready() -> dict[str, Any]:
        """Readiness: models are loaded and reproduced their golden requests, and the service is not shutting down."""
        if lifecycle.draining:
            raise Refusal(503, "draining", "service", "is shutting down")
        return {"status": "ready", "model_version": models.served.version(models.default)}

    @app.get("/models", dependencies=readable, responses=documented(401) if rank_keys else {})
    async def list_models() -> dict[str, Any]:
        """A summary of every model, the name of the default model, and the experiment."""
        return overview(models.served)

    @app.get("/model", dependencies=readable, responses=documented(*((401, 404) if rank_keys else (404,))))
    async def model(name: str | None = None) -> dict[str, Any]:
        """One model (the default unless named): version, tasks, schema, metrics, fusions and parameter bounds."""
        served = models.served
        if name is not None and name not in served.rankers:
            raise Refusal(404, "no_model", "name", unknown(name, served.rankers))
        return facts(served, name or served.default)

    @app.get("/metrics", dependencies=readable, include_in_schema=False)
    async def read_metrics() -> Response:
        """Metrics for Prometheus."""
        return Response(metrics.text(), headers={"Content-Type": CONTENT_TYPE})

    if admin_keys:
        app.include_router(admin_routes(models, shared, allowing(admin_keys)))
    setattr(app, "openapi", document_of(app, lambda: models.served))  # noqa: B010 - FastAPI's way to replace it
    return app
