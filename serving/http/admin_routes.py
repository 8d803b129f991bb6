"""Admin routes: status, reload, rollback, and experiment reload. They exist only if admin keys are set."""

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, TypeVar

import anyio
import anyio.to_thread
from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from ranker.artifact import ArtifactError
from serving.exposures.log import ExposureLog
from serving.features.items import ItemsError
from serving.http.openapi import documented
from serving.http.routing import Route
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


class _Admin:
    """The actions behind the routes; files are read and written in separate threads."""

    def __init__(self, models: ModelRegistry, shared: SharedState, exposures: ExposureLog | None) -> None:
        self._models, self._shared, self._exposures = models, shared, exposures
        self._limiter = anyio.CapacityLimiter(THREADS)

    async def status(self) -> dict[str, Any]:
        """All models, the experiment, what each worker serves, and the exposure log of this one."""
        return await self._inside(self._status)

    async def reload(self, asked: Reload) -> dict[str, Any]:
        """Reload the items, then serve a version."""
        models, name = self._models, self._named(asked.model)
        loader, current = models.loaders[name], models.served.version(name)
        known = await self._inside(loader.versions)
        version = asked.version or max(known, default=current)
        if not loader.pinned and version not in known:
            raise Refusal(404, "no_version", "version", f"there is no version {version} (there are: {sorted(known)})")
        if models.served.rankers[name].items is not None:
            await self._reload_items()
            if (loader.pinned or loader.follows_file) and asked.version is None:
                return await self._inside(self._about, name)
        if version == current and not loader.pinned:
            return await self._inside(self._about, name)
        return await self._change(name, lambda: models.change(name, version, asked.allow_schema_change))

    async def rollback(self, model: str | None) -> dict[str, Any]:
        """Serve the previous version."""
        name = self._named(model)
        return await self._change(name, lambda: self._models.roll_back(name))

    async def reload_experiment(self) -> dict[str, Any]:
        """Reload the experiment from the models file."""
        with _refusing_changes():
            await self._inside(self._models.reload_experiment)
        experiment = self._models.served.experiment
        revision = experiment.revision if experiment else None
        await self._settle(lambda serving: serving.experiment == revision)
        workers = await self._inside(self._by_worker, lambda serving: serving.experiment)
        return {"experiment": self._experiment(), **workers}

    def _status(self) -> dict[str, Any]:
        return {
            "default": self._models.default,
            "models": {name: self._model(name) for name in self._models.loaders},
            "experiment": self._experiment(),
            "exposures": None if self._exposures is None else self._exposures.facts(),
            **self._by_worker(lambda serving: serving.model_dump()),
        }

    def _about(self, name: str) -> dict[str, Any]:
        return {"model": name, **self._model(name), **self._by_worker(lambda serving: serving.models.get(name))}

    def _model(self, name: str) -> dict[str, Any]:
        state, loader = self._shared.state(), self._models.loaders[name]
        versions = state.versions.get(name) if state else None
        items = self._models.served.rankers[name].items
        since = versions.since if versions else state.started if state else None
        last = versions.last_refused if versions else None
        return {
            "version": self._models.served.version(name),
            "since": since.isoformat() if since else None,
            "created": self._models.served.rankers[name].artifact.manifest.created.isoformat(),
            "previous": list(versions.previous) if versions else [],
            "available": sorted(loader.versions()),
            "refused": {str(number): why.cause for number, why in versions.refused.items()} if versions else {},
            "last_refused": last.model_dump(mode="json") if last else None,
            "pinned": loader.pinned or loader.follows_file,
            "items": None if items is None else len(items),
        }

    def _experiment(self) -> dict[str, Any] | None:
        experiment = self._models.served.experiment
        return {**experiment.model_dump(mode="json"), "revision": experiment.revision} if experiment else None

    def _by_worker(self, report: Callable[[Serving], Any]) -> dict[str, Any]:
        workers = {str(pid): report(serving) for pid, serving in self._shared.workers().items()}
        return {"workers": workers, "answered_by": os.getpid()}

    def _named(self, name: str | None) -> str:
        name = self._models.default if name is None else name
        if name not in self._models.loaders:
            raise Refusal(404, "no_model", "model", unknown(name, self._models.loaders))
        return name

    async def _inside(self, call: Callable[..., Result], *arguments: Any) -> Result:
        """Run file access in a thread, so that a stalled volume blocks only admin requests."""
        try:
            return await anyio.to_thread.run_sync(call, *arguments, limiter=self._limiter)
        except ArtifactError as error:  # the folder of versions cannot be read
            raise Refusal(503, "unreadable", "artifact", str(error)) from None

    async def _change(self, name: str, change: Callable[[], None]) -> dict[str, Any]:
        """Make a change in a thread, then wait for the other workers."""
        if self._models.loaders[name].pinned:
            reason = "is fixed to one version: by its folder, the settings, or the file of models"
            raise Refusal(409, "pinned", f"model {name}", reason)
        if self._models.loaders[name].follows_file:
            raise Refusal(409, "pinned", f"model {name}", "serves the version in its version file: edit that file")
        with _refusing_changes():
            try:
                await self._inside(change)
            except LookupError as error:
                raise Refusal(409, "no_version", "version", str(error)) from None
        version = self._models.served.version(name)
        await self._settle(lambda serving: serving.models.get(name) == version)
        return await self._inside(self._about, name)

    async def _reload_items(self) -> None:
        """Reload the items here, then in the other workers."""
        with _refusing_changes():
            await self._inside(self._models.refresh)
            await self._inside(self._models.request_items_reload)

    async def _settle(self, agrees: Callable[[Serving], bool]) -> None:
        """Wait for the other workers, which follow on their own."""
        for _ in range(int(PATIENCE / 0.05)):
            if all(agrees(serving) for serving in (await self._inside(self._shared.workers)).values()):
                break
            await asyncio.sleep(0.05)


