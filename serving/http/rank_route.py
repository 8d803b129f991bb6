"""``POST /rank``: admits or refuses a request, reads it, ranks it in a thread, and counts it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from fastapi import Depends, FastAPI
from fastapi.responses import JSONResponse, Response
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from serving.exposures.log import ExposureLog
from serving.http.admission import Admission, deadline_of, too_late
from serving.http.content_encoding import Unpack, unpacker
from serving.http.middleware import REQUEST_ID
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
    """Handles one worker's requests to ``/rank``."""

    def __init__(
        self,
        settings: Settings,
        models: ModelRegistry,
        metrics: Metrics,
        bodies: Bodies,
        exposures: ExposureLog | None = None,
    ) -> None:
        self._settings, self._models, self._metrics, self._bodies = settings, models, metrics, bodies
        self._exposures = exposures
        self._admission = Admission(settings.max_in_flight)
        self._send_spans = tracing()
        self._scheduler = Scheduler(settings.concurrency)
        metrics.sample("waiting", self._scheduler.waiting)
        metrics.sample("receiving", bodies.count)

    async def rank(self, request: Request) -> Response:
        """Answer one request from the snapshot served when it arrives."""
        trace, served = RequestTrace(request_id=request.scope[REQUEST_ID]), self._models.served
        outcome = "failed"
        try:
            trace.deadline = deadline_of(request.headers)
            exchange = agreed(request.headers.get("content-type"), request.headers.get("accept"))
            unpack = unpacker(request.headers.get("content-encoding"), self._settings.max_body_bytes)
            answer = await self._ranked(request, served, trace, exchange, unpack)
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
            # Recorded after the answer is sent, so that counting adds no latency.
            asyncio.get_running_loop().call_soon(self._record, request, outcome, trace)

    def _record(self, request: Request, outcome: str, trace: RequestTrace) -> None:
        self._metrics.record(outcome, trace)
        if self._exposures is not None and outcome == "ok":
            self._exposures.add(trace)
        if self._send_spans is not None:
            self._send_spans(request.headers, outcome, trace)

    async def _ranked(
        self, request: Request, served: Snapshot, trace: RequestTrace, exchange: Exchange, unpack: Unpack | None
    ) -> bytes:
        """Read and rank. Raises ``Refusal`` (504) if the deadline passes first.

        A request counts against the limit once its body is received. If the limit is already reached, it is not read.
        """
        settings = self._settings
        self._admission.require_place()
        body = await self._bodies.read(request, settings.max_body_bytes, settings.body_timeout, trace.deadline)
        work = partial(_prepared, served, body, request.headers, trace, exchange, unpack, self._exposures)
        try:
            trace.lap("read")
            with self._admission.one(), self._metrics.in_flight.track_inprogress():
                return await self._scheduler.run(work, trace.deadline)
        except DeadlineError:
            raise too_late() from None


def add_rank_route(app: FastAPI, endpoint: RankEndpoint, allowed: Callable[..., Awaitable[None]] | None) -> ASGIApp:
    """Add ``POST /rank``, guarded by ``allowed``; return the route as an ASGI application of its own."""

    @app.post(
        "/rank",
        response_model=Ranking,
        responses=documented(401, 406, 408, 413, 415, 422, 500, 503, 504),
        dependencies=[Depends(allowed)] if allowed else [],
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

    return directly


def refused(refusal: Refusal) -> JSONResponse:
    """The response for a refusal."""
    detail = [{"field": refusal.field, "reason": refusal.reason}]
    return JSONResponse({"detail": detail}, status_code=refusal.status, headers=refusal.headers)


def _prepared(
    served: Snapshot,
    body: bytes,
    headers: Mapping[str, str],
    trace: RequestTrace,
    exchange: Exchange,
    unpack: Unpack | None,
    exposures: ExposureLog | None,
) -> Step:
    """Decompress and parse the body, route the request, and prepare it for scoring."""
    trace.lap("wait")
    opened = READERS[exchange.reads]().open(unpack(body) if unpack else body, served.bounds)
    trace.route = route = served.route(opened.content, headers)
    if exposures is not None:
        exposures.begin(trace, route.ranker, served.split, opened.content, headers)
    return route.ranker.prepared(
        opened, trace, exchange, model=route.model, fusion=route.fusion, experiment=route.experiment
    )
