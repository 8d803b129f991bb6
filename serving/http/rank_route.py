"""``POST /rank`` under its limits: admitted or refused, read, ranked in a thread, counted."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from fastapi import Depends, FastAPI
from fastapi.responses import JSONResponse, Response
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from serving.http.admission import Admission, deadline_of, too_late
from serving.http.content_encoding import Unpack, unpacker
from serving.http.openapi import documented
from serving.http.request_bodies import Bodies
from serving.observability.metrics import Metrics
from serving.observability.tracing import tracing
from serving.protocol.errors import Refusal, RequestError
from serving.protocol.formats import READERS, Exchange, agreed
from serving.protocol.messages import Ranking
from serving.ranking.request_trace import DeadlineError, RequestTrace
from serving.ranking.scheduler import Scheduler, Step
from serving.registry.registry import ModelRegistry
from serving.registry.snapshot import Snapshot
from serving.settings import Settings


class RankEndpoint:
    """One worker's side of every request to ``/rank``."""

    def __init__(self, settings: Settings, models: ModelRegistry, metrics: Metrics, bodies: Bodies) -> None:
        self._settings, self._models, self._metrics, self._bodies = settings, models, metrics, bodies
        self._admission = Admission(settings.max_in_flight)
        self._trace = tracing()
        self._turns = Scheduler(settings.concurrency)
        metrics.sample("waiting", self._turns.waiting)
        metrics.sample("receiving", bodies.count)

    async def rank(self, request: Request) -> Response:
        """Answer one request with what is served as it begins."""
        watch, served = RequestTrace(), self._models.served
        outcome = "failed"
        try:
            watch.deadline = deadline_of(request.headers)
            exchange = agreed(request.headers.get("content-type"), request.headers.get("accept"))
            unpack = unpacker(request.headers.get("content-encoding"), self._settings.max_body_bytes)
            answer = await self._ranked(request, served, watch, exchange, unpack)
            outcome = "ok"
            return Response(answer, headers={"Content-Type": exchange.writes})
        except Refusal as refusal:
            outcome = refusal.outcome
            return refused(refusal)
        except RequestError as error:
            outcome = "invalid"
            return JSONResponse({"detail": error.problems}, status_code=422)
        except ClientDisconnect:
            outcome = "left"
            raise
        finally:
            # The answer is on its way before it is counted.
            asyncio.get_running_loop().call_soon(self._record, request, outcome, watch)

    def _record(self, request: Request, outcome: str, watch: RequestTrace) -> None:
        self._metrics.record(outcome, watch)
        if self._trace is not None:
            self._trace(request.headers, outcome, watch)

    async def _ranked(
        self, request: Request, served: Snapshot, watch: RequestTrace, exchange: Exchange, unpack: Unpack | None
    ) -> bytes:
        """Read and rank. Raises ``Refusal`` (504) where the deadline passes first.

        A request takes one of the places once its body is there. Where all are taken before, it is not read.
        """
        settings = self._settings
        self._admission.require_place()
        body = await self._bodies.read(request, settings.max_body_bytes, settings.body_timeout, watch.deadline)
        work = partial(_prepared, served, body, request.headers, watch, exchange, unpack)
        try:
            watch.lap("read")
            with self._admission.one(), self._metrics.in_flight.track_inprogress():
                return await self._turns.take(work, watch.deadline)
        except DeadlineError:
            raise too_late() from None


def add_rank_route(app: FastAPI, endpoint: RankEndpoint, allowed: Callable[..., Awaitable[None]] | None) -> ASGIApp:
    """Add ``POST /rank``, for those whom ``allowed`` lets in; return it as an ASGI application of its own."""

    @app.post(
        "/rank",
        response_model=Ranking,
        responses=documented(401, 406, 408, 413, 415, 422, 500, 503, 504),
        dependencies=[Depends(allowed)] if allowed else [],
    )
    async def rank(request: Request) -> Response:
        """Score every candidate on every objective, fuse, and return the candidates in order, best first."""
        try:
            if allowed:
                await allowed(request)
            return await endpoint.rank(request)
        except Refusal as refusal:
            return refused(refusal)

    async def directly(scope: Scope, receive: Receive, send: Send) -> None:
        answer = await rank(Request(scope, receive))
        await answer(scope, receive, send)

    return directly


def refused(refusal: Refusal) -> JSONResponse:
    """The answer that a refusal stands for."""
    detail = [{"field": refusal.field, "reason": refusal.reason}]
    return JSONResponse({"detail": detail}, status_code=refusal.status, headers=refusal.headers)


def _prepared(
    served: Snapshot,
    body: bytes,
    headers: Mapping[str, str],
    watch: RequestTrace,
    exchange: Exchange,
    unpack: Unpack | None,
) -> Step:
    """Unpack and open the body, find what ranks it, and prepare that."""
    watch.lap("wait")
    opened = READERS[exchange.reads]().open(unpack(body) if unpack else body, served.bounds)
    watch.route = route = served.route(opened.content, headers)
    return route.ranker.prepared(
        opened, watch, exchange, model=route.model, fusion=route.fusion, experiment=route.experiment
    )