@contextmanager
def _refusing_changes() -> Iterator[None]:
    """Turn the errors of a change into refusals."""
    try:
        yield
    except RefusedError as refused:
        raise Refusal(409, refused.cause, f"version {refused.version}", str(refused)) from None
    except ExperimentError as error:  # also from following another worker's change
        raise Refusal(409, "experiment", "experiment", str(error)) from None
    except ItemsError as error:
        raise Refusal(409, "items", "items", str(error)) from None
    except StateError as error:  # the change cannot be written for the other workers; the current version stays
        raise Refusal(507, "no_space", "service", str(error)) from None


def admin_routes(
    models: ModelRegistry, shared: SharedState, exposures: ExposureLog | None, allowed: Callable[..., Any]
) -> APIRouter:
    """The routes under ``/admin``, guarded by the dependency ``allowed``."""
    admin = _Admin(models, shared, exposures)
    router = APIRouter(prefix="/admin", tags=["admin"], dependencies=[Depends(allowed)], route_class=Route)

    @router.get("/status", responses=documented(401, 503))
    async def get_status() -> dict[str, Any]:
        """Served, previous and available versions by model; the experiment; what each worker serves; exposures."""
        return await admin.status()

    @router.post("/reload", responses=documented(400, 401, 404, 409, 422, 503, 507))
    async def reload(body: Reload | None = None) -> dict[str, Any]:
        """Check a version, serve it in all workers, and reload items; a version that fails its checks is refused."""
        return await admin.reload(body or Reload())

    @router.post("/rollback", responses=documented(400, 401, 404, 409, 422, 503, 507))
    async def rollback(body: ModelChoice | None = None) -> dict[str, Any]:
        """Serve the previous version."""
        return await admin.rollback(body.model if body else None)

    @router.post("/experiment/reload", responses=documented(401, 409, 507))
    async def reload_experiment() -> dict[str, Any]:
        """Reload the experiment from the models file; if it cannot be served, it is refused and the old one stays."""
        return await admin.reload_experiment()

    return router
