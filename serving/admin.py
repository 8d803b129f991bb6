"""The admin routes: which version is served, another one, the one before. They exist only where an admin key does."""

import asyncio
import os
from collections.abc import Callable
from typing import Annotated, Any

import anyio.to_thread
from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from serving.items import ItemsError
from serving.limits import Refusal
from serving.models import Models, RefusedError
from serving.shared import Shared

PATIENCE = 30.0
"""Seconds that a change waits for all workers to follow."""


class Reload(BaseModel):
    """Which version to serve; by default the highest."""

    model_config = ConfigDict(extra="forbid", strict=True)

    version: Annotated[int, Field(ge=1, lt=2**31)] | None = Field(None, description="By default the highest.")
    allow_schema_change: bool = Field(False, description="Also if its requests or objectives differ.")


def admin_routes(models: Models, shared: Shared, allowed: Callable[..., Any]) -> APIRouter:
    """``/admin/status``, ``/admin/reload`` and ``/admin/rollback``, for those whom ``allowed`` lets in."""
    router = APIRouter(prefix="/admin", tags=["admin"], dependencies=[Depends(allowed)])

    def status() -> dict[str, Any]:
        state = shared.state()
        return {
            "version": models.version,
            "previous": list(state.previous) if state else [],
            "available": sorted(models.versions()),
            "items": None if models.ranker.items is None else len(models.ranker.items),
            "workers": {str(pid): version for pid, version in shared.workers().items()},
            "answered_by": os.getpid(),
        }

    async def changed(change: Callable[[], None]) -> dict[str, Any]:
        """Make a change in a thread, then wait for the other workers, who follow on their own."""
        if models.pinned:
            raise Refusal(409, "pinned", "service", "serves one version's own folder; start it on a folder of versions")
        try:
            await anyio.to_thread.run_sync(change)
        except RefusedError as refused:
            raise Refusal(409, refused.cause, f"version {refused.version}", str(refused)) from None
        except LookupError as error:
            raise Refusal(409, "no_version", "version", str(error)) from None
        version = models.version
        for _ in range(int(PATIENCE / 0.05)):
            if all(served == version for served in shared.workers().values()):
                break
            await asyncio.sleep(0.05)
        return status()

    async def renewed() -> None:
        """Take the items up anew, here and then in the other workers."""
        try:
            await anyio.to_thread.run_sync(models.refresh)
        except ItemsError as error:
            raise Refusal(409, "items", "items", str(error)) from None
        shared.ask_for_items()

    @router.get("/status")
    async def get_status() -> dict[str, Any]:
        """The version that is served, those before it, those on disk, and what each worker serves."""
        return status()

    @router.post("/reload")
    async def reload(wanted: Reload | None = None) -> dict[str, Any]:
        """Check a version and serve it, in all workers, and take the items up anew; what does not hold is refused."""
        asked = wanted or Reload()
        known = models.versions()
        version = asked.version or max(known, default=models.version)
        if not models.pinned and version not in known:
            raise Refusal(404, "no_version", "version", f"there is no version {version} (there are: {sorted(known)})")
        if models.ranker.items is not None:
            await renewed()
            if models.pinned and asked.version is None:
                return status()
        if version == models.version and not models.pinned:
            return status()
        return await changed(lambda: models.change(version, asked.allow_schema_change))

    @router.post("/rollback")
    async def rollback() -> dict[str, Any]:
        """Serve the version that was served before this one."""
        return await changed(models.back)

    return router
