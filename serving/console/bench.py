"""The bench: ranks requests of people, apart from those of clients, also by versions that are not served."""

import threading
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from ranker.inference.sample import read_sample
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
SAMPLED, CANDIDATES = 10, 100
"""Most requests of an artifact's sample to start from, and most candidates of each."""
EXCHANGE = Exchange()


class _Beside(NamedTuple):
    """A loaded version that is not served."""

    model: str
    version: int
    ranker: Ranker
    used: float


class Bench:
    """Ranks in the calling thread. Its requests are in no metric, no drift, no exposure log and no client's queue."""

    def __init__(self, models: ModelRegistry) -> None:
        self._models = models
        self._beside: _Beside | None = None
        self._loading = threading.Lock()

    def rank(self, body: bytes, headers: Mapping[str, str], version: int | None = None) -> bytes:
        """Answer a request as ``/rank`` does, in JSON, or by another version of its model.

        Raises ``RequestError``, and ``Refusal`` if the version is not there or cannot be served.
        """
        served = self._models.served
        opened = READERS[EXCHANGE.reads]().open(body, served.bounds)
        route = served.route(opened.content, headers)
        ranker = self._ranker(route.model, version)
        trace = RequestTrace()
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
        """Requests to start from: those that the model's artifact is checked by, and some of its sample.

        Raises ``Refusal``, and ``ArtifactError`` if the sample cannot be read.
        """
        name, ranker = self.chosen(name)
        sample = read_sample(ranker.artifact)[:SAMPLED]
        kinds = {"Golden request": (ranker.artifact.golden, None), "Request of the sample": (sample, CANDIDATES)}
        found = []
        for kind, (requests, most) in kinds.items():
            for number, request in enumerate(requests, start=1):
                candidates = {column: values[:most] for column, values in request.candidates.items()}
                content: dict[str, Any] = {"model": name} if name != self._models.default else {}
                content |= {"context": request.context} if request.context else {}
                content["candidates"] = candidates
                count = len(next(iter(candidates.values()), ()))
                found.append({"title": f"{kind} {number} ({count} candidates)", "request": content})
        return found

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
