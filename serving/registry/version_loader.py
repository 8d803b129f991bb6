"""Loads the versions of one model from its folder, and checks a version before it is served."""

import hashlib
import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from ranker.artifact import Artifact, ArtifactError, load, locate, numbered
from ranker.artifact_files import Verified
from ranker.engines import EngineError
from serving.features.items import ItemsError, ItemSource
from serving.features.users import Users
from serving.logs import event
from serving.protocol.compatibility import differences_of, digest_of
from serving.protocol.errors import RequestError
from serving.ranking.ranker import Ranker
from serving.registry.catalog import Source
from serving.registry.shared_state import LastRefused, Refused, Versions
from serving.registry.snapshot import ExperimentError
from serving.scorer.client import Scorers
from serving.settings import Settings

VERIFIED = "verified.json"
"""File of the runtime folder with the large files that a process of the service has verified."""
TRIED = 10
"""Most versions tried when the service starts."""


def verified(settings: Settings) -> Verified:
    """Files that the service's processes have verified."""
    return Verified(settings.runtime and settings.runtime / VERIFIED)


class RefusedError(Exception):
    """A refused version: ``cause`` is the metric's label, the message says why."""

    def __init__(self, version: int, cause: str, text: str) -> None:
        super().__init__(text)
        self.version, self.cause = version, cause


class VersionFileError(ValueError):
    """A version file that holds no version number; the message names the file and its content."""


