"""The console: its page at ``/console``, and below ``/admin/console`` what it shows and its bench."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, Any, TypeVar

import anyio
import anyio.to_thread
import orjson
from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import JSONResponse, Response
from starlette.requests import Request

from serving.console.bench import IDLE, Bench
from serving.console.overview import Overview
from serving.console.page_files import INDEX, page_files
from serving.http.middleware import REQUEST_ID
from serving.http.model_info import facts
from serving.http.openapi import documented
from serving.http.request_bodies import Bodies
from serving.http.routing import Route
from serving.protocol.errors import Refusal, RequestError
from serving.protocol.formats.base import JSON
from serving.protocol.messages import Ranking
from serving.settings import Settings

RANK = "/admin/console/rank"
"""Reads its own body, which may be as large as that of ``/rank``, after the key was checked."""
Version = Annotated[
    int | None, Query(ge=1, lt=2**31, description="A version in the model's folder; the served one if omitted.")
]
Result = TypeVar("Result")


def _json(content: Any) -> Response:
    """An answer in JSON, with null for what is no number and ISO 8601 for times."""
    return Response(orjson.dumps(content), media_type=JSON)


def page_routes(root_path: str) -> APIRouter:
    """The page and its files, which need no key: the page asks for one."""
    router, files = APIRouter(route_class=Route), page_files(root_path)

    @router.get("/console", include_in_schema=False)
    async def page() -> Response:
        """The page."""
        return Response(files[INDEX].content, media_type=files[INDEX].media_type)

    @router.get("/console/{name}", include_in_schema=False)
    async def file(name: Annotated[str, Path(max_length=100)]) -> Response:
        """A script or style of the page."""
        found = files.get(name)
        if found is None:
            raise Refusal(404, "no_file", "path", "the console has no such file")
        return Response(found.content, media_type=found.media_type)

    return router


def console_routes(
    settings: Settings, overview: Overview, bench: Bench, bodies: Bodies, allowed: Callable[..., Awaitable[None]]
) -> APIRouter:
    """What the page asks for, guarded by the dependency ``allowed``."""
    router = APIRouter(prefix="/admin/console", tags=["admin"], dependencies=[Depends(allowed)], route_class=Route)
    looks, ranks = anyio.CapacityLimiter(1), anyio.CapacityLimiter(1)

    async def look(call: Callable[[], Result]) -> Result:
        return await anyio.to_thread.run_sync(call, limiter=looks)

    async def on_bench(call: Callable[[], Result], version: int | None) -> Result:
        """Run in the bench's one thread; what is loaded for it is freed once nobody has asked for long."""
        try:
            return await anyio.to_thread.run_sync(call, limiter=ranks)
        finally:
            if version is not None:
                loop = asyncio.get_running_loop()
                loop.call_later(IDLE + 1, loop.run_in_executor, None, bench.forget)

    @router.get("", response_model=dict[str, Any], responses=documented(401))
    async def get_overview() -> Response:
        """Metrics of all workers as JSON, the experiment's groups, and the newest report of an experiment."""
        return _json(await look(overview.facts))

    @router.get("/requests", response_model=list[dict[str, Any]], responses=documented(401, 404))
    async def get_requests(name: str | None = None) -> Response:
        """Requests to start from on the bench: logged ones, golden ones, and some of the artifact's sample."""
        return _json(await look(partial(bench.requests, name)))

    @router.get("/model", responses=documented(401, 404, 409))
    async def get_model(name: str | None = None, version: Version = None) -> dict[str, Any]:
        """A model as in `GET /model`, also of a version that is not served."""
        chosen, ranker = await on_bench(partial(bench.chosen, name, version), version)
        return facts(ranker, chosen)

    @router.post("/rank", response_model=Ranking, responses=documented(401, 404, 408, 409, 413, 422, 500, 503))
    async def rank(request: Request, version: Version = None) -> Response:
        """Rank as `POST /rank` does, in JSON, or by another version; the request is neither counted nor logged."""
        body = await bodies.read(request, settings.max_body_bytes, settings.body_timeout)
        try:
            work = partial(bench.rank, body, request.headers, version, request.scope[REQUEST_ID])
            answer = await on_bench(work, version)
        except RequestError as error:
            return JSONResponse({"detail": error.problems}, status_code=422)
        return Response(answer, media_type=JSON)

    return router
