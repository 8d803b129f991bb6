"""Artifacts in object stores: verified local copies of a version, and the publishing of one.

A store holds the same files as a disk, ``URL/3/manifest.json`` and so on. The manifest is written last, so that a
version is either whole or not there.
"""

import shutil
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import orjson

from ranker.artifact_files import MANIFEST, NUMBER, FileError, digest, verify
from ranker.file_locks import locked
from ranker.remote_files import RemoteError, RemoteFolder
from ranker.urls import cache_folder

CLAIM = ".publishing-"
"""Start of the name of a file that a publishing leaves beside its files until it has ended."""
ABANDONED = 12 * 3600
"""Seconds, by the store's clock, after which a publishing that has not ended is taken to have been killed."""
STATE = "state/"
"""Start of the names of files that training alone reads."""
FETCHING = ".fetching-"


def local_copy(url: str) -> Path:
    """Folder with a copy of the version at a URL, or of the highest version in a folder of versions.

    Copies are kept below ``$XDG_CACHE_HOME/ranker/artifacts`` or ``~/.cache/ranker/artifacts``, by the manifest's
    checksum. Raises ``RemoteError`` for a URL that cannot be read or has no version, if a file does not have its
    checksum, and if the copy cannot be written.
    """
    folder = _version_at(url, None)
    manifest = folder.read(MANIFEST)
    try:
        copy = cache_folder() / "artifacts" / digest_of(manifest)
        if not (copy / MANIFEST).is_file():
            _copy(folder, manifest, copy)
    except (OSError, RuntimeError) as error:  # a user without a home is a RuntimeError
        raise RemoteError(
            f"{folder}: its copy cannot be written: {error}; set XDG_CACHE_HOME to a folder that can be"
        ) from None
    return copy


def fetch(url: str, folder: Path, version: int | None = None) -> Path:
    """Copy a version, or the highest, from ``URL/<its number>`` to ``folder/<its number>``, and return that folder.

    The copy appears under its number when every file has the checksum in the manifest. A verified copy that is there
    is left as it is, a damaged one is replaced, and an interrupted one is gone on with. The files of ``state/``, which
    serving never reads, stay in the store. Raises ``RemoteError`` if the URL cannot be read or has no such version, if
    a file is missing or does not have its checksum, if the folder cannot be written, or holds another artifact of this
    number.
    """
    source = _version_at(url, version)
    manifest = source.read(MANIFEST)
    files, chunks, number = _read(manifest, source)
    if type(number) is not int or number < 1:
        raise RemoteError(f"{source / MANIFEST}: is not a manifest: version must be a number above 0, got {number!r}")
    if version is not None and number != version:
        raise RemoteError(
            f"{source / MANIFEST}: is of version {number}; a version keeps the number that it was made with"
        )
    files = {name: checksum for name, checksum in files.items() if not name.startswith(STATE)}
    copy = folder / str(number)
    try:
        with locked(folder / f"{FETCHING}lock", required=False):
            if (copy / MANIFEST).is_file():
                if (copy / MANIFEST).read_bytes() == manifest:
                    with suppress(FileError):
                        verify(copy, files, chunks)
                        return copy
                else:
                    raise RemoteError(
                        f"{copy}: is another artifact than {source}; remove it, or fetch into another folder"
                    )
            partial = folder / f"{FETCHING}{digest_of(manifest)}"
            _remove_others(partial)
            _download(source, files, partial)
            (partial / MANIFEST).write_bytes(manifest)
            shutil.rmtree(copy, ignore_errors=True)
            partial.replace(copy)
    except OSError as error:
        raise RemoteError(f"{copy}: cannot be written: {error.strerror or error}") from None
    return copy


def publish(version: Path, url: str) -> str:
    """Copy a version's folder to ``URL/<its number>`` and return that URL.

    A version that is there with the same manifest is left as it is. Raises ``RemoteError`` if another one has its
    number or is being published under it, or if the store cannot be written.

    Stores have neither renaming nor, through PyArrow, writing on a condition. So a publishing first leaves a claim and
    then looks for those of others: of two at least one sees the other's, and gives up before it writes anything else.
    """
    manifest = (version / MANIFEST).read_bytes()
    content = orjson.loads(manifest)
    target, claim = RemoteFolder.at(url) / str(content["version"]), f"{CLAIM}{digest_of(manifest)}"
    if _is_there(target, manifest):
        return str(target)
    target.write(claim, version / MANIFEST)
    try:
        _check_alone(target, claim)
        if _is_there(target, manifest):  # since a claim is removed after the manifest is written
            return str(target)
        for name in _safe(content["files"], target):
            target.write(name, version / name)
        if not target.has(claim) and not _is_there(target, manifest):
            raise RemoteError(f"{target}: was taken over by another publishing meanwhile; publish to another folder")
        target.write(MANIFEST, version / MANIFEST)
        _is_there(target, manifest)
    finally:
        with suppress(RemoteError):  # a version that is published is so without the right to remove files
            target.remove(claim)
    return str(target)


