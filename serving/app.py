"""Builds the FastAPI application from its routes and middleware."""

import asyncio
import contextlib
import gc
import os
import shutil
import sys
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

import ranker
from serving.console.bench import Bench
from serving.console.overview import Overview
from serving.exposures.log import ExposureLog
from serving.http.admin_routes import admin_routes
from serving.http.api_keys import Keys
from serving.http.auth import allowing
from serving.http.connections import Connections
from serving.http.console_routes import RANK as BENCH
from serving.http.console_routes import console_routes, page_routes
from serving.http.error_handlers import add_error_handlers
from serving.http.http11 import STATE
from serving.http.info_routes import add_health_routes, add_info_routes
from serving.http.middleware import Middleware
from serving.http.openapi import document_of
from serving.http.rank_route import RankEndpoint, add_rank_route
from serving.http.request_bodies import Bodies
from serving.http.routing import Route, Service
from serving.http.small_bodies import SmallBodies
from serving.observability.metrics import Metrics
from serving.process.runtime_folder import new_folder
from serving.process.shutdown import Lifecycle
from serving.registry.registry import ModelRegistry
from serving.registry.shared_state import SharedState
from serving.registry.watcher import Watcher
from serving.scorer.client import Scorers
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
    scorers = Scorers.of(settings)
    models = ModelRegistry(settings, shared, metrics, scorers=scorers)
    lifecycle = Lifecycle(settings.drain)
    bodies = Bodies(settings.max_receiving, settings.max_receiving_bytes)
    exposures = ExposureLog.of(settings)
    if exposures is not None:
        metrics.exposures.watch(exposures.writer)
    endpoint = RankEndpoint(settings, models, metrics, bodies, exposures)
    watcher = Watcher(models, shared, metrics, settings)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[dict[str, Any]]:
        sys.setswitchinterval(SWITCH_INTERVAL)
        gc.collect()
        gc.freeze()  # keeps the loaded models out of later collections
        lifecycle.listen()
        if exposures is not None:
            exposures.writer.start()
        watching = asyncio.create_task(watcher.run())
        yield {STATE: Connections(settings, metrics)}
        watching.cancel()
        if exposures is not None:
            await asyncio.to_thread(exposures.writer.close)
        shared.leave()
        if scorers is not None:
            scorers.close()
        _remove(temporary)

    app = _service(settings, docs=settings.docs if settings.docs is not None else not rank_keys, lifespan=lifespan)
    around = partial(Middleware, lifecycle=lifecycle, log=settings.log_requests)
    app.add_middleware(
        SmallBodies, bodies=bodies, seconds=settings.body_timeout, but=(BENCH,) if settings.console else ()
    )
    app.add_middleware(around)
    add_error_handlers(app)
    allowed = allowing(rank_keys, refused=metrics.unauthorised) if rank_keys else None
    app.rank = around(add_rank_route(app, endpoint, allowed))
    add_health_routes(app, models, lifecycle)
    add_info_routes(app, models, metrics, rank_keys, admin_keys)
    if admin_keys:
        app.include_router(admin_routes(models, shared, exposures, allowing(admin_keys)))
    if settings.console:
        overview = Overview(settings, models, shared, metrics)
        app.include_router(page_routes(settings.root_path))
        app.include_router(
            console_routes(settings, overview, Bench.of(models, exposures), bodies, allowing(admin_keys))
        )
    setattr(app, "openapi", document_of(app, lambda: models.served))  # noqa: B010 - FastAPI's way to replace it
    return app


def _service(settings: Settings, *, docs: bool, lifespan: Any) -> Service:
    """The application without routes, with CORS if the settings name origins."""
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
    return app


def _remove(temporary: tuple[Path, int] | None) -> None:
    """Remove the runtime folder that this process created, and release its lock."""
    if temporary:
        shutil.rmtree(temporary[0], ignore_errors=True)
        os.close(temporary[1])
