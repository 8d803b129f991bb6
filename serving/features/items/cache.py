"""The service's items file and the cache of folders encoded from it, one per artifact and file version."""

import hashlib
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

from ranker.artifact import Artifact
from ranker.file_locks import locked
from serving.features.items.build import build, files_of
from serving.features.items.store import FACTS, ItemsError, ItemStore

FORMAT = 2
WRITING = ".writing-"
KEPT = 3
"""Most folders in the cache: one for the served version, one to roll back to, and one to roll out."""


class ItemSource:
    """Encodes items on demand; workers that share ``cache`` encode each set only once."""

    def __init__(self, source: Path, cache: Path) -> None:
        self._source, self._cache = source, cache

    def store(self, artifact: Artifact) -> ItemStore:
        """The file's current items, encoded for an artifact; one worker encodes while the others wait.

        Raises ``ItemsError``, also if the disk has no room for them; nothing is left behind then.
        """
        try:
            with locked(self._cache / "build.lock"):
                folder = self._cache / self.name(artifact)
                if not (folder / FACTS).is_file():
                    self._forget()
                    self._build(artifact, folder)
                os.utime(folder)
                return ItemStore(folder)
        except OSError as error:
            raise ItemsError(
                f"{self._source}: cannot be encoded into {self._cache}: {error.strerror or error}"
            ) from None

    def first(self, artifact: Artifact) -> ItemStore:
        """As :meth:`store`, falling back to items encoded earlier for the artifact, if there are any.

        A worker that starts after the file was replaced by an unusable one thus serves what the other workers serve.
        """
        try:
            return self.store(artifact)
        except ItemsError:
            prefix = f"{_made_by(artifact)}-"
            for folder in (entry for entry in reversed(self._whole()) if entry.name.startswith(prefix)):
                with suppress(OSError):  # another worker removes it
                    return ItemStore(folder)
            raise

    def name(self, artifact: Artifact) -> str:
        """Cache key: changes with the items file and with the parts of the artifact that encode items."""
        try:
            stamps = [(str(f), s.st_size, s.st_mtime_ns, s.st_ino) for f in files_of(self._source) if (s := f.stat())]
        except OSError as error:
            raise ItemsError(f"{self._source}: cannot be read: {error}") from None
        return f"{_made_by(artifact)}-{_digest(stamps)}"

    def _build(self, artifact: Artifact, folder: Path) -> None:
        writing = Path(tempfile.mkdtemp(prefix=WRITING, dir=self._cache))
        try:
            build(self._source, artifact, writing)
            os.replace(writing, folder)
        finally:
            shutil.rmtree(writing, ignore_errors=True)

    def _forget(self) -> None:
        """Remove the least recently used folders, and unfinished ones of workers killed while encoding.

        Called with the lock held, before a folder is created, so that the cache never holds more than ``KEPT``.
        A worker that has mapped a removed folder keeps its content.
        """
        folders = {entry for entry in self._cache.iterdir() if entry.is_dir()}
        for folder in folders - {*self._whole()[1 - KEPT :]}:
            shutil.rmtree(folder, ignore_errors=True)

    def _whole(self) -> list[Path]:
        """Finished folders, the most recently used last; those that another worker removes meanwhile are left out."""
        used: dict[Path, int] = {}
        with suppress(FileNotFoundError):
            for entry in self._cache.iterdir():
                if entry.is_dir() and not entry.name.startswith(WRITING):
                    with suppress(FileNotFoundError):
                        used[entry] = entry.stat().st_mtime_ns
        return sorted(used, key=lambda entry: used[entry])


def _made_by(artifact: Artifact) -> str:
    """Hash of the parts of an artifact that encode items."""
    files = artifact.manifest.files
    made_by = [files[name] for name in ("encoder.json", "encoder.npz", "fusion.json")]
    made_by += [checksum for name, checksum in files.items() if name.startswith("encoder/")]
    return _digest([FORMAT, made_by, artifact.schema.model_dump(mode="json")])


def _digest(facts: list[Any]) -> str:
    return hashlib.sha256(orjson.dumps(facts)).hexdigest()[:32]
