"""``POST /rank`` under its limits: admitted or refused, read, ranked in a thread, counted."""

import asyncio

import anyio
import anyio.to_thread
from fastapi.responses import JSONResponse, Response
from starlette.requests import ClientDisconnect, Request

from serving.formats import Exchange, agreed
from serving.limits import Admission, Refusal, deadline_of, read_body, too_late
from serving.messages import RequestError
from serving.metrics import Metrics
from serving.models import Models
from serving.rank import Ranker
from serving.settings import Settings
from serving.traces import tracing
from serving.watch import DeadlineError, Watch


class RankEndpoint:
    """One worker's side of every request to ``/rank``."""

    def __init__(self, settings: Settings, models: Models, metrics: Metrics) -> None:
        self._settings, self._models, self._metrics = settings, models, metrics
        self._admission = Admission(settings.max_in_flight)
        self._trace = tracing()
        self._threads = anyio.CapacityLimiter(settings.concurrency)

    async def rank(self, request: Request) -> Response:
        """Answer one request with the ranker that is served as it begins."""
        watch, ranker = Watch(), self._models.ranker
        outcome = "failed"
        try:
            watch.deadline = deadline_of(request.headers)
            exchange = agreed(request.headers.get("content-type"), request.headers.get("accept"))
            with self._admission.one(), self._metrics.in_flight.track_inprogress():
                answer = await self._ranked(request, ranker, watch, exchange)
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
            asyncio.get_running_loop().call_soon(self._record, request, outcome, ranker, watch)

    def _record(self, request: Request, outcome: str, ranker: Ranker, watch: Watch) -> None:
        self._metrics.record(outcome, ranker, watch)
        if self._trace is not None:
            self._trace(request.headers, outcome, ranker.artifact.manifest.version, watch)

    async def _ranked(self, request: Request, ranker: Ranker, watch: Watch, exchange: Exchange) -> bytes:
        """Read and rank. Raises ``Refusal`` (504) as soon as the deadline passes before the work has begun."""
        settings = self._settings
        body = await read_body(request, settings.max_body_bytes, settings.body_timeout, watch.deadline)
        answer: bytes | None = None
        try:
            watch.lap("read")
            with anyio.move_on_at(_on_loop(watch.deadline)):
                answer = await anyio.to_thread.run_sync(_work, ranker, body, watch, exchange, limiter=self._threads)
        except DeadlineError:
            raise too_late() from None
        if answer is None:
            raise too_late()
        return answer


def refused(refusal: Refusal) -> JSONResponse:
    """The answer that a refusal stands for."""
    detail = [{"field": refusal.field, "reason": refusal.reason}]
    return JSONResponse({"detail": detail}, status_code=refusal.status, headers=refusal.headers)


def _work(ranker: Ranker, body: bytes, watch: Watch, exchange: Exchange) -> bytes:
    watch.lap("wait")
    return ranker.answer(body, watch, exchange)


def _on_loop(deadline: float | None) -> float:
    """A time of ``time.monotonic``, which the event loop's clock is too."""
    return float("inf") if deadline is None else deadline
