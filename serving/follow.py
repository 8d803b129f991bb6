"""What a worker does beside requests: follows changes, looks for new versions, brings metrics up to date."""

import asyncio
import logging
import time
from pathlib import Path

import anyio.to_thread

from serving.items import ItemsError
from serving.logs import event
from serving.metrics import Metrics
from serving.models import Models
from serving.served import ExperimentError
from serving.shared import Shared, State, Versions
from serving.slot import RefusedError

TICK = 0.25
"""Seconds between looks at what the workers share; a change reaches all of them this much later."""


class Follower:
    """Runs beside a worker's requests until cancelled."""

    def __init__(self, models: Models, shared: Shared, metrics: Metrics, watch: float, allow: bool) -> None:
        self._models, self._shared, self._metrics = models, shared, metrics
        self._watch, self._allow = watch, allow
        self._looked = 0.0
        self._looked_at_items = time.monotonic()
        self._asked = 0
        self._refusal = ""
        self._refused: dict[tuple[str, int], int] = {}
        self._followed: State | None = None

    async def run(self) -> None:
        """Tick for ever; what goes wrong in one tick is logged, and the next one comes."""
        while True:
            await asyncio.sleep(TICK)
            try:
                await anyio.to_thread.run_sync(self._tick)
            except Exception:
                event(logging.ERROR, "looking for versions failed", traceback=True)

    def _tick(self) -> None:
        self._metrics.measure()
        self._follow()
        self._follow_items()
        if self._shared.leads():
            for pid in self._shared.buried():
                event(logging.WARNING, "worker died", worker=pid)
                self._metrics.bury(pid)
            if self._watch and time.monotonic() - self._looked >= self._watch:
                self._looked = time.monotonic()
                self._look()

    def _follow(self) -> None:
        state = self._shared.state()
        if state is None or state is self._followed:
            return
        self._followed = state  # what is refused is logged, and not tried again until something else changes
        try:
            self._models.follow()
        except ExperimentError as error:
            event(logging.ERROR, "experiment refused", reason=str(error))

    def _follow_items(self) -> None:
        """Look at the file of items: after a reload was asked for, and as often as the watch looks."""
        state = self._shared.state()
        asked = state.items if state is not None else 0
        due = bool(self._watch) and time.monotonic() - self._looked_at_items >= self._watch
        if not due and asked == self._asked:
            return
        self._asked, self._looked_at_items = asked, time.monotonic()
        try:
            self._models.refresh()
            self._refusal = ""
        except ItemsError as error:
            if str(error) != self._refusal:
                self._refusal = str(error)
                event(logging.ERROR, "items refused", reason=self._refusal)

    def _look(self) -> None:
        state = self._shared.state()
        for model, versions in state.versions.items() if state else ():
            self._look_for(model, versions)

    def _look_for(self, model: str, versions: Versions) -> None:
        """Serve the highest version that nobody has considered yet; one that was refused, once its files change."""
        for version, folder in sorted(self._models.slots[model].versions().items(), reverse=True):
            if version <= versions.highest:
                return
            stamp = _stamp(folder)
            if self._refused.get((model, version)) == stamp:
                continue
            try:
                self._models.change(model, version, self._allow)
                return
            except RefusedError:
                self._refused[model, version] = stamp


def _stamp(folder: Path) -> int:
    """A number that changes with any file of a folder."""
    facts = [(str(file), file.stat().st_mtime_ns, file.stat().st_size) for file in sorted(folder.rglob("*"))]
    return hash(tuple(facts))
