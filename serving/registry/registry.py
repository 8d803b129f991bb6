"""The models that are served, and how other versions and other experiments take their place while requests run."""

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
from serving.ranking.ranker import Ranker
from serving.registry.catalog import Catalogue
from serving.registry.shared_state import Refused, Serving, SharedState, State, Versions
from serving.registry.snapshot import ExperimentError, Snapshot
from serving.registry.version_loader import RefusedError, VersionLoader, digest_of
from serving.settings import Settings, SettingsError


class ModelRegistry:
    """Holds the one ``Snapshot`` that new requests take; a request keeps the one it took.

    ``served`` changes by a single assignment, so a request is ranked by one version or by another and never by parts
    of both; an old version is gone when its last request is.
    """

    def __init__(self, settings: Settings, shared: SharedState, metrics: Metrics, begins: bool = False) -> None:
        """Load all models. Raises ``SettingsError``, ``ArtifactError``, ``EngineError`` and ``ItemsError``.

        ``begins`` says that the service begins with this and reads its file of models. A worker that comes later
        takes what the others serve, whatever the file says by then.
        """
        self._settings, self._shared, self._metrics = settings, shared, metrics
        self._changing = threading.Lock()
        self.slots: dict[str, VersionLoader] = {}
        users = users_of(settings)
        with shared.alone():
            before = shared.state()
            others = None if begins or settings.models is None else before
            self._catalogue = catalogue = others.catalogue if others else Catalogue.of(settings)
            for name, source in catalogue.models.items():
                with self._naming(name):
                    self.slots[name] = VersionLoader(name, source, settings, users)
            known = before.versions_of(catalogue) if before else {}
            chosen: dict[str, Ranker] = {}
            versions: dict[str, Versions] = {}
            for name, slot in self.slots.items():
                agreed = known.get(name)
                if slot.pinned:
                    continue
                if agreed is not None and slot.keeps(agreed) and not begins:
                    versions[name] = agreed
                    continue
                with self._naming(name):
                    chosen[name], versions[name] = slot.begin(agreed)
            state = State(catalogue=catalogue, versions=versions, items=before.items if before else 0)
            if state != before:  # a worker that comes later needs no room to begin
                shared.write(state)
        self.default = catalogue.default
        self.served = Snapshot({}, self.default)
        rankers: dict[str, Ranker] = {}
        for name, slot in self.slots.items():
            with self._naming(name):
                rankers[name] = chosen[name] if name in chosen else slot.first(versions.get(name))
        served = Snapshot(rankers, self.default, state.catalogue.experiment)
        try:
            served.check()
        except ExperimentError as error:
            raise SettingsError(f"RANKER_SERVE_MODELS: {error}") from None
        self._adopt(served)

    def change(self, model: str, version: int, allow_schema_change: bool = False) -> None:
        """Load a version of a model beside the current one and serve it, here and then in the other workers.

        Raises ``RefusedError`` where it is not to be served; the current one goes on then.
        """
        with self._alone() as state:
            if version == self.served.version(model):
                return
            stamp = self.slots[model].stamp(version)
            try:
                served = self._with(model, version, allow_schema_change)
            except RefusedError as refused:
                self._note(state, model, refused, stamp)
                raise
            self._agree(state, model, state.versions[model].moved(version), served)
        event(logging.INFO, "version changed", model=model, version=version)

    def keep_refused(self, model: str, versions: Collection[int]) -> None:
        """Forget that versions other than these were refused: they are gone, or nobody wants them any more."""
        with self._changing, self._shared.alone():
            state = self._state()
            refused = {number: why for number, why in state.versions[model].refused.items() if number in versions}
            self._shared.write(state.now(model, state.versions[model].with_refused(refused)))

    def count_refused(self) -> None:
        """Count versions that were refused before there was a worker to count them."""
        if not any(not why.counted for found in self._state().versions.values() for why in found.refused.values()):
            return
        with self._changing, self._shared.alone():
            state = self._state()
            for model, versions in state.versions.items():
                for why in versions.refused.values():
                    if not why.counted:
                        self._metrics.reloads.labels(model, why.cause).inc()
                counted = {n: why.model_copy(update={"counted": True}) for n, why in versions.refused.items()}
                state = state.now(model, versions.with_refused(counted))
            self._shared.write(state)

    def back(self, model: str) -> None:
        """Serve the version before. Raises ``LookupError`` where there is none, and ``RefusedError``."""
        with self._alone() as state:
            versions = state.versions[model].back()
            version = versions.current
            served = self._with(model, version, allow_schema_change=True)  # clients of it were there before
            self._agree(state, model, versions, served)
        self._metrics.reloads.labels(model, "rolled_back").inc()
        event(logging.WARNING, "rolled back", model=model, version=version)

    def change_experiment(self) -> None:
        """Read the models' file anew and serve its experiment, here and then in the other workers.

        Raises ``ExperimentError`` where it cannot be served or the file changes more; the current one goes on then.
        """
        with self._alone() as state:
            try:
                experiment = self._read_experiment()
                served = Snapshot(self.served.rankers, self.default, experiment)
                served.check()
            except ExperimentError as error:
                event(logging.ERROR, "experiment refused", reason=str(error))
                raise
            self._shared.write(state.on(experiment))
            self._adopt(served)
        named = {"experiment": experiment.name, "revision": experiment.revision} if experiment else {"experiment": None}
        event(logging.INFO, "experiment changed", **named)

    def refresh(self) -> bool:
        """Take items up anew where their files have changed; return whether any has.

        Raises ``ItemsError`` once all models have been looked at; those that it tells of keep the items they have.
        """
        changed, wrong = False, None
        with self._changing:
            for name, ranker in self.served.rankers.items():
                try:
                    with self._naming(name):
                        new = ranker.refresh()
                except ItemsError as error:
                    self._metrics.reloads.labels(name, "items").inc()
                    wrong = wrong or error
                    continue
                if new:
                    changed = True
                    self._metrics.serve_items(name, ranker)
                    event(logging.INFO, "items changed", model=name, items=len(ranker.items or ()))
        if wrong is not None:
            raise wrong
        return changed

    def ask_for_items(self) -> None:
        """Have all workers look at the files of items."""
        with self._changing, self._shared.alone():
            self._shared.write(self._state().with_new_items())

    def follow(self) -> None:
        """Serve what another worker changed to, all of it at once; a version that is refused here stays behind.

        Raises ``ExperimentError`` where the experiment cannot be served for want of such a version.
        """
        with self._changing:
            self._follow(self._state())

    @contextmanager
    def _alone(self) -> Iterator[State]:
        """While no other thread and no other worker changes anything, and from what they changed before."""
        with self._changing, self._shared.alone():
            state = self._state()
            self._follow(state)
            yield state

    def _follow(self, state: State) -> None:
        now = self.served
        rankers = dict(now.rankers)
        for name, versions in state.versions.items():
            if versions.current != now.version(name):
                with suppress(RefusedError):  # it is logged
                    rankers[name] = self._load(name, versions.current)
        served = Snapshot(rankers, self.default, state.catalogue.experiment)
        if rankers != now.rankers or served.experiment != now.experiment:
            served.check()
            self._adopt(served)

    def _state(self) -> State:
        state = self._shared.state()
        assert state is not None, "a service wrote its state when it began"
        return state

    def _with(self, model: str, version: int, allow_schema_change: bool) -> Snapshot:
        """What is served, with another version of one model. Raises ``RefusedError``."""
        now = self.served

        def replaced(ranker: Ranker) -> Snapshot:
            return Snapshot({**now.rankers, model: ranker}, now.default, now.experiment)

        return replaced(self._load(model, version, allow_schema_change, lambda ranker: replaced(ranker).check()))

    def _note(self, state: State, model: str, refused: RefusedError, stamp: str) -> None:
        """Note for all workers that a version was refused which the watch would take otherwise."""
        versions = state.versions[model]
        if refused.version < versions.current and not self.slots[model].follows_file:
            return
        if refused.cause == "schema" and self._settings.allow_schema_change:
            return  # the watch may do what this request may not
        noted = {**versions.refused, refused.version: Refused(stamp=stamp, cause=refused.cause)}
        self._shared.write(state.now(model, versions.with_refused(noted)))

    def _load(
        self, model: str, version: int, allow_schema_change: bool = True, fits: Callable[[Ranker], None] | None = None
    ) -> Ranker:
        """Load and check a version. Raises ``RefusedError``, which is counted."""
        try:
            ranker = self.slots[model].loaded(version, self.served.rankers[model].artifact, allow_schema_change, fits)
        except RefusedError as refused:
            self._metrics.reloads.labels(model, refused.cause).inc()
            raise
        self._metrics.reloads.labels(model, "loaded").inc()
        return ranker

    def _read_experiment(self) -> Experiment | None:
        file = self._settings.models
        if file is None:
            raise ExperimentError("the service was started on an artifact; start it on a file of models")
        try:
            found = Catalogue.read(file)
        except ConfigError as error:
            raise ExperimentError(str(error).replace(str(file), file.name)) from None
        if (found.models, found.default) != (self._catalogue.models, self._catalogue.default):
            raise ExperimentError(
                f"{file.name}: has other models, or another default, than are served; restart for that"
            )
        return found.experiment

    def _agree(self, state: State, model: str, versions: Versions, served: Snapshot) -> None:
        """Have all workers serve what was loaded here."""
        digest = digest_of(served.rankers[model].artifact)
        self._shared.write(state.now(model, versions.loaded_as(digest)))
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
    def _naming(self, model: str) -> Iterator[None]:
        """Say which model it is that cannot be loaded, where there are several."""
        try:
            yield
        except (ArtifactError, EngineError, ItemsError) as error:
            if self._settings.models is None:
                raise
            raise type(error)(f"models.{model}: {error}") from None
