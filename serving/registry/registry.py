"""The served models, and how versions and experiments are replaced while requests run."""

import logging
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress

from ranker.artifact import ArtifactError
from ranker.config.file import ConfigError
from ranker.engines import EngineError
from serving.experiments.config import Experiment
from serving.features.items import ItemsError
from serving.features.users import users_of
from serving.logs import event
from serving.observability.metrics import Metrics
from serving.protocol.compatibility import digest_of
from serving.ranking.ranker import Ranker
from serving.registry.catalog import Catalogue
from serving.registry.shared_state import Begun, LastRefused, Refused, Serving, SharedState, State, StateError, Versions
from serving.registry.snapshot import ExperimentError, Snapshot
from serving.registry.version_loader import RefusedError, VersionLoader, verified
from serving.scorer.client import Scorers
from serving.settings import Settings, SettingsError


class ModelRegistry:
    """Holds the current ``Snapshot``; a request keeps the one it started with.

    ``served`` is replaced by a single assignment, so a request never mixes two versions; an old version is freed after
    its last request.
    """

    def __init__(
        self,
        settings: Settings,
        shared: SharedState,
        metrics: Metrics,
        begins: bool = False,
        scorers: Scorers | None = None,
    ) -> None:
        """Load all models. Raises ``SettingsError``, ``ArtifactError``, ``EngineError`` and ``ItemsError``.

        ``begins`` marks the start of the service, which reads the models file. A worker that starts later serves what
        the others do, even if the file has changed since. Engines run in ``scorers``, or without any in this process.
        """
        self._settings, self._shared, self._metrics = settings, shared, metrics
        self._changing = threading.Lock()
        if begins:  # a service verifies every file once, also in a runtime folder that another one has used
            verified(settings).forget()
        self.loaders: dict[str, VersionLoader] = {}
        users = users_of(settings)
        with shared.alone():
            before = shared.state()
            others = None if begins or settings.models is None else before
            self._catalogue = catalogue = others.catalogue if others else Catalogue.of(settings)
            for name, source in catalogue.models.items():
                with self._prefixing(name):
                    self.loaders[name] = VersionLoader(name, source, settings, users, scorers)
            known = before.versions_of(catalogue) if before else {}
            chosen: dict[str, Ranker] = {}
            versions: dict[str, Versions] = {}
            for name, loader in self.loaders.items():
                agreed = known.get(name)
                if loader.pinned:
                    continue
                if agreed is not None and loader.keeps(agreed) and not begins:
                    versions[name] = agreed
                    continue
                with self._prefixing(name):
                    chosen[name], versions[name] = loader.begin(agreed)
            state = State(catalogue=catalogue, versions=versions, items=before.items if before else 0)
            if before is not None and not begins:
                state = state.model_copy(update={"started": before.started, "begun": before.begun})
            if state != before:  # so that a later worker can start on a full disk
                shared.write(state)
        self.default = catalogue.default
        self.served = Snapshot({}, self.default)
        rankers: dict[str, Ranker] = {}
        for name, loader in self.loaders.items():
            with self._prefixing(name):
                rankers[name] = chosen[name] if name in chosen else loader.first(versions.get(name))
        served = Snapshot(rankers, self.default, state.catalogue.experiment)
        try:
            served.check()
        except ExperimentError as error:
            raise SettingsError(f"RANKER_SERVE_MODELS: {error}") from None
        self._adopt(served)

    def change(self, model: str, version: int, allow_schema_change: bool = False) -> None:
        """Load a version of a model next to the current one and serve it, here and then in the other workers.

        Raises ``RefusedError`` if it cannot be served; the current version then stays.
        """
        with self._alone() as state:
            if version == self.served.version(model):
                return
            stamp = self.loaders[model].stamp(version)
            try:
                served = self._with(model, version, allow_schema_change)
            except RefusedError as refused:
                self._record_refused(state, model, refused, stamp)
                raise
            self._publish(state, model, state.versions[model].moved_to(version), served)
        event(logging.INFO, "version changed", model=model, version=version)

    def keep_refused(self, model: str, versions: Collection[int]) -> None:
        """Forget refused versions other than these: they are gone or no longer wanted."""
        with self._changing, self._shared.alone():
            state = self._state()
            refused = {number: why for number, why in state.versions[model].refused.items() if number in versions}
            self._shared.write(state.with_versions(model, state.versions[model].with_refused(refused)))

    def count_refused(self) -> None:
        """Count versions that were refused before there was a worker to count them."""
        if all(why.counted for versions in self._state().versions.values() for why in versions.refused.values()):
            return
        with self._changing, self._shared.alone():
            state = self._state()
            for model, versions in state.versions.items():
                for why in versions.refused.values():
                    if not why.counted:
                        self._metrics.reloads.labels(model, why.cause).inc()
                counted = {n: why.model_copy(update={"counted": True}) for n, why in versions.refused.items()}
                state = state.with_versions(model, versions.with_refused(counted))
            self._shared.write(state)

    def roll_back(self, model: str) -> None:
        """Serve the previous version. Raises ``LookupError`` if there is none, and ``RefusedError``."""
        with self._alone() as state:
            versions = state.versions[model].rolled_back()
            version = versions.current
            served = self._with(model, version, allow_schema_change=True)  # its clients already exist
            self._publish(state, model, versions, served)
        self._metrics.reloads.labels(model, "rolled_back").inc()
        event(logging.WARNING, "rolled back", model=model, version=version)

    def reload_experiment(self) -> None:
        """Reload the models file and serve its experiment, here and then in the other workers.

        Raises ``ExperimentError`` if it cannot be served or the file changes more; the current experiment then stays.
        """
        with self._alone() as state:
            try:
                experiment = self._read_experiment()
                served = Snapshot(self.served.rankers, self.default, experiment)
                served.check()
            except ExperimentError as error:
                event(logging.ERROR, "experiment refused", reason=str(error))
                raise
            begun = state.begun
            if experiment != state.catalogue.experiment:
                begun = Begun(requests=self._metrics.requests_by_group())
            self._shared.write(state.with_experiment(experiment, begun))
            self._adopt(served)
        named = {"experiment": experiment.name, "revision": experiment.revision} if experiment else {"experiment": None}
        event(logging.INFO, "experiment changed", **named)

    def refresh(self) -> bool:
        """Reload items whose files have changed; return whether any has.

        Raises the first ``ItemsError`` after trying all models; models that failed keep their items.
        """
        changed, first_error = False, None
        with self._changing:
            for name, ranker in self.served.rankers.items():
                try:
                    with self._prefixing(name):
                        new = ranker.refresh()
                except ItemsError as error:
                    self._metrics.reloads.labels(name, "items").inc()
                    first_error = first_error or error
                    continue
                if new:
                    changed = True
                    self._metrics.serve_items(name, ranker)
                    event(logging.INFO, "items changed", model=name, items=len(ranker.items or ()))
        if first_error is not None:
            raise first_error
        return changed

    def request_items_reload(self) -> None:
        """Make all workers check their items files."""
        with self._changing, self._shared.alone():
            self._shared.write(self._state().with_new_items())

    def follow(self) -> None:
        """Serve what another worker has changed, all at once, except versions that are refused here.

        Raises ``ExperimentError`` if the experiment cannot be served without such a version.
        """
        with self._changing:
            self._follow(self._state())

    @contextmanager
    def _alone(self) -> Iterator[State]:
        """Lock out changes by other threads and workers, and catch up with theirs; yield the shared state."""
        with self._changing, self._shared.alone():
            state = self._state()
            self._follow(state)
            yield state

    def _follow(self, state: State) -> None:
        now = self.served
        rankers = dict(now.rankers)
        for name, versions in state.versions.items():
            if versions.current != now.version(name):
                with suppress(RefusedError):  # already logged
                    rankers[name] = self._load(name, versions.current)
        served = Snapshot(rankers, self.default, state.catalogue.experiment)
        if rankers != now.rankers or served.experiment != now.experiment:
            served.check()
            self._adopt(served)

    def _state(self) -> State:
        state = self._shared.state()
        assert state is not None, "the service writes its state when it starts"
        return state

    def _with(self, model: str, version: int, allow_schema_change: bool) -> Snapshot:
        """The served snapshot with another version of one model. Raises ``RefusedError``."""
        now = self.served

        def replaced(ranker: Ranker) -> Snapshot:
            return Snapshot({**now.rankers, model: ranker}, now.default, now.experiment)

        return replaced(self._load(model, version, allow_schema_change, lambda ranker: replaced(ranker).check()))

    def _record_refused(self, state: State, model: str, refused: RefusedError, stamp: str) -> None:
        """Record for all workers a refused version, and whether the watch would otherwise try it again."""
        last = LastRefused.of(refused.version, refused.cause, str(refused))
        versions = state.versions[model].model_copy(update={"last_refused": last})
        old = refused.version < versions.current and not self.loaders[model].follows_file
        # The watch may load a version with another schema even if this request may not.
        if old or (refused.cause == "schema" and self._settings.allow_schema_change):
            with suppress(StateError):  # a note for people only
                self._shared.write(state.with_versions(model, versions))
            return
        noted = {**versions.refused, refused.version: Refused(stamp=stamp, cause=refused.cause)}
        self._shared.write(state.with_versions(model, versions.with_refused(noted)))

    def _load(
        self, model: str, version: int, allow_schema_change: bool = True, fits: Callable[[Ranker], None] | None = None
    ) -> Ranker:
        """Load and check a version. Raises ``RefusedError``, which is counted."""
        try:
            ranker = self.loaders[model].loaded(version, self.served.rankers[model].artifact, allow_schema_change, fits)
        except RefusedError as refused:
            self._metrics.reloads.labels(model, refused.cause).inc()
            raise
        self._metrics.reloads.labels(model, "loaded").inc()
        return ranker

    def _read_experiment(self) -> Experiment | None:
        file = self._settings.models
        if file is None:
            raise ExperimentError("the service serves a single artifact; start it with a file of models")
        try:
            catalogue = Catalogue.read(file)
        except ConfigError as error:
            raise ExperimentError(str(error).replace(str(file), file.name)) from None
        if (catalogue.models, catalogue.default) != (self._catalogue.models, self._catalogue.default):
            raise ExperimentError(f"{file.name}: changes the models or the default; restart the service to apply that")
        return catalogue.experiment

    def _publish(self, state: State, model: str, versions: Versions, served: Snapshot) -> None:
        """Serve a loaded snapshot, here and in all workers."""
        digest = digest_of(served.rankers[model].artifact)
        self._shared.write(state.with_versions(model, versions.with_digest(digest)))
        self._adopt(served)

    def _adopt(self, served: Snapshot) -> None:
        before = self.served.rankers
        self.served = served
        experiment = served.experiment.revision if served.experiment else None
        self._shared.report(
            Serving(models={name: served.version(name) for name in served.rankers}, experiment=experiment)
        )
        for name, ranker in served.rankers.items():
            if before.get(name) is not ranker:
                self._metrics.serve(name, ranker)

    @contextmanager
    def _prefixing(self, model: str) -> Iterator[None]:
        """Prefix errors with the model's name if there is a models file."""
        try:
            yield
        except (ArtifactError, EngineError, ItemsError) as error:
            if self._settings.models is None:
                raise
            raise type(error)(f"models.{model}: {error}") from None
