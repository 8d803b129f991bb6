"""The file of items that a service was told, and the folders that were made of it for each artifact."""

import fcntl
import hashlib
import os
import shutil
import tempfile
from pathlib import Path

import orjson

from ranker.artifact import Artifact
from serving.items.build import build, files_of
from serving.items.store import FACTS, ItemsError, ItemStore

FORMAT = 1
WRITING = ".writing-"
KEPT = 3
"""Folders that stay, the latest used: one for the version that is served, one to roll back to, one to spare."""


class ItemSource:
    """Where items come from; workers that share ``cache`` encode them once between them."""

    def __init__(self, source: Path, cache: Path) -> None:
        self._source, self._cache = source, cache

    def store(self, artifact: Artifact) -> ItemStore:
        """The items as the file holds them now, encoded for an artifact; one worker encodes, and others wait for it.

        Raises ``ItemsError``; nothing is left behind then.
        """
        self._cache.mkdir(parents=True, exist_ok=True)
        with (self._cache / "build.lock").open("a") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            folder = self._cache / self.name(artifact)
            if not (folder / FACTS).is_file():
                self._forget_unfinished()
                self._build(artifact, folder)
            os.utime(folder)
            store = ItemStore(folder)
            self._forget()
        return store

    def name(self, artifact: Artifact) -> str:
        """Changes with the file of items and with whatever of the artifact they are encoded by."""
        try:
            stamps = [(str(f), s.st_size, s.st_mtime_ns, s.st_ino) for f in files_of(self._source) if (s := f.stat())]
        except OSError as error:
            raise ItemsError(f"{self._source}: cannot be read: {error}") from None
        files = artifact.manifest.files
        made_by = [files[name] for name in ("encoder.json", "encoder.npz", "fusion.json")]
        schema = artifact.schema.model_dump(mode="json")
        key = orjson.dumps([FORMAT, stamps, made_by, schema])
        return hashlib.sha256(key).hexdigest()[:32]

    def _build(self, artifact: Artifact, folder: Path) -> None:
        writing = Path(tempfile.mkdtemp(prefix=WRITING, dir=self._cache))
        try:
            build(self._source, artifact, writing)
            os.replace(writing, folder)
        finally:
            shutil.rmtree(writing, ignore_errors=True)

    def _forget_unfinished(self) -> None:
        """Remove what killed processes were writing: only the holder of the lock writes."""
        for folder in self._cache.glob(f"{WRITING}*"):
            shutil.rmtree(folder, ignore_errors=True)

    def _forget(self) -> None:
        """Remove folders not used for longest; whoever has one mapped keeps what is in it."""
        folders = [entry for entry in self._cache.iterdir() if entry.is_dir()]
        for folder in sorted(folders, key=lambda entry: entry.stat().st_mtime_ns)[:-KEPT]:
            shutil.rmtree(folder, ignore_errors=True)
