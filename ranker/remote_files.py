"""Files in object stores and distributed file systems, by URL, through PyArrow's file systems.

``s3://``, ``gs://`` (``gcs://``), ``abfs://`` (``abfss://``) and ``hdfs://`` are read where they are. Credentials,
regions and endpoints come from the environment, as each store's own tools read them, or from the URL:
``s3://bucket/log?region=eu-west-1``. PyArrow repeats requests that fail for a moment.
"""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple, TypeAlias

import pyarrow as pa
from pyarrow import fs

from ranker.urls import SCHEMES, URL, normal, scheme_of

BLOCK = 8 << 20
"""Bytes copied at a time."""
_MAGIC = re.compile(r"[*?\[]")
_PASSWORD = re.compile(r"[^/@]*:(?!\d+(?:/|$))[^@]*@")
"""``key:secret@`` at the start, also with a slash in the secret; a port may follow the colon, too."""
_SECRET = re.compile(r"(?i)[?&](?:[^=&]*(?:secret|password|token|access_key|account_key)[^=&]*|sig)=")


class RemoteError(ValueError):
    """A URL that cannot be read or written; the message names it and says why."""


class Status(NamedTuple):
    """Size in bytes and modification time in nanoseconds, as of ``os.stat``."""

    st_size: int
    st_mtime_ns: int


class RemoteFile:
    """A file by URL, with those parts of ``Path`` that reading needs."""

    def __init__(self, root: str, system: fs.FileSystem, path: str, query: str = "") -> None:
        self._root, self._system, self._path, self._query = root, system, path, query
        self._pure = PurePosixPath(path)

    @property
    def name(self) -> str:
        """Last part of the path."""
        return self._pure.name

    @property
    def suffix(self) -> str:
        """Ending with its dot."""
        return self._pure.suffix

    @property
    def parts(self) -> tuple[str, ...]:
        """Parts of the path, the bucket first."""
        return self._pure.parts

    def __str__(self) -> str:
        return f"{self._root}{self._path}"

    @property
    def url(self) -> str:
        """The URL with its options, by which :func:`located` finds the file again."""
        return f"{self}{self._query}"

    def stat(self) -> Status:
        """Size and modification time. Raises ``FileNotFoundError`` and ``OSError``."""
        info = self._system.get_file_info(self._path)
        if info.type != fs.FileType.File:
            raise FileNotFoundError(f"{self}: no such file")
        return Status(info.size or 0, info.mtime_ns or 0)

    def open(self, mode: str = "rb") -> Any:
        """Open for reading bytes at any place. Raises ``OSError``."""
        if mode != "rb":
            raise ValueError(f"a remote file is opened in mode 'rb', got {mode!r}")
        return self._system.open_input_file(self._path)


