"""The routes that are read: health, the models, and metrics."""

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


def add_health_routes(app: FastAPI, models: ModelRegistry, lifecycle: Lifecycle) -> None:
    """Add what probes ask, whoever they are."""

    @app.get("/health/live")
    async def live() -> dict[str, str]:
        """The process answers."""
        return {"status": "live"}

    @app.get("/health/ready", responses=documented(503))
    async def ready() -> dict[str, Any]:
        """A model is loaded and has reproduced its golden requests, and the service is not about to end."""
        if lifecycle.draining:
            raise Refusal(503, "draining", "service", "is about to end")
        return {"status": "ready", "model_version": models.served.version(models.default)}


def add_info_routes(app: FastAPI, models: ModelRegistry, metrics: Metrics, rank_keys: Keys, admin_keys: Keys) -> None:
    """Add models and metrics, for those who have one of the keys where ``rank_keys`` has any."""
    readable = [Depends(allowing(rank_keys, admin_keys))] if rank_keys else []
    keyed = (401,) if rank_keys else ()

    @app.get("/models", dependencies=readable, responses=documented(*keyed))
    async def list_models() -> dict[str, Any]:
        """All models in short, which of them is the default, and the experiment."""
        return overview(models.served)

    @app.get("/model", dependencies=readable, responses=documented(*keyed, 404))
    async def model(name: str | None = None) -> dict[str, Any]:
        """One model, by default the default: version, tasks, schema, metrics, fusions and parameters' bounds."""
        served = models.served
        if name is not None and name not in served.rankers:
            raise Refusal(404, "no_model", "name", unknown(name, served.rankers))
        return facts(served, name or served.default)

    @app.get("/metrics", dependencies=readable, include_in_schema=False)
    async def read_metrics() -> Response:
        """What Prometheus reads."""
        return Response(metrics.text(), headers={"Content-Type": CONTENT_TYPE})
