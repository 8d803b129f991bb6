"""Read-only routes: health, models and metrics."""

from typing import Any

from fastapi import Depends, FastAPI
from fastapi.responses import Response

from serving.http.api_keys import Keys
from serving.http.auth import allowing
from serving.http.model_info import facts, overview
from serving.http.openapi import documented
from serving.observability.metrics import CONTENT_TYPE, Metrics
from serving.process.shutdown import Lifecycle
from serving.protocol.errors import Refusal
from serving.registry.catalog import unknown
from serving.registry.registry import ModelRegistry
from serving.scorer.session import no_scorer


def add_health_routes(app: FastAPI, models: ModelRegistry, lifecycle: Lifecycle) -> None:
    """Add the health probes, which need no key."""

    @app.get("/health/live")
    async def live() -> dict[str, str]:
        """Liveness: the process responds."""
        return {"status": "live"}

    @app.get("/health/ready", responses=documented(503))
    async def ready() -> dict[str, Any]:
        """Readiness: models are loaded and reproduced their golden requests, and the service is not shutting down."""
        if lifecycle.draining:
            raise Refusal(503, "draining", "service", "is shutting down")
        if not models.served.ready:
            raise no_scorer()
        return {"status": "ready", "model_version": models.served.version(models.default)}


def add_info_routes(app: FastAPI, models: ModelRegistry, metrics: Metrics, rank_keys: Keys, admin_keys: Keys) -> None:
    """Add models and metrics, which need a key of either kind if ``rank_keys`` has any."""
    readable = [Depends(allowing(rank_keys, admin_keys))] if rank_keys else []
    keyed = (401,) if rank_keys else ()

    @app.get("/models", dependencies=readable, responses=documented(*keyed))
    async def list_models() -> dict[str, Any]:
        """A summary of every model, the name of the default model, and the experiment."""
        return overview(models.served)

    @app.get("/model", dependencies=readable, responses=documented(*keyed, 404))
    async def model(name: str | None = None) -> dict[str, Any]:
        """One model (the default unless named): version, tasks, schema, metrics, fusions and parameter bounds."""
        served = models.served
        if name is not None and name not in served.rankers:
            raise Refusal(404, "no_model", "name", unknown(name, served.rankers))
        name = name or served.default
        return facts(served.rankers[name], name)

    @app.get("/metrics", dependencies=readable, include_in_schema=False)
    async def read_metrics() -> Response:
        """Metrics for Prometheus."""
        return Response(metrics.text(), headers={"Content-Type": CONTENT_TYPE})
