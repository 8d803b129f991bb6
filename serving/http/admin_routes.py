"""The admin routes: what is served, another version, the one before, another experiment. They exist only with a key."""

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
"""Seconds that a change waits for all workers to follow."""
THREADS = 4
"""Threads that these routes may have, apart from those of all else."""
Result = TypeVar("Result")


class Chosen(BaseModel):
    """Which model."""

    model_config = ConfigDict(extra="forbid", strict=True)

    model: str | None = Field(None, description="By default the default model.")


class Reload(Chosen):
    """Which version of it to serve; by default the highest."""

    version: Annotated[int, Field(ge=1, lt=2**31)] | None = Field(None, description="By default the highest.")
    allow_schema_change: bool = Field(False, description="Also if its requests or objectives differ.")


def unwritten(error: StateError) -> Refusal:
    """What a change gets that cannot be written down for the other workers (507); what is served goes on."""
    return Refusal(507, "no_space", "service", str(error))


def admin_routes(models: ModelRegistry, shared: SharedState, allowed: Callable[..., Any]) -> APIRouter:
    """The routes below ``/admin``, for those whom ``allowed`` lets in."""
    limiter = anyio.CapacityLimiter(THREADS)
    router = APIRouter(prefix="/admin", tags=["admin"], dependencies=[Depends(allowed)])

    def of_model(name: str) -> dict[str, Any]:
        state, slot = shared.state(), models.slots[name]
        versions = state.versions.get(name) if state else None
        items = models.served.rankers[name].items
        return {
            "version": models.served.version(name),
            "previous": list(versions.previous) if versions else [],
            "available": sorted(slot.versions()),
            "refused": {str(number): why.cause for number, why in versions.refused.items()} if versions else {},
            "pinned": slot.pinned or slot.follows_file,
            "items": None if items is None else len(items),
        }

    def of_experiment() -> dict[str, Any] | None:
        experiment = models.served.experiment
        return {**experiment.model_dump(mode="json"), "revision": experiment.revision} if experiment else None

    def by_worker(told: Callable[[Serving], Any]) -> dict[str, Any]:
        workers = {str(pid): told(serving) for pid, serving in shared.workers().items()}
        return {"workers": workers, "answered_by": os.getpid()}

    def status() -> dict[str, Any]:
        return {
            "default": models.default,
            "models": {name: of_model(name) for name in models.slots},
            "experiment": of_experiment(),
            **by_worker(lambda serving: serving.model_dump()),
        }

    def about(name: str) -> dict[str, Any]:
        return {"model": name, **of_model(name), **by_worker(lambda serving: serving.models.get(name))}

    async def inside(call: Callable[..., Result], *arguments: Any) -> Result:
        """Do what reads or writes files in a thread, so that a volume that stalls holds up none but such requests."""
        try:
            return await anyio.to_thread.run_sync(call, *arguments, limiter=limiter)
        except ArtifactError as error:  # the folder of versions itself
            raise Refusal(503, "unreadable", "artifact", str(error)) from None

    def named(name: str | None) -> str:
        name = models.default if name is None else name
        if name not in models.slots:
            raise Refusal(404, "no_model", "model", unknown(name, models.slots))
        return name

    async def settled(agrees: Callable[[Serving], bool]) -> None:
        """Wait for the other workers, who follow on their own."""
        for _ in range(int(PATIENCE / 0.05)):
            if all(agrees(serving) for serving in (await inside(shared.workers)).values()):
                break
            await asyncio.sleep(0.05)

    async def changed(name: str, change: Callable[[], None]) -> dict[str, Any]:
        """Make a change in a thread, then wait for the other workers."""
        if models.slots[name].pinned:
            reason = "serves one version's own folder, or the one version that the settings or the file of models name"
            raise Refusal(409, "pinned", f"model {name}", reason)
        if models.slots[name].follows_file:
            raise Refusal(
                409, "pinned", f"model {name}", "serves the version that its version file names: edit that file"
            )
        try:
            await inside(change)
        except RefusedError as refused:
            raise Refusal(409, refused.cause, f"version {refused.version}", str(refused)) from None
        except ExperimentError as error:  # of what other workers changed to
            raise Refusal(409, "experiment", "experiment", str(error)) from None
        except LookupError as error:
            raise Refusal(409, "no_version", "version", str(error)) from None
        except StateError as error:
            raise unwritten(error) from None
        version = models.served.version(name)
        await settled(lambda serving: serving.models.get(name) == version)
        return await inside(about, name)

    async def renewed() -> None:
        """Take items up anew, here and then in the other workers."""
        try:
            await inside(models.refresh)
        except ItemsError as error:
            raise Refusal(409, "items", "items", str(error)) from None
        try:
            await inside(models.ask_for_items)
        except StateError as error:
            raise unwritten(error) from None

    @router.get("/status", responses=documented(401, 503))
    async def get_status() -> dict[str, Any]:
        """By model the version served, those before it, those on disk; the experiment; what each worker serves."""
        return await inside(status)

    @router.post("/reload", responses=documented(400, 401, 404, 409, 422, 503, 507))
    async def reload(wanted: Reload | None = None) -> dict[str, Any]:
        """Check a version and serve it, in all workers, and take items up anew; what does not hold is refused."""
        asked = wanted or Reload()
        name = named(asked.model)
        slot, current = models.slots[name], models.served.version(name)
        known = await inside(slot.versions)
        version = asked.version or max(known, default=current)
        if not slot.pinned and version not in known:
            raise Refusal(404, "no_version", "version", f"there is no version {version} (there are: {sorted(known)})")
        if models.served.rankers[name].items is not None:
            await renewed()
            if (slot.pinned or slot.follows_file) and asked.version is None:
                return await inside(about, name)
        if version == current and not slot.pinned:
            return await inside(about, name)
        return await changed(name, lambda: models.change(name, version, asked.allow_schema_change))

    @router.post("/rollback", responses=documented(400, 401, 404, 409, 422, 503, 507))
    async def rollback(wanted: Chosen | None = None) -> dict[str, Any]:
        """Serve the version that was served before this one."""
        name = named(wanted.model if wanted else None)
        return await changed(name, lambda: models.back(name))

    @router.post("/experiment/reload", responses=documented(401, 409, 507))
    async def reload_experiment() -> dict[str, Any]:
        """Read the experiment of the models' file anew; one that cannot be served is refused, and the old goes on."""
        try:
            await inside(models.change_experiment)
        except ExperimentError as error:
            raise Refusal(409, "experiment", "experiment", str(error)) from None
        except StateError as error:
            raise unwritten(error) from None
        experiment = models.served.experiment
        revision = experiment.revision if experiment else None
        await settled(lambda serving: serving.experiment == revision)
        return {"experiment": of_experiment(), **await inside(by_worker, lambda serving: serving.experiment)}

    return router
