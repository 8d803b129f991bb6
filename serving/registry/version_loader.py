"""Where one named model comes from: its folder of versions, and what a version has to prove before it is served."""

import hashlib
import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

from ranker.artifact import Artifact, ArtifactError, load, locate, numbered
from ranker.engines import EngineError
from serving.features.items import ItemsError, ItemSource
from serving.features.users import Users
from serving.logs import event
from serving.protocol.compatibility import differences_of
from serving.protocol.errors import RequestError
from serving.ranking.ranker import Ranker
from serving.registry.catalog import Source
from serving.registry.shared_state import Refused, Versions
from serving.registry.snapshot import ExperimentError
from serving.settings import Settings

TRIED = 10
"""Versions that are tried as a service begins, before it gives up."""


class RefusedError(Exception):
    """A version that is not served: ``cause`` is one word for the metric, the text says why."""

    def __init__(self, version: int, cause: str, text: str) -> None:
        super().__init__(text)
        self.version, self.cause = version, cause


def digest_of(artifact: Artifact) -> str:
    """Changes with any file of an artifact."""
    return hashlib.blake2b(orjson.dumps(sorted(artifact.manifest.files.items())), digest_size=16).hexdigest()


class VersionFileError(ValueError):
    """A version file that names no version; its text names the file and what it holds."""


