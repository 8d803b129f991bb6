"""A worker's background task: follows shared changes, looks for new versions, and updates metrics."""

import asyncio
import logging
import time
from contextlib import suppress

import anyio.to_thread

from ranker.artifact import ArtifactError
from serving.features.items import ItemsError
from serving.logs import Problems, event
from serving.observability.metrics import Metrics
from serving.registry.registry import ModelRegistry
from serving.registry.rollout import Rollout, jittered
from serving.registry.shared_state import SharedState, State, StateError, Versions
from serving.registry.snapshot import ExperimentError
from serving.registry.version_loader import RefusedError, VersionFileError
from serving.settings import Settings

TICK = 0.25
"""Seconds between reads of the shared state; a change reaches all workers within this time."""
UNWATCHED = 5.0
"""Seconds between checks of version files and refused versions if the setting ``watch`` is 0."""


class Watcher:
    """Runs in the background of a worker until cancelled."""

    def __init__(self, models: ModelRegistry, shared: SharedState, metrics: Metrics, settings: Settings) -> None:
        self._models, self._shared, self._metrics = models, shared, metrics
        self._watch, self._allow = settings.watch, settings.allow_schema_change
        self._rollout = Rollout(settings.watch_fraction, settings.watch_delay)
        self._look_at = 0.0
        self._looked_at_items = time.monotonic()
        self._asked = -1  # checks once at the start, since a worker may begin with outdated items
        self._items_problems = Problems()
        self._file_problems = Problems()
        self._folder_problems = Problems()
        self._followed: State | None = None

    async def run(self) -> None:
        """Tick forever; errors of a tick are logged."""
        while True:
            await asyncio.sleep(TICK)
            try:
                await anyio.to_thread.run_sync(self._tick)
            except StateError as error:
                event(logging.ERROR, "state not written", reason=str(error))
            except Exception:
                event(logging.ERROR, "looking for versions failed", traceback=True)

    def _tick(self) -> None:
        self._mend()
        self._metrics.measure()
        self._follow()
        self._follow_items()
        if self._shared.is_leader():
            for pid in self._shared.dead_workers():
                self._metrics.remove_worker(pid)
            self._models.count_refused()
            if time.monotonic() >= self._look_at:
                self._look_at = time.monotonic() + jittered(self._watch or UNWATCHED)
                self._look()

    def _mend(self) -> None:
        gone = self._shared.mend()
        if self._metrics.mend():
            gone.append("metrics (running workers lose theirs until they restart)")
        if gone:
            event(logging.WARNING, "runtime files were removed", gone=gone)

    def _follow(self) -> None:
        state = self._shared.state()
        if state is None or state is self._followed:
            return
        self._followed = state  # a refusal is logged, and not retried until the state changes again
        for model, versions in state.versions.items():
            self._show_refused(model, versions)
        try:
            self._models.follow()
        except ExperimentError as error:
            event(logging.ERROR, "experiment refused", reason=str(error))

    def _follow_items(self) -> None:
        """Check the items file after a requested reload, and at the interval of the setting ``watch``."""
        state = self._shared.state()
        asked = state.items if state is not None else 0
        due = bool(self._watch) and time.monotonic() - self._looked_at_items >= self._watch
        if not due and asked == self._asked:
            return
        self._asked, self._looked_at_items = asked, time.monotonic()
        try:
            self._models.refresh()
            self._items_problems.end("items")
        except ItemsError as error:
            if self._items_problems.note("items", str(error)):
                event(logging.ERROR, "items refused", reason=str(error))

    def _look(self) -> None:
        state = self._shared.state()
        for model, versions in state.versions.items() if state else ():
            try:
                self._look_after(model, versions)
                if self._folder_problems.end(model):
                    self._show_refused(model, versions)
            except ArtifactError as error:  # the folder cannot be read; continue with the other models
                if self._folder_problems.note(model, str(error)):
                    self._show_refused(model, versions)
                    self._metrics.reloads.labels(model, "unreadable").inc()
                    event(logging.ERROR, "no newer version", model=model, serving=versions.current, reason=str(error))

    def _look_after(self, model: str, versions: Versions) -> None:
        if self._models.loaders[model].follows_file:
            self._follow_file(model, versions)
        else:
            available = self._models.loaders[model].versions()
            if not versions.refused.keys() <= available.keys():
                self._models.keep_refused(model, available)
            if self._watch:
                self._look_for(model, versions)
                if available and versions.current not in available and max(available) <= versions.highest:
                    raise ArtifactError(
                        f"version {versions.current} is gone, and no available version is higher than "
                        f"{versions.highest}: {sorted(available)}; export a higher number, or load one by its number"
                    )

    def _show_refused(self, model: str, versions: Versions) -> None:
        problem = model in self._file_problems or model in self._folder_problems
        self._metrics.show_refused(model, bool(versions.refused) or problem)

    def _look_for(self, model: str, versions: Versions) -> None:
        """Serve the highest new version; retry a refused one only after its files change."""
        loader = self._models.loaders[model]
        for version in sorted(loader.versions(), reverse=True):
            if version <= versions.highest:
                return
            refused = versions.refused.get(version)
            if (refused and refused.stamp == loader.stamp(version)) or not self._rollout.is_due(model, version):
                continue
            try:
                self._models.change(model, version, self._allow)
                return
            except RefusedError:  # already logged, counted and recorded
                pass

    def _follow_file(self, model: str, versions: Versions) -> None:
        """Serve the version in the version file; if the file is invalid, the current version stays."""
        loader = self._models.loaders[model]
        try:
            version = loader.named()
        except VersionFileError as error:
            self._metrics.show_refused(model, True)
            if self._file_problems.note(model, str(error)):
                self._metrics.reloads.labels(model, "version_file").inc()
                event(logging.ERROR, "version file refused", model=model, reason=str(error), serving=versions.current)
            return
        assert version is not None, "there is a version file"
        if self._file_problems.end(model):
            self._show_refused(model, versions)
        if not versions.refused.keys() <= {version}:
            self._models.keep_refused(model, {version})
        refused = versions.refused.get(version)
        if version == versions.current or (refused and refused.stamp == loader.stamp(version)):
            return
        with suppress(RefusedError):  # already logged, counted and recorded
            # The schema may change back to that of a previously served version, whose clients already exist.
            self._models.change(model, version, self._allow or version in versions.previous)
