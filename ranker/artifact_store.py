"""Artifacts in object stores: a verified local copy of a version, and the publishing of one.

A store holds the same files as a disk, ``URL/3/manifest.json`` and so on. The manifest is written last, so that a
version is either whole or not there.
"""

import shutil
import tempfile
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

import orjson

from ranker.artifact_files import MANIFEST, digest
from ranker.remote_files import RemoteError, RemoteFolder
from ranker.urls import cache_folder


def local_copy(url: str) -> Path:
    """Folder with a copy of the version at a URL, or of the highest version in a folder of versions.

    Copies are kept below ``$XDG_CACHE_HOME/ranker/artifacts`` or ``~/.cache/ranker/artifacts``, by the manifest's
    checksum. Raises ``RemoteError`` for a URL that cannot be read or has no version, if a file does not have its
    checksum, and if the copy cannot be written.
    """
    folder = RemoteFolder.at(url)
    if not folder.has(MANIFEST):
        numbers = versions(folder)
        if not numbers:
            raise RemoteError(f"{folder}: has no {MANIFEST} and no numbered version of an artifact")
        folder = folder / str(max(numbers))
    manifest = folder.read(MANIFEST)
    try:
        copy = cache_folder() / "artifacts" / digest_of(manifest)
        if not (copy / MANIFEST).is_file():
            _download(folder, manifest, copy)
    except (OSError, RuntimeError) as error:  # a user without a home is a RuntimeError
        raise RemoteError(
            f"{folder}: its copy cannot be written: {error}; set XDG_CACHE_HOME to a folder that can be"
        ) from None
    return copy


def publish(version: Path, url: str) -> str:
    """Copy a version's folder to ``URL/<its number>`` and return that URL.

    A version that is there with the same manifest is left as it is. Raises ``RemoteError`` if another one has its
    number, or if the store cannot be written.
    """
    manifest = (version / MANIFEST).read_bytes()
    content = orjson.loads(manifest)
    target = RemoteFolder.at(url) / str(content["version"])
    if target.has(MANIFEST):
        if target.read(MANIFEST) == manifest:
            return str(target)
        raise RemoteError(f"{target}: is another version {content['version']}; publish to another folder")
    for name in _safe(content["files"], target):
        target.write(name, version / name)
    target.write(MANIFEST, version / MANIFEST)
    return str(target)


def versions(folder: RemoteFolder) -> list[int]:
    """Numbers of the complete versions in a folder."""
    return sorted(int(name) for name in folder.folders() if name.isdecimal() and (folder / name).has(MANIFEST))


def digest_of(manifest: bytes) -> str:
    """Name of a copy: the start of the manifest's SHA-256."""
    return sha256(manifest).hexdigest()[:32]


def _download(folder: RemoteFolder, manifest: bytes, copy: Path) -> None:
    """Copy what the manifest lists to a temporary folder, and move it to its place when it is whole."""
    try:
        files: dict[str, str] = orjson.loads(manifest)["files"]
        names = _safe(files, folder)
    except (KeyError, TypeError, ValueError) as error:
        raise RemoteError(f"{folder / MANIFEST}: is not a manifest: {error}") from None
    copy.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{copy.name}-", dir=copy.parent))
    try:
        for name in names:
            folder.download(name, partial / name)
            if digest(partial / name) != files[name]:
                raise RemoteError(f"{folder / name}: does not have the checksum in the manifest; publish it again")
        (partial / MANIFEST).write_bytes(manifest)
        try:
            partial.replace(copy)
        except OSError:
            if not (copy / MANIFEST).is_file():  # another process may have been faster
                raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _safe(names: Iterable[str], folder: RemoteFolder) -> list[str]:
    for name in names:
        if name.startswith("/") or ".." in name.split("/"):
            raise RemoteError(f"{folder}: its manifest lists {name!r}, which is not a file of the artifact")
    return list(names)