class VersionLoader:
    """Loads and checks the versions of one model."""

    def __init__(
        self, name: str, source: Source, settings: Settings, users: Users | None, scorers: Scorers | None = None
    ) -> None:
        self._name, self._source, self._settings, self._users = name, source, settings, users
        self._verified = verified(settings)
        self._scorers = scorers
        self._items = None
        if source.items is not None:
            assert settings.runtime is not None, "the runtime folder holds the encoded items"
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
        """Whether the model is fixed to one version, by its folder or by the setting ``version``."""
        return self._root is None or self._source.version is not None

    @property
    def follows_file(self) -> bool:
        """Whether a version file chooses the version."""
        return self._source.version_file is not None

    def versions(self) -> dict[int, Path]:
        """Folders of complete versions by number."""
        return numbered(self._root) if self._root is not None else {}

    def named(self) -> int | None:
        """The version in the version file; ``None`` without a file. Raises ``VersionFileError``."""
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
        assert self._root is not None, "the model has a folder of versions"
        digest = hashlib.blake2b(digest_size=16)
        folder = self._root / str(version)
        for file in sorted(folder.rglob("*")):
            with suppress(OSError):
                facts = file.stat()
                entry = f"{file.relative_to(folder)} {facts.st_mtime_ns} {facts.st_size}\n"
                digest.update(entry.encode(errors="surrogateescape"))
        return digest.hexdigest()

    def keeps(self, agreed: Versions) -> bool:
        """Whether the version agreed by the other workers still exists."""
        return agreed.current in self.versions()

    def begin(self, known: Versions | None) -> tuple[Ranker, Versions]:
        """Load the service's first version: the newest that passes all checks, or the one in the version file.

        ``known`` are the previously served versions, which are tried before newer ones. Refused versions are logged.
        Raises ``ArtifactError``, ``EngineError`` or ``ItemsError`` if none passes.
        """
        refused: dict[int, Refused] = {}
        last: LastRefused | None = None
        first: tuple[int, Exception] | None = None
        for version in self._order(known):
            stamp = self.stamp(version)
            try:
                ranker = self._ready(version, self._read(version))
            except RefusedError as error:
                self._log(error)
                refused[version] = Refused(stamp=stamp, cause=error.cause, counted=False)
                first = first or (version, error.__cause__ if isinstance(error.__cause__, Exception) else error)
                last = last or LastRefused.of(version, error.cause, str(error))
                continue
            fresh = Versions(current=version, highest=version)
            versions = fresh if known is None else known if version == known.current else known.moved_to(version)
            newer = {number: why for number, why in refused.items() if number > version}
            versions = versions.with_refused({**versions.refused, **newer})
            if last is not None:
                versions = versions.model_copy(update={"last_refused": last})
            return ranker, versions.with_digest(digest_of(ranker.artifact))
        if first is None:
            raise ArtifactError(f"{self._source.artifact}: holds no version of an artifact any more")
        raise self._none_passes(*first, list(refused))

    def first(self, versions: Versions | None) -> Ranker:
        """Load what the other workers serve. Raises ``ArtifactError``, ``EngineError`` or ``ItemsError``."""
        if versions is None or self._root is None:
            return self._ranker(load(self._only, self._verified))
        artifact = load(self._root / str(versions.current), self._verified)
        if versions.digest and digest_of(artifact) != versions.digest:
            raise ArtifactError(
                f"{artifact.folder}: its files differ from those of version {versions.current} that the other workers "
                "serve; restore them, or export the new artifact under a new number"
            )
        return self._ranker(artifact)

    def loaded(
        self, version: int, old: Artifact, allow_schema_change: bool, fits: Callable[[Ranker], None] | None
    ) -> Ranker:
        """Load and check another version, finally by ``fits``, which may raise ``ExperimentError``.

        Raises ``RefusedError`` if it cannot be served, and logs it.
        """
        try:
            ranker = self._checked(version, old, allow_schema_change)
            try:
                if fits is not None:
                    fits(ranker)
            except ExperimentError as error:
                reason = f"the current experiment cannot be served with it: {error}"
                raise RefusedError(version, "experiment", reason) from None
        except RefusedError as refused:
            self._log(refused, serving=old.manifest.version)
            raise
        return ranker

    def beside(self, version: int) -> Ranker:
        """Load a version that is not to be served, for comparisons. Raises ``RefusedError``, which is not logged."""
        return self._ready(version, self._read(version))

    def _order(self, known: Versions | None) -> list[int]:
        """Versions to try when the service starts, best first."""
        if (named := self._named_or_none()) is not None:
            return [named]
        available = sorted(self.versions(), reverse=True)
        before = [] if known is None else [known.current, *reversed(known.previous)]
        return list(dict.fromkeys([*(version for version in before if version in available), *available]))[:TRIED]

    def _named_or_none(self) -> int | None:
        with suppress(VersionFileError):  # the watcher logs and counts it
            return self.named()
        return None

    def _none_passes(self, version: int, error: Exception, refused: list[int]) -> Exception:
        text = str(error)
        if isinstance(error, RefusedError):
            text = f"{self._source.artifact}/{version}: {text}"
        if self._named_or_none() == version:
            text = f"{text} (the version in {self._source.version_file})"
        elif len(refused) > 1:
            text = f"{text} (also refused: {', '.join(map(str, refused[1:]))})"
        kind = type(error) if isinstance(error, ArtifactError | EngineError | ItemsError) else ArtifactError
        return kind(text)

    def _log(self, refused: RefusedError, **more: Any) -> None:
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
                f"its request schema or objectives differ from version {old.manifest.version} "
                f"({', '.join(differences)}); set allow_schema_change to accept it",
            )
        return self._ready(version, artifact)

    def _read(self, version: int) -> Artifact:
        """Read a version's files. Raises ``RefusedError`` from the original error, as :meth:`_ready` does."""
        try:
            assert self._root is not None
            artifact = load(self._root / str(version), self._verified)
        except ArtifactError as error:
            raise RefusedError(version, "unreadable", self._without_path(error)) from error
        if artifact.manifest.version != version:
            number = artifact.manifest.version
            raise RefusedError(version, "unreadable", f"its manifest says that it is version {number}")
        return artifact

    def _ready(self, version: int, artifact: Artifact) -> Ranker:
        """Start the engine of a version and replay its golden requests."""
        try:
            return self._ranker(artifact)
        except ArtifactError as error:
            raise RefusedError(version, "scores", self._without_path(error)) from error
        except ItemsError as error:
            raise RefusedError(version, "items", self._without_path(error)) from error
        except (EngineError, RequestError) as error:
            raise RefusedError(version, "engine", self._without_path(error)) from error
        except Exception as error:  # any error refuses the version; the current one stays
            event(logging.ERROR, "loading failed", traceback=True, model=self._name, version=version)
            raise RefusedError(version, "engine", f"{type(error).__name__}: {self._without_path(error)}") from error

    def _ranker(self, artifact: Artifact) -> Ranker:
        return Ranker.of(artifact, self._settings, self._items, self._users, self._scorers)

    def _fixed(self, version: int) -> Path:
        available = self.versions()
        if version not in available:
            hint = f"there are: {sorted(available)}" if available else "it is one version's own folder"
            raise ArtifactError(f"{self._source.artifact}: there is no version {version} ({hint})")
        return available[version]

    def _without_path(self, error: Exception) -> str:
        return str(error).replace(f"{self._root}/", "")
