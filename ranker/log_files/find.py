"""Expands files, folders and globs into the files of a log, in a fixed order without duplicates.

URLs of object stores are found by :mod:`~ranker.remote_files`, by the same rules.

Folders are walked recursively, following symbolic links. Names that begin with ``.`` or ``_`` are hidden, as in Spark
and Hive: such files and folders are skipped, unless they are named explicitly or are a Hive partition such as
``_date=2024-01-01``. Files without the ending of a format in ``FILE_FORMATS`` are skipped with a note.
"""

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from urllib.parse import unquote

from ranker.log_files.errors import DataError
from ranker.log_files.part import format_by_name, known_endings
from ranker.remote_files import Location, RemoteError, find_remote, identity
from ranker.urls import normal, scheme_of

_SHOWN = 5


@dataclass
class Files:
    """The files of a log in order, and notes about skipped files."""

    files: list[Location] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def find_files(sources: Sequence[str | Path]) -> Files:
    """Files of paths, folders and globs, sorted within each, without duplicates.

    Raises ``DataError`` with the absolute path for a path or glob without files.
    """
    if not sources:
        raise DataError("no data: set files, folders or globs with --data, RANKER_DATA or data.paths in the config")
    found, seen = Files(), set()
    for source in map(str, sources):
        files, skipped = _expand(source)
        if skipped:
            found.notes.append(_note(source, skipped))
        for file in files:
            real = identity(file)
            if real not in seen:
                seen.add(real)
                found.files.append(file)
    return found


def _expand(source: str) -> tuple[Sequence[Location], Sequence[Location]]:
    """Files of one source, and its skipped files."""
    scheme = scheme_of(source)
    if scheme is not None and not os.path.exists(source):
        if scheme == "file":
            return _expand("/" + unquote(source.partition(":")[2].lstrip("/")))
        return _at_url(normal(source))
    path = os.path.expanduser(source)
    if os.path.isdir(path):
        files, skipped = _in_folder(Path(path))
        if not files:
            raise DataError(f"{_absolute(path)}: no file in this folder is a log: {known_endings()}{_left(skipped)}")
        return files, skipped
    if os.path.exists(path):
        if not _readable(Path(path)):
            raise DataError(f"{_absolute(path)}: is not a log by its name; a log is {known_endings()}")
        return [Path(path)], []
    if not glob.has_magic(path):
        raise DataError(f"{_absolute(path)}: no such file or folder")
    return _matching(path)


def _at_url(source: str) -> tuple[list[Location], list[Location]]:
    """Files of a URL, a folder's URL or a glob, and its skipped files."""
    files: list[Location] = []
    skipped: list[Location] = []
    try:
        for file, is_hidden in find_remote(source):
            if not is_hidden:
                (files if _readable(file) else skipped).append(file)
    except RemoteError as error:
        raise DataError(str(error)) from None
    if not files:
        raise DataError(f"{source}: no file there is a log: {known_endings()}{_left(skipped)}")
    return files, skipped


def _matching(pattern: str) -> tuple[list[Path], list[Path]]:
    """Files that a glob matches, directly or inside matching folders, and skipped files."""
    files: list[Path] = []
    skipped: list[Path] = []
    spelt = [part for part in Path(pattern).parts if part[:1] in (".", "_")]
    for match in sorted(map(Path, glob.glob(pattern, recursive=True))):
        hidden = [part for part in match.parts[:-1] if _hidden(part, True)]
        hidden += [match.name] if _hidden(match.name, match.is_dir()) else []
        if any(not any(fnmatchcase(name, part) for part in spelt) for name in hidden):
            continue
        if match.is_dir():
            inside, others = _in_folder(match)
            files, skipped = files + inside, skipped + others
        else:
            (files if _readable(match) else skipped).append(match)
    if not files:
        left = f" that is a log: {known_endings()} ({_listed(skipped)} matched)" if skipped else ""
        raise DataError(f"{_absolute(pattern)}: no file matches this glob{left}")
    return files, skipped


def _in_folder(folder: Path) -> tuple[list[Path], list[Path]]:
    files: list[Path] = []
    skipped: list[Path] = []
    for path in _walk(folder, frozenset()):
        (files if _readable(path) else skipped).append(path)
    return sorted(files), sorted(skipped)


def _walk(folder: Path, above: frozenset[str]) -> Iterator[Path]:
    """Files under a folder; links to a parent folder are not followed."""
    real = os.path.realpath(folder)
    if real in above:
        return
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(f"{_absolute(folder)}: cannot be listed: {error.strerror}") from None
    for entry in entries:
        if _hidden(entry.name, entry.is_dir()):
            continue
        if entry.is_dir():
            yield from _walk(folder / entry.name, above | {real})
        elif entry.is_file():
            yield folder / entry.name
        elif entry.is_symlink():
            raise DataError(f"{_absolute(folder / entry.name)}: is a broken symbolic link")


def _hidden(name: str, is_folder: bool) -> bool:
    return name.startswith((".", "_")) and not (is_folder and name.startswith("_") and "=" in name)


def _readable(path: Location) -> bool:
    return format_by_name(path) is not None


def _note(source: str, skipped: Sequence[Location]) -> str:
    return f"{source}: skipped {len(skipped)} file(s) whose names are not those of a log: {_listed(skipped)}"


def _left(skipped: Sequence[Location]) -> str:
    return f" ({_listed(skipped)} {'is' if len(skipped) == 1 else 'are'} not)" if skipped else ""


def _listed(paths: Sequence[Location]) -> str:
    return ", ".join(path.name for path in paths[:_SHOWN]) + (", ..." if len(paths) > _SHOWN else "")


def _absolute(path: str | Path) -> str:
    return os.path.abspath(path)
