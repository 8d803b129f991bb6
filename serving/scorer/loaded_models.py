"""The graphs that a scorer has loaded, and who holds them."""

import logging
import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from ranker.engines import Engine, EngineError, EngineOptions, engine_of
from serving.logs import event
from serving.scorer.messages import MOST_TEXT

LINGER = 60.0
"""Seconds that a graph stays loaded after its last holder has died, for the one that replaces it."""


class Spec(NamedTuple):
    """What is loaded. Equal ones are loaded once, for all workers."""

    path: str
    digest: str
    """Digest of the artifact's files: a folder may be replaced by another of the same name."""
    engine: str
    options: EngineOptions

    def content(self) -> dict[str, Any]:
        """For a message."""
        return {**self._asdict(), "options": self.options._asdict()}

    @classmethod
    def read(cls, content: dict[str, Any]) -> "Spec":
        """From a message."""
        options = EngineOptions(**{**content["options"], "sizes": tuple(content["options"]["sizes"])})
        return cls(content["path"], content["digest"], content["engine"], options)


class _Model:
    """A loaded graph and the connections that hold it, each of them once for every load."""

    def __init__(self, number: int, spec: Spec, engine: Engine) -> None:
        self.number, self.spec, self.engine = number, spec, engine
        self.holders: list[object] = []
        self.held_until = 0.0


class LoadedModels:
    """Loads graphs in a thread of its own, one after the other, while others are run."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._models: dict[int, _Model] = {}
        self._count = 0
        self._jobs: queue.SimpleQueue[tuple[Spec, object, Callable[[dict[str, Any]], None]]] = queue.SimpleQueue()
        threading.Thread(target=self._load_all, name="load", daemon=True).start()

    def load(self, spec: Spec, holder: object, answer: Callable[[dict[str, Any]], None]) -> None:
        """Load a graph for a holder; ``answer`` gets its number, engine and sizes, or an error."""
        self._jobs.put((spec, holder, answer))

    def engine(self, number: int) -> Engine | None:
        """The engine of a loaded graph; ``None`` if it is not loaded any more."""
        model = self._models.get(number)
        return None if model is None else model.engine

    def release(self, number: int, holder: object) -> None:
        """End one load of a holder; the last one unloads the graph."""
        with self._lock:
            model = self._models.get(number)
            if model is None or holder not in model.holders:
                return
            model.holders.remove(holder)
            if not model.holders:
                self._unload(model)

    def forget(self, holder: object) -> None:
        """End all loads of a holder that has died; graphs without another one stay for ``LINGER`` seconds."""
        with self._lock:
            for model in self._models.values():
                if holder in model.holders:
                    model.holders = [other for other in model.holders if other is not holder]
                    model.held_until = time.monotonic() + LINGER

    def unload_unheld(self) -> None:
        """Unload graphs that nobody has held for ``LINGER`` seconds."""
        with self._lock:
            now = time.monotonic()
            for model in [m for m in self._models.values() if not m.holders and m.held_until < now]:
                self._unload(model)

    def _unload(self, model: _Model) -> None:
        del self._models[model.number]
        event(logging.INFO, "graph unloaded", path=model.spec.path)

    def _load_all(self) -> None:
        while True:
            spec, holder, answer = self._jobs.get()
            answer(self._answer(spec, holder))
            del spec, holder, answer  # they would live until the next load

    def _answer(self, spec: Spec, holder: object) -> dict[str, Any]:
        try:
            model = self._loaded(spec, holder)
        except EngineError as error:
            return {"error": str(error)[:MOST_TEXT]}
        except Exception as error:  # any error is the caller's, and the scorer goes on
            event(logging.ERROR, "loading failed", traceback=True, path=spec.path)
            return {"error": f"{spec.path}: {type(error).__name__}: {error}"[:MOST_TEXT]}
        return {"model": model.number, "engine": model.engine.name, "sizes": model.engine.sizes}

    def _loaded(self, spec: Spec, holder: object) -> _Model:
        with self._lock:
            for model in self._models.values():
                if model.spec == spec:
                    model.holders.append(holder)
                    return model
        begun = time.monotonic()
        engine = engine_of(spec.engine, Path(spec.path), spec.options, _skipped)
        seconds = round(time.monotonic() - begun, 2)
        event(logging.INFO, "graph loaded", path=spec.path, engine=engine.name, seconds=seconds)
        with self._lock:
            self._count += 1
            model = self._models[self._count] = _Model(self._count, spec, engine)
            model.holders.append(holder)
        return model


def _skipped(engine: str, reason: str) -> None:
    event(logging.WARNING, "engine not used", engine=engine, reason=reason)
