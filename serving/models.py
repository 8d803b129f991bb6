"""The ranker that is served, and how another version takes its place while requests run."""

import logging
import threading
from pathlib import Path

from ranker.artifact import ArtifactError, load, locate, numbered
from serving.contract import differences_of
from serving.items import ItemsError
from serving.logs import event
from serving.messages import RequestError
from serving.metrics import Metrics
from serving.rank import Ranker
from serving.runtime import EngineError
from serving.settings import Settings
from serving.shared import Shared, State


class RefusedError(Exception):
    """A version that is not served: ``cause`` is one word for the metric, the text says why."""

    def __init__(self, version: int, cause: str, text: str) -> None:
        super().__init__(text)
        self.version, self.cause = version, cause


class Models:
    """Holds the one ranker that new requests take; a request keeps the one it took.

    ``ranker`` changes by a single assignment, so a request is served by one version or by another and never by parts
    of both; the old one is gone when its last request is.
    """

    def __init__(self, settings: Settings, shared: Shared, metrics: Metrics) -> None:
        self._settings, self._shared, self._metrics = settings, shared, metrics
        self._changing = threading.Lock()
        first = locate(settings.artifact)
        self._root = None if first == settings.artifact else settings.artifact
        if self._root is not None:
            latest, there = int(first.name), self.versions()
            begun = State(current=latest, highest=latest)
            state = shared.change(lambda known: known if known and known.current in there else begun)
            first = self._root / str(state.current)
        self.ranker = Ranker.of(load(first), settings)
        self._adopt(self.ranker)

    @property
    def version(self) -> int:
        """Number of the version that new requests get."""
        return self.ranker.artifact.manifest.version

    @property
    def pinned(self) -> bool:
        """Whether the service was started on one version's own folder, so that it has no other."""
        return self._root is None

    def versions(self) -> dict[int, Path]:
        """Folders of whole versions by number."""
        return numbered(self._root) if self._root is not None else {}

    def change(self, version: int, allow_schema_change: bool = False) -> None:
        """Load a version beside the current one and serve it, here and then in the other workers.

        Raises ``RefusedError`` where it is not to be served; the current one goes on then.
        """
        with self._changing:
            ranker = self._loaded(version, allow_schema_change)
            self._shared.change(lambda state: _known(state).moved(version))
            self._adopt(ranker)
        event(logging.INFO, "version changed", version=version)

    def back(self) -> None:
        """Serve the version before. Raises ``LookupError`` where there is none, and ``RefusedError``."""
        with self._changing:
            version = _known(self._shared.state()).back().current
            ranker = self._loaded(version, allow_schema_change=True)  # clients of it were there before
            self._shared.change(lambda state: _known(state).back())
            self._adopt(ranker)
        self._metrics.reloads.labels("rolled_back").inc()
        event(logging.WARNING, "rolled back", version=version)

    def follow(self, version: int) -> None:
        """Serve what another worker changed to. Raises ``RefusedError``."""
        with self._changing:
            if version != self.version:
                self._adopt(self._loaded(version, allow_schema_change=True))

    def refresh(self) -> bool:
        """Take the items up anew where their file has changed; return whether it has. Raises ``ItemsError``."""
        with self._changing:
            changed = self.ranker.refresh()
        if changed:
            self._metrics.serve_items(self.ranker)
            event(logging.INFO, "items changed", items=len(self.ranker.items or ()))
        return changed

    def _loaded(self, version: int, allow_schema_change: bool) -> Ranker:
        try:
            ranker = self._checked(version, allow_schema_change)
        except RefusedError as refused:
            self._metrics.reloads.labels(refused.cause).inc()
            event(
                logging.ERROR,
                "version refused",
                version=version,
                cause=refused.cause,
                reason=str(refused),
                serving=self.version,
            )
            raise
        self._metrics.reloads.labels("loaded").inc()
        return ranker

    def _checked(self, version: int, allow_schema_change: bool) -> Ranker:
        try:
            assert self._root is not None
            artifact = load(self._root / str(version))
            if artifact.manifest.version != version:
                found = artifact.manifest.version
                raise RefusedError(version, "unreadable", f"its manifest says that it is version {found}")
        except ArtifactError as error:
            raise RefusedError(version, "unreadable", self._without_path(error)) from None
        differences = differences_of(self.ranker.artifact, artifact)
        if differences and not allow_schema_change:
            raise RefusedError(
                version,
                "schema",
                f"its requests or objectives differ from those of version {self.version} ({', '.join(differences)}); "
                "allow_schema_change takes it all the same",
            )
        try:
            return Ranker.of(artifact, self._settings)
        except ArtifactError as error:
            raise RefusedError(version, "scores", self._without_path(error)) from None
        except ItemsError as error:
            raise RefusedError(version, "items", self._without_path(error)) from None
        except (EngineError, RequestError) as error:
            raise RefusedError(version, "engine", self._without_path(error)) from None
        except Exception as error:  # whatever it is, the version that runs goes on
            event(logging.ERROR, "loading failed", traceback=True, version=version)
            raise RefusedError(version, "engine", f"{type(error).__name__}: {self._without_path(error)}") from None

    def _adopt(self, ranker: Ranker) -> None:
        self.ranker = ranker
        self._shared.report(self.version)
        self._metrics.serve(ranker)

    def _without_path(self, error: Exception) -> str:
        return str(error).replace(f"{self._root}/", "")


def _known(state: State | None) -> State:
    assert state is not None, "a service that has versions wrote its state when it began"
    return state
