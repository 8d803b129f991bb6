"""Where one named model comes from: its folder of versions, and what a version has to prove before it is served."""

import logging
from collections.abc import Callable
from pathlib import Path

from ranker.artifact import Artifact, ArtifactError, load, locate, numbered
from serving.catalogue import Source
from serving.contract import differences_of
from serving.items import ItemsError, ItemSource
from serving.logs import event
from serving.messages import RequestError
from serving.rank import Ranker
from serving.runtime import EngineError
from serving.served import ExperimentError
from serving.settings import Settings
from serving.shared import Versions
from serving.users import Users


class RefusedError(Exception):
    """A version that is not served: ``cause`` is one word for the metric, the text says why."""

    def __init__(self, version: int, cause: str, text: str) -> None:
        super().__init__(text)
        self.version, self.cause = version, cause


class Slot:
    """One model's place."""

    def __init__(self, name: str, source: Source, settings: Settings, users: Users | None) -> None:
        self._name, self._source, self._settings, self._users = name, source, settings, users
        self._items = None
        if source.items is not None:
            assert settings.runtime is not None, "a service that looks up items has a folder to encode them into"
            self._items = ItemSource(source.items, settings.runtime / "items" / name)
        first = locate(source.artifact)
        self._root = None if first == source.artifact else source.artifact
        self._latest = first
        if source.version is not None:
            self._latest = self._fixed(source.version)

    @property
    def pinned(self) -> bool:
        """Whether it has but one version: it is one version's own folder, or the models' file says which."""
        return self._root is None or self._source.version is not None

    def versions(self) -> dict[int, Path]:
        """Folders of whole versions by number."""
        return numbered(self._root) if self._root is not None else {}

    def begun(self, known: Versions | None) -> Versions | None:
        """What to serve as a worker begins: what is known, if it is still there; ``None`` where it is pinned."""
        if self.pinned:
            return None
        latest = int(self._latest.name)
        return known if known and known.current in self.versions() else Versions(current=latest, highest=latest)

    def first(self, versions: Versions | None) -> Ranker:
        """Load what a worker begins with. Raises ``ArtifactError``, ``EngineError`` or ``ItemsError``."""
        folder = self._latest if versions is None or self._root is None else self._root / str(versions.current)
        return self._ranker(load(folder))

    def loaded(
        self, version: int, old: Artifact, allow_schema_change: bool, fits: Callable[[Ranker], None] | None
    ) -> Ranker:
        """Load another version and check it, at last by ``fits``, which may raise ``ExperimentError``.

        Raises ``RefusedError`` where it is not to be served, which is logged.
        """
        try:
            ranker = self._checked(version, old, allow_schema_change)
            try:
                if fits is not None:
                    fits(ranker)
            except ExperimentError as error:
                reason = f"the experiment that is on cannot be served with it: {error}"
                raise RefusedError(version, "experiment", reason) from None
        except RefusedError as refused:
            event(
                logging.ERROR,
                "version refused",
                model=self._name,
                version=version,
                cause=refused.cause,
                reason=str(refused),
                serving=old.manifest.version,
            )
            raise
        return ranker

    def _checked(self, version: int, old: Artifact, allow_schema_change: bool) -> Ranker:
        try:
            assert self._root is not None
            artifact = load(self._root / str(version))
            if artifact.manifest.version != version:
                found = artifact.manifest.version
                raise RefusedError(version, "unreadable", f"its manifest says that it is version {found}")
        except ArtifactError as error:
            raise RefusedError(version, "unreadable", self._without_path(error)) from None
        differences = differences_of(old, artifact)
        if differences and not allow_schema_change:
            raise RefusedError(
                version,
                "schema",
                f"its requests or objectives differ from those of version {old.manifest.version} "
                f"({', '.join(differences)}); allow_schema_change takes it all the same",
            )
        try:
            return self._ranker(artifact)
        except ArtifactError as error:
            raise RefusedError(version, "scores", self._without_path(error)) from None
        except ItemsError as error:
            raise RefusedError(version, "items", self._without_path(error)) from None
        except (EngineError, RequestError) as error:
            raise RefusedError(version, "engine", self._without_path(error)) from None
        except Exception as error:  # whatever it is, the version that runs goes on
            event(logging.ERROR, "loading failed", traceback=True, model=self._name, version=version)
            raise RefusedError(version, "engine", f"{type(error).__name__}: {self._without_path(error)}") from None

    def _ranker(self, artifact: Artifact) -> Ranker:
        return Ranker.of(artifact, self._settings, self._items, self._users)

    def _fixed(self, version: int) -> Path:
        there = self.versions()
        if version not in there:
            found = f"there are: {sorted(there)}" if there else "it is one version's own folder"
            raise ArtifactError(f"{self._source.artifact}: there is no version {version} ({found})")
        return there[version]

    def _without_path(self, error: Exception) -> str:
        return str(error).replace(f"{self._root}/", "")
