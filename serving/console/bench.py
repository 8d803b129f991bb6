"""The bench: ranks requests of people, apart from those of clients, also by versions that are not served."""

import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ranker.inference.sample import read_sample
from serving.console.logged import logged_requests
from serving.exposures.folder import Folder
from serving.exposures.log import ExposureLog
from serving.protocol.errors import Refusal
from serving.protocol.formats import READERS, Exchange
from serving.ranking.ranker import Ranker
from serving.ranking.request_trace import RequestTrace
from serving.ranking.scheduler import completed
from serving.registry.catalog import unknown
from serving.registry.registry import ModelRegistry
from serving.registry.version_loader import RefusedError

IDLE = 600.0
"""Seconds after its last use for which a version that is not served stays loaded."""
LOGGED, SAMPLED, CANDIDATES = 20, 10, 100
"""Most requests to start from of the exposure log and of an artifact's sample; most candidates of a sampled one."""
EXCHANGE = Exchange()


class _Beside(NamedTuple):
    """A loaded version that is not served."""

    model: str
    version: int
    ranker: Ranker
    used: float


class Bench:
    """Ranks in the calling thread. Its requests are in no metric, no drift, no exposure log and no client's queue."""

    def __init__(self, models: ModelRegistry, log: Path | None = None) -> None:
        """``log`` is the folder of the exposure log, if there is one."""
        self._models, self._log = models, log
        self._beside: _Beside | None = None
        self._loading = threading.Lock()

    @classmethod
    def of(cls, models: ModelRegistry, exposures: ExposureLog | None) -> "Bench":
        """A bench with the requests of the exposure log, if that is a folder."""
        sink = None if exposures is None else exposures.writer.sink
        return cls(models, Path(sink.name) if isinstance(sink, Folder) else None)

    def rank(self, body: bytes, headers: Mapping[str, str], version: int | None = None, request_id: str = "") -> bytes:
        """Answer a request as ``/rank`` does, in JSON, or by another version of its model.

        ``request_id`` is the seed of exploration.

        Raises ``RequestError``, and ``Refusal`` if the version is not there or cannot be served.
        """
        served = self._models.served
        opened = READERS[EXCHANGE.reads]().open(body, served.bounds)
        route = served.route(opened.content, headers)
        ranker = self._ranker(route.model, version)
        trace = RequestTrace(request_id=request_id)
        return completed(
            ranker.prepared(
                opened, trace, EXCHANGE, model=route.model, fusion=route.fusion, experiment=route.experiment
            )
        )

    def chosen(self, name: str | None, version: int | None = None) -> tuple[str, Ranker]:
        """The name and the ranker of a model, the default unless named, and of any version. Raises ``Refusal``."""
        served = self._models.served
        name = served.default if name is None else name
        if name not in served.rankers:
            raise Refusal(404, "no_model", "name", unknown(name, served.rankers))
        return name, self._ranker(name, version)

    def requests(self, name: str | None) -> list[dict[str, Any]]:
        """Requests to start from: the latest logged ones, the artifact's golden ones, and some of its sample.

        Each has a ``title`` and a ``request``, or the ``reason`` why there is none. Raises ``Refusal``.
        """
        name, ranker = self.chosen(name)
        sample = read_sample(ranker.artifact)[:SAMPLED]
        logged = [] if self._log is None else logged_requests(self._log, name, ranker, LOGGED)
        kinds = {"Golden request": (ranker.artifact.golden, None), "Request of the sample": (sample, CANDIDATES)}
        chosen: dict[str, Any] = {"model": name} if name != self._models.default else {}
        found = []
        for kind, (requests, most) in kinds.items():
            for number, request in enumerate(requests, start=1):
                candidates = {column: values[:most] for column, values in request.candidates.items()}
                content = {"context": request.context} if request.context else {}
                count = len(next(iter(candidates.values()), ()))
                whole = {**chosen, **content, "candidates": candidates}
                found.append({"title": f"{kind} {number} ({count} candidates)", "request": whole})
        return [
            *({**one, "request": {**chosen, **one["request"]}} if "request" in one else one for one in logged),
            *found,
        ]

    def forget(self) -> None:
        """Free the version that is not served, unless it was used lately."""
        with self._loading:
            if self._beside is not None and time.monotonic() - self._beside.used >= IDLE:
                self._beside = None

    def _ranker(self, model: str, version: int | None) -> Ranker:
        """The served version or another one, of which one at a time stays loaded."""
        served = self._models.served
        if version is None or version == served.version(model):
            return served.rankers[model]
        with self._loading:
            beside = self._beside
            if beside is None or (beside.model, beside.version) != (model, version):
                self._beside = None  # freed before the next one is loaded
                beside = _Beside(model, version, self._load(model, version), 0.0)
            self._beside = beside._replace(used=time.monotonic())
            return beside.ranker

    def _load(self, model: str, version: int) -> Ranker:
        loader = self._models.loaders[model]
        available = sorted(loader.versions())
        if version not in available:
            raise Refusal(404, "no_version", "version", f"there is no version {version} (there are: {available})")
        try:
            return loader.beside(version)
        except RefusedError as refused:
            raise Refusal(409, refused.cause, f"version {version}", str(refused)) from None