class RemoteFolder:
    """A folder by URL. Every method raises ``RemoteError`` if the store cannot be reached."""

    def __init__(self, root: str, system: fs.FileSystem, path: str) -> None:
        self._root, self._system, self._path = root, system, path

    @classmethod
    def at(cls, url: str) -> "RemoteFolder":
        """The folder of a URL, which need not exist."""
        root, system, path, _ = _opened(url)
        return cls(root, system, path.rstrip("/"))

    def __truediv__(self, name: str) -> "RemoteFolder":
        return RemoteFolder(self._root, self._system, f"{self._path}/{name}")

    def __str__(self) -> str:
        return f"{self._root}{self._path}"

    def has(self, name: str) -> bool:
        """Whether it has a file of this name."""
        with self._naming(name):
            return bool(self._system.get_file_info(f"{self._path}/{name}").type == fs.FileType.File)

    @property
    def name(self) -> str:
        """Last part of the path."""
        return self._path.rpartition("/")[2]

    def written(self, name: str) -> float:
        """When a file was written, in seconds since 1970, by the store's clock; 0 if there is no such file."""
        with self._naming(name):
            return (self._system.get_file_info(f"{self._path}/{name}").mtime_ns or 0) / 1e9

    def folders(self) -> list[str]:
        """Names of the folders in it."""
        with self._naming():
            found = self._system.get_file_info(fs.FileSelector(self._path, allow_not_found=True))
            return sorted(info.base_name for info in found if info.type == fs.FileType.Directory)

    def files(self) -> list[str]:
        """Names of the files in it; none if it does not exist."""
        with self._naming():
            found = self._system.get_file_info(fs.FileSelector(self._path, allow_not_found=True))
            return sorted(info.base_name for info in found if info.type == fs.FileType.File)

    def remove(self, name: str) -> None:
        """Remove a file."""
        with self._naming(name):
            self._system.delete_file(f"{self._path}/{name}")

    def read(self, name: str) -> bytes:
        """Content of a file."""
        with self._naming(name), self._system.open_input_stream(f"{self._path}/{name}") as file:
            return bytes(file.read())

    def download(self, name: str, target: Path) -> None:
        """Copy a file to the disk, where its folder is created."""
        with self._naming(name):
            target.parent.mkdir(parents=True, exist_ok=True)
            with self._system.open_input_stream(f"{self._path}/{name}") as file, target.open("wb") as out:
                shutil.copyfileobj(file, out, BLOCK)

    def write(self, name: str, source: Path) -> None:
        """Copy a file from the disk."""
        with self._naming(name):
            path = f"{self._path}/{name}"
            if not self._root.startswith("s3"):  # S3 has no folders, and creating them needs more rights
                self._system.create_dir(path.rpartition("/")[0], recursive=True)
            with source.open("rb") as file, self._system.open_output_stream(path) as out:
                shutil.copyfileobj(file, out, BLOCK)

    @contextmanager
    def _naming(self, name: str = "") -> Iterator[None]:
        try:
            yield
        except (pa.ArrowException, OSError) as error:
            raise RemoteError(f"{self / name if name else self}: {reason(error)}") from None


Location: TypeAlias = Path | RemoteFile
"""A local or a remote file."""


def located(name: str) -> Location:
    """The file of an absolute path or a URL. Raises ``RemoteError`` if the URL cannot be understood."""
    url = scheme_of(name)
    if url is None:
        return Path(name)
    root, system, path, query = _opened(name)
    return RemoteFile(root, system, path, query)


def identity(file: Location) -> str:
    """A name that differs for different files: the real path, or the URL."""
    return os.path.realpath(file) if isinstance(file, Path) else file.url


def full_name(file: Location) -> str:
    """The absolute path, or the URL, by which :func:`located` finds the file again."""
    return os.path.abspath(file) if isinstance(file, Path) else file.url


def input_file(file: Location) -> Any:
    """A file to read at any place, for ``with``. Raises ``OSError``."""
    return pa.OSFile(str(file)) if isinstance(file, Path) else file.open()


def input_stream(file: Location, compression: str | None) -> Any:
    """A stream of a file's decompressed bytes, for ``with``. Raises ``OSError``."""
    if isinstance(file, Path):
        return pa.input_stream(str(file), compression=compression)
    return file._system.open_input_stream(file._path, compression=compression)


def find_remote(source: str) -> Iterator[tuple[RemoteFile, bool]]:
    """Files of a URL, a folder's URL or a glob, sorted; ``True`` for hidden ones.

    Raises ``RemoteError`` if the store cannot be reached, or if there is no such file or folder.
    """
    root, system, path, query = _opened(source)
    try:
        info = system.get_file_info(path)  # first, because a file's name may look like a glob
        if info.type == fs.FileType.File:
            yield RemoteFile(root, system, path, query), False
            return
        if info.type != fs.FileType.NotFound:
            found = _under(system, path)
        elif _MAGIC.search(path):
            found = _matching(system, path)
        else:
            raise RemoteError(f"{source}: no such file or folder")
    except (pa.ArrowException, OSError) as error:
        raise RemoteError(f"{source}: cannot be read: {reason(error)}") from None
    for each, hidden in found:
        yield RemoteFile(root, system, each, query), hidden


def reason(error: Exception) -> str:
    """First line of a store's error, with what to do if it is about access."""
    text = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    if re.search(r"(?i)access.?denied|forbidden|credential|unauthorized|authenticat|anonymous", text):
        return f"{text}; are the store's credentials set in the environment?"
    return text