def _is_there(target: RemoteFolder, manifest: bytes) -> bool:
    """Whether a version is published. Raises ``RemoteError`` if another one is in its place."""
    if not target.has(MANIFEST):
        return False
    if target.read(MANIFEST) != manifest:
        raise RemoteError(f"{target}: is another version {target.name}; publish to another folder")
    return True


def _check_alone(target: RemoteFolder, claim: str) -> None:
    """Raise ``RemoteError`` if another process is publishing to the same place; remove what killed ones have left."""
    began = target.written(claim)
    for other in target.files():
        if not other.startswith(CLAIM) or other == claim:
            continue
        if began - target.written(other) < ABANDONED:
            raise RemoteError(
                f"{target}: another version {target.name} is being published there; publish to another folder, or, if "
                f"that publishing was killed, again {ABANDONED // 3600} hours after it or once you have removed "
                f"{target / other}"
            )
        target.remove(other)


def versions(folder: RemoteFolder) -> list[int]:
    """Numbers of the complete versions in a folder."""
    return sorted(int(name) for name in folder.folders() if NUMBER.fullmatch(name) and (folder / name).has(MANIFEST))


def digest_of(manifest: bytes) -> str:
    """Name of a copy: the start of the manifest's SHA-256."""
    return sha256(manifest).hexdigest()[:32]


def _version_at(url: str, version: int | None) -> RemoteFolder:
    """The folder of a version at a URL, or of one below it, by default the highest. Raises ``RemoteError``."""
    folder = RemoteFolder.at(url)
    if version is None and folder.has(MANIFEST):
        return folder
    numbers = versions(folder)
    if version is not None and version not in numbers:
        there = ", ".join(map(str, numbers)) or "none"
        raise RemoteError(f"{folder}: has no version {version}; versions that are there: {there}")
    if not numbers:
        raise RemoteError(f"{folder}: has no {MANIFEST} and no numbered version of an artifact")
    return folder / str(numbers[-1] if version is None else version)


def _read(manifest: bytes, folder: RemoteFolder) -> tuple[dict[str, str], dict[str, list[str]], int]:
    """Checksum by file, checksums of chunks by file, and number of a version. Raises ``RemoteError``."""
    try:
        content = orjson.loads(manifest)
        files: dict[str, str] = content["files"]
        chunks: dict[str, list[str]] = content.get("chunks", {})
        for name, part in (("files", files), ("chunks", chunks)):
            if not isinstance(part, dict):
                raise TypeError(f"{name} must be an object, got {orjson.dumps(part).decode()[:40]}")
        _safe(files, folder)
        return files, chunks, content["version"]
    except (AttributeError, KeyError, TypeError, orjson.JSONDecodeError) as error:
        raise RemoteError(f"{folder / MANIFEST}: is not a manifest: {error}") from None


def _copy(folder: RemoteFolder, manifest: bytes, copy: Path) -> None:
    """Copy what the manifest lists to a temporary folder, and move it to its place when it is whole."""
    files, _, _ = _read(manifest, folder)
    copy.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{copy.name}-", dir=copy.parent))
    try:
        _download(folder, files, partial)
        (partial / MANIFEST).write_bytes(manifest)
        try:
            partial.replace(copy)
        except OSError:
            if not (copy / MANIFEST).is_file():  # another process may have been faster
                raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _download(folder: RemoteFolder, files: Mapping[str, str], target: Path) -> None:
    """Copy files, except those that are there with the right checksum. Raises ``RemoteError`` for a wrong one."""
    for name, checksum in files.items():
        if (target / name).is_file() and digest(target / name) == checksum:
            continue
        folder.download(name, target / name)
        if digest(target / name) != checksum:
            raise RemoteError(f"{folder / name}: does not have the checksum in the manifest; publish it again")


def _remove_others(partial: Path) -> None:
    """Remove what interrupted copies of other versions left beside this one."""
    for found in partial.parent.glob(f"{FETCHING}*"):
        if found.is_dir() and found != partial:
            shutil.rmtree(found)


def _safe(names: Iterable[str], folder: RemoteFolder) -> list[str]:
    for name in names:
        if name.startswith("/") or ".." in name.split("/"):
            raise RemoteError(f"{folder}: its manifest lists {name!r}, which is not a file of the artifact")
    return list(names)
