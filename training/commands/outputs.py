"""Checks that a command's output path is writable, before its long work starts."""

import os
from pathlib import Path

from ranker.urls import is_remote, normal


def check_folder(option: str, path: Path) -> None:
    """Raise ``ValueError`` naming ``option`` and ``path`` if the folder cannot be created or written."""
    _check(option, path)
    if path.exists() and not path.is_dir():
        raise ValueError(f"{option} {str(path)!r}: is a file; name a folder")
    _check_writable(option, path, path)


def check_file(option: str, path: Path) -> None:
    """Raise ``ValueError`` naming ``option`` and ``path`` if the file cannot be written."""
    _check(option, path)
    if path.is_dir():
        raise ValueError(f"{option} {str(path)!r}: is a folder; name a file")
    _check_writable(option, path, path)


def _check(option: str, path: Path) -> None:
    if is_remote(path):
        raise ValueError(
            f"{option} {normal(path)!r}: runs are written to a local folder, where they can be resumed; name one, and "
            "copy its artifact to the store with `ranker-train publish`"
        )
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return  # its parents are checked next
    except (OSError, ValueError) as error:  # too long, unreadable, a null byte
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ValueError(f"{option} {str(path)!r}: cannot be written: {reason}") from None


def _check_writable(option: str, path: Path, place: Path) -> None:
    """Check ``place`` or its nearest existing parent, in which the missing folders would be created."""
    while not place.exists() and place != place.parent:
        if place.is_symlink():
            raise ValueError(f"{option} {str(path)!r}: cannot be written: {str(place)!r} is a broken link")
        place = place.parent
    if place != path and not place.is_dir():
        raise ValueError(f"{option} {str(path)!r}: cannot be written: {str(place)!r} is a file, not a folder")
    if not os.access(place, os.W_OK | (os.X_OK if place.is_dir() else 0)):
        raise ValueError(f"{option} {str(path)!r}: cannot be written: no permission to write to {str(place)!r}")