class VersionLoader:
    """One model's place."""

    def __init__(self, name: str, source: Source, settings: Settings, users: Users | None) -> None:
        self._name, self._source, self._settings, self._users = name, source, settings, users
        self._items = None
        if source.items is not None:
            assert settings.runtime is not None, "a service that looks up items has a folder to encode them into"
            self._items = ItemSource(source.items, settings.runtime / "items" / name)
        first = locate(source.artifact)
        self._root = None if first == source.artifact else source.artifact
        if self._root is None and source.version_file is not None:
            raise ArtifactError(
                f"{source.artifact}: is one version's own folder, so no version_file can choose another"
            )
        self._only = first if source.version is None else self._fixed(source.version)

    @property
    def pinned(self) -> bool:
        """Whether it has but one version: it is one version's own folder, or the models' file says which."""
        return self._root is None or self._source.version is not None

    @property
    def follows_file(self) -> bool:
        """Whether a version file says which version is served."""
        return self._source.version_file is not None

    def versions(self) -> dict[int, Path]:
        """Folders of whole versions by number."""
        return numbered(self._root) if self._root is not None else {}

    def named(self) -> int | None:
        """The version that the version file names; ``None`` without one. Raises ``VersionFileError``."""
        file = self._source.version_file
        if file is None:
            return None
        try:
            with file.open("rb") as stream:
                text = stream.read(100).decode("utf-8", "replace").strip()
        except OSError as error:
            raise VersionFileError(f"{file}: cannot be read: {error.strerror}") from None
        if not text.isascii() or not text.isdecimal() or not 1 <= int(text) < 2**31:
            raise VersionFileError(f"{file}: must hold the number of a version, got {text[:40]!r}")
        return int(text)

    def stamp(self, version: int) -> str:
        """Text that changes with any file of a version's folder."""
        assert self._root is not None, "a model of one version only has no others"
        digest = hashlib.blake2b(digest_size=16)
        folder = self._root / str(version)
        for file in sorted(folder.rglob("*")):
            with suppress(OSError):
                facts = file.stat()
                told = f"{file.relative_to(folder)} {facts.st_mtime_ns} {facts.st_size}\n"
                digest.update(told.encode(errors="surrogateescape"))
        return digest.hexdigest()

    def keeps(self, agreed: Versions) -> bool:
        """Whether the version that other workers have agreed on is still there."""
        return agreed.current in self.versions()

    def begin(self, known: Versions | None) -> tuple[Ranker, Versions]:
        """Load what a service begins with: the newest version that passes all checks, or the one that is named.

        ``known`` is what was served before, which goes before newer versions. Versions that do not pass are logged.
        Raises ``ArtifactError``, ``EngineError`` or ``ItemsError`` where none passes.
        """
        refused: dict[int, Refused] = {}
        first: tuple[int, Exception] | None = None
        for version in self._order(known):
            stamp = self.stamp(version)
            try:
                ranker = self._ready(version, self._read(version))
            except RefusedError as error:
                self._tell(error)
                refused[version] = Refused(stamp=stamp, cause=error.cause, counted=False)
                first = first or (version, error.__cause__ if isinstance(error.__cause__, Exception) else error)
                continue
            fresh = Versions(current=version, highest=version)
            versions = fresh if known is None else known if version == known.current else known.moved(version)
            newer = {number: why for number, why in refused.items() if number > version}
            versions = versions.with_refused({**versions.refused, **newer})
            return ranker, versions.loaded_as(digest_of(ranker.artifact))
        if first is None:
            raise ArtifactError(f"{self._source.artifact}: holds no version of an artifact any more")
        raise self._none_passes(*first, list(refused))

    def first(self, versions: Versions | None) -> Ranker:
        """Load what other workers serve. Raises ``ArtifactError``, ``EngineError`` or ``ItemsError``."""
        if versions is None or self._root is None:
            return self._ranker(load(self._only))
        artifact = load(self._root / str(versions.current))
        if versions.digest and digest_of(artifact) != versions.digest:
            raise ArtifactError(
                f"{artifact.folder}: its files are not those of the version {versions.current} that the other workers "
                "serve; put them back, or export what is new under a new number"
            )
        return self._ranker(artifact)

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
            self._tell(refused, serving=old.manifest.version)
            raise
        return ranker

    def _order(self, known: Versions | None) -> list[int]:
        """Versions to try as the service begins, the best first."""
        if (named := self._named_or_none()) is not None:
            return [named]
        there = sorted(self.versions(), reverse=True)
        before = [] if known is None else [known.current, *reversed(known.previous)]
        return list(dict.fromkeys([*(version for version in before if version in there), *there]))[:TRIED]

    def _named_or_none(self) -> int | None:
        with suppress(VersionFileError):  # the watch logs and counts it
            return self.named()
        return None

    def _none_passes(self, version: int, error: Exception, refused: list[int]) -> Exception:
        text = str(error)
        if isinstance(error, RefusedError):
            text = f"{self._source.artifact}/{version}: {text}"
        if self._named_or_none() == version:
            text = f"{text} (it is the one that {self._source.version_file} names)"
        elif len(refused) > 1:
            text = f"{text} (refused too: {', '.join(map(str, refused[1:]))})"
        kind = type(error) if isinstance(error, ArtifactError | EngineError | ItemsError) else ArtifactError
        return kind(text)

    def _tell(self, refused: RefusedError, **more: Any) -> None:
        event(
            logging.ERROR,
            "version refused",
            model=self._name,
            version=refused.version,
            cause=refused.cause,
            reason=str(refused),
            **more,
        )

    def _checked(self, version: int, old: Artifact, allow_schema_change: bool) -> Ranker:
        artifact = self._read(version)
        differences = differences_of(old, artifact)
        if differences and not allow_schema_change:
            raise RefusedError(
                version,
                "schema",
                f"its requests or objectives differ from those of version {old.manifest.version} "
                f"({', '.join(differences)}); allow_schema_change takes it all the same",
            )
        return self._ready(version, artifact)

    def _read(self, version: int) -> Artifact:
        """Read a version's files. Raises ``RefusedError``, as :meth:`_ready`; its cause is the error behind it."""
        try:
            assert self._root is not None
            artifact = load(self._root / str(version))
        except ArtifactError as error:
            raise RefusedError(version, "unreadable", self._without_path(error)) from error
        if artifact.manifest.version != version:
            found = artifact.manifest.version
            raise RefusedError(version, "unreadable", f"its manifest says that it is version {found}")
        return artifact

    def _ready(self, version: int, artifact: Artifact) -> Ranker:
        """Put a version behind its engine and replay its golden requests."""
        try:
            return self._ranker(artifact)
        except ArtifactError as error:
            raise RefusedError(version, "scores", self._without_path(error)) from error
        except ItemsError as error:
            raise RefusedError(version, "items", self._without_path(error)) from error
        except (EngineError, RequestError) as error:
            raise RefusedError(version, "engine", self._without_path(error)) from error
        except Exception as error:  # whatever it is, the version that runs goes on
            event(logging.ERROR, "loading failed", traceback=True, model=self._name, version=version)
            raise RefusedError(version, "engine", f"{type(error).__name__}: {self._without_path(error)}") from error

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