@lru_cache(maxsize=64)
def _system(scheme: str, place: str, query: str) -> tuple[fs.FileSystem, str]:
    return fs.FileSystem.from_uri(f"{scheme}://{place}{query}")  # type: ignore[no-any-return]


def _opened(source: str) -> tuple[str, fs.FileSystem, str, str]:
    """Text before the path, file system, path in it, and options of a URL. Raises ``RemoteError``."""
    match = URL.fullmatch(source)
    if match is None:
        raise RemoteError(f"{source}: is not a URL; stores are at {', '.join(f'{name}://' for name in SCHEMES)}")
    scheme, rest = match[1].lower(), match[2]
    place, mark, options = rest.rpartition("?") if "=" in rest.rpartition("?")[2] else (rest, "", "")
    shown = f"{scheme}://...@{rest.rpartition('@')[2]}" if _PASSWORD.match(rest) else f"{scheme}://{place}?..."
    secret = _PASSWORD.match(rest) or _SECRET.search(mark + options)
    if scheme not in SCHEMES:
        raise RemoteError(
            f"{shown if secret else normal(source)}: files are local, or at "
            f"{', '.join(f'{name}://' for name in SCHEMES)}; download it, or mount it"
        )
    if secret:
        raise RemoteError(
            f"{shown}: holds credentials, which would be stored with the run; set them in the environment"
        )
    query = mark + options
    bucket, _, inside = place.partition("/")
    try:
        system, base = _system(scheme, bucket, query)
    except (pa.ArrowException, OSError, ValueError, ImportError) as error:
        raise RemoteError(f"{source}: cannot be read: {reason(error)}") from None
    root = f"{scheme}://" if base.strip("/") else f"{scheme}://{bucket}"
    path = "/".join(part for part in (base.rstrip("/"), inside.strip("/")) if part or base == "/")
    return root, system, path or "/", query


def _under(system: fs.FileSystem, folder: str, hidden: bool = False) -> list[tuple[str, bool]]:
    """Files under a folder, at any depth, and whether a name on the way is hidden."""
    selector = fs.FileSelector(folder, recursive=True)
    inside = [info.path for info in system.get_file_info(selector) if info.type == fs.FileType.File]
    depth = len(PurePosixPath(folder).parts)
    return sorted((path, hidden or _is_hidden(PurePosixPath(path).parts[depth:])) for path in inside)


def _matching(system: fs.FileSystem, pattern: str) -> list[tuple[str, bool]]:
    """Files that a glob matches, directly or inside folders that it matches."""
    parts = PurePosixPath(pattern).parts
    fixed = next(i for i, part in enumerate(parts) if _MAGIC.search(part))
    base = str(PurePosixPath(*parts[:fixed]))
    found = []
    for path, _ in _under(system, base):
        names = PurePosixPath(path).parts
        deepest = next((n for n in range(fixed + 1, len(names) + 1) if fits(names[fixed:n], parts[fixed:])), None)
        if deepest is not None:
            spelt = [part for part in parts if part[:1] in (".", "_")]
            hidden = [name for name in names[fixed:] if _is_hidden((name,))]
            found.append((path, any(not any(fnmatchcase(name, part) for part in spelt) for name in hidden)))
    return sorted(found)


def fits(names: tuple[str, ...], pattern: tuple[str, ...]) -> bool:
    """Whether the parts of a path match those of a glob, where ``**`` is any number of folders."""
    if not pattern:
        return not names
    if pattern[0] == "**":
        return fits(names, pattern[1:]) or (bool(names) and fits(names[1:], pattern))
    return bool(names) and fnmatchcase(names[0], pattern[0]) and fits(names[1:], pattern[1:])


def _is_hidden(names: tuple[str, ...]) -> bool:
    """Whether a name begins with ``.`` or ``_``, unless it is a partition's folder such as ``_date=2024-01-01``."""
    *folders, last = names
    return last.startswith((".", "_")) or any(
        name.startswith((".", "_")) and not (name.startswith("_") and "=" in name) for name in folders
    )
