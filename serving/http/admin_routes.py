"""Admin routes: status, reload, rollback, and experiment reload. They exist only if admin keys are set."""

import asyncio
import os
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import anyio
import anyio.to_thread
from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from ranker.artifact import ArtifactError
from serving.features.items import ItemsError
from serving.http.openapi import documented
from serving.protocol.errors import Refusal
from serving.registry.catalog import unknown
from serving.registry.registry import ModelRegistry
from serving.registry.shared_state import Serving, SharedState, StateError
from serving.registry.snapshot import ExperimentError
from serving.registry.version_loader import RefusedError

PATIENCE = 30.0
"""Longest time in seconds that a change waits for the other workers to follow."""
THREADS = 4
"""Most threads for these routes, separate from the default pool."""
Result = TypeVar("Result")


class ModelChoice(BaseModel):
    """Which model to change."""

    model_config = ConfigDict(extra="forbid", strict=True)

    model: str | None = Field(None, description="Name of the model; the default model if omitted.")


class Reload(ModelChoice):
    """Which version of a model to serve."""

    version: Annotated[int, Field(ge=1, lt=2**31)] | None = Field(
        None, description="Number of the version; the highest if omitted."
    )
    allow_schema_change: bool = Field(
        False, description="Accept the version even if its request schema or objectives differ."
    )


def unwritten(error: StateError) -> Refusal:
    """The refusal (507) of a change that cannot be written for the other workers; the current version stays."""
    return Refusal(507, "no_space", "service", str(error))


def admin_routes(models: ModelRegistry, shared: SharedState, allowed: Callable[..., Any]) -> APIRouter:
    """The routes under ``/admin``, guarded by the dependency ``allowed``."""
    limiter = anyio.CapacityLimiter(THREADS)
    router = APIRouter(prefix="/admin", tags=["admin"], dependencies=[Depends(allowed)])

    def of_model(name: str) -> dict[str, Any]:
        state, loader = shared.state(), models.loaders[name]
        versions = state.versions.get(name) if state else None
        items = models.served.rankers[name].items
        return {
            "version": models.served.version(name),
            "previous": list(versions.previous) if versions else [],
            "available": sorted(loader.versions()),
            "refused": {str(number): why.cause for number, why in versions.refused.items()} if versions else {},
            "pinned": loader.pinned or loader.follows_file,
            "items": None if items is None else len(items),
        }

    def of_experiment() -> dict[str, Any] | None:
        experiment = models.served.experiment
        return {**experiment.model_dump(mode="json"), "revision": experiment.revision} if experiment else None

    def by_worker(report: Callable[[Serving], Any]) -> dict[str, Any]:
        workers = {str(pid): report(serving) for pid, serving in shared.workers().items()}
        return {"workers": workers, "answered_by": os.getpid()}

    def status() -> dict[str, Any]:
        return {
            "default": models.default,
            "models": {name: of_model(name) for name in models.loaders},
            "experiment": of_experiment(),
            **by_worker(lambda serving: serving.model_dump()),
        }

    def about(name: str) -> dict[str, Any]:
        return {"model": name, **of_model(name), **by_worker(lambda serving: serving.models.get(name))}

    async def inside(call: Callable[..., Result], *arguments: Any) -> Result:
        """Run file access in a thread, so that a stalled volume blocks only admin requests."""
        try:
            return await anyio.to_thread.run_sync(call, *arguments, limiter=limiter)
        except ArtifactError as error:  # the folder of versions cannot be read
            raise Refusal(503, "unreadable", "artifact", str(error)) from None

    def named(name: str | None) -> str:
        name = models.default if name is None else name
        if name not in models.loaders:
            raise Refusal(404, "no_model", "model", unknown(name, models.loaders))
        return name

    async def settled(agrees: Callable[[Serving], bool]) -> None:
        """Wait for the other workers, which follow on their own."""
        for _ in range(int(PATIENCE / 0.05)):
            if all(agrees(serving) for serving in (await inside(shared.workers)).values()):
                break
            await asyncio.sleep(0.05)

    async def changed(name: str, change: Callable[[], None]) -> dict[str, Any]:
        """Make a change in a thread, then wait for the other workers."""
        if models.loaders[name].pinned:
            reason = "is fixed to one version: by its folder, the settings, or the file of models"
            raise Refusal(409, "pinned", f"model {name}", reason)
        if models.loaders[name].follows_file:
            raise Refusal(409, "pinned", f"model {name}", "serves the version in its version file: edit that file")
        try:
            await inside(change)
        except RefusedError as refused:
            raise Refusal(409, refused.cause, f"version {refused.version}", str(refused)) from None
        except ExperimentError as error:  # from following another worker's change
            raise Refusal(409, "experiment", "experiment", str(error)) from None
        except LookupError as error:
            raise Refusal(409, "no_version", "version", str(error)) from None
        except StateError as error:
            raise unwritten(error) from None
        version = models.served.version(name)
        await settled(lambda serving: serving.models.get(name) == version)
        return await inside(about, name)

    async def reload_items() -> None:
        """Reload the items here, then in the other workers."""
        try:
            await inside(models.refresh)
        except ItemsError as error:
            raise Refusal(409, "items", "items", str(error)) from None
        try:
            await inside(models.request_items_reload)
        except StateError as error:
            raise unwritten(error) from None

    @router.get("/status", responses=documented(401, 503))
    async def get_status() -> dict[str, Any]:
        """For each model the served, previous and available versions; the experiment; what each worker serves."""
        return await inside(status)

    @router.post("/reload", responses=documented(400, 401, 404, 409, 422, 503, 507))
    async def reload(body: Reload | None = None) -> dict[str, Any]:
        """Check a version, serve it in all workers, and reload items; a version that fails its checks is refused."""
        asked = body or Reload()
        name = named(asked.model)
        loader, current = models.loaders[name], models.served.version(name)
        known = await inside(loader.versions)
        version = asked.version or max(known, default=current)
        if not loader.pinned and version not in known:
            raise Refusal(404, "no_version", "version", f"there is no version {version} (there are: {sorted(known)})")
        if models.served.rankers[name].items is not None:
            await reload_items()
            if (loader.pinned or loader.follows_file) and asked.version is None:
                return await inside(about, name)
        if version == current and not loader.pinned:
            return await inside(about, name)
        return await changed(name, lambda: models.change(name, version, asked.allow_schema_change))

    @router.post("/rollback", responses=documented(400, 401, 404, 409, 422, 503, 507))
    async def rollback(body: ModelChoice | None = None) -> dict[str, Any]:
        """Serve the previous version."""
        name = named(body.model if body else None)
        return await changed(name, lambda: models.roll_back(name))

    @router.post("/experiment/reload", responses=documented(401, 409, 507))
    async def reload_experiment() -> dict[str, Any]:
        """Reload the experiment from the models file; if it cannot be served, it is refused and the old one stays."""
        try:
            await inside(models.reload_experiment)
        except ExperimentError as error:
            raise Refusal(409, "experiment", "experiment", str(error)) from None
        except StateError as error:
            raise unwritten(error) from None
        experiment = models.served.experiment
        revision = experiment.revision if experiment else None
        await settled(lambda serving: serving.experiment == revision)
        return {"experiment": of_experiment(), **await inside(by_worker, lambda serving: serving.experiment)}

    return router
