"""Checks of where a command is to write, before its long work: a folder or a file that can be written."""

import os
from pathlib import Path


def check_folder(option: str, path: Path) -> None:
    """Raise ``ValueError`` naming ``option`` and ``path`` if the folder is not there and cannot be made, or written."""
    _check(option, path)
    if path.exists() and not path.is_dir():
        raise ValueError(f"{option} {str(path)!r}: is a file; name a folder")
    _check_writable(option, path, path)


def check_file(option: str, path: Path) -> None:
    """Raise ``ValueError`` naming ``option`` and ``path`` if no file can be written there."""
    _check(option, path)
    if path.is_dir():
        raise ValueError(f"{option} {str(path)!r}: is a folder; name a file")
    _check_writable(option, path, path)


def _check(option: str, path: Path) -> None:
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return  # what stands above it is looked at next
    except (OSError, ValueError) as error:  # too long, not readable, a null byte
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ValueError(f"{option} {str(path)!r}: cannot be written: {reason}") from None


def _check_writable(option: str, path: Path, place: Path) -> None:
    """Look at ``place``, or at the nearest folder above it that is there, in which the rest would be made."""
    while not place.exists() and place != place.parent:
        if place.is_symlink():
            raise ValueError(f"{option} {str(path)!r}: cannot be written: {str(place)!r} is a link that leads nowhere")
        place = place.parent
    if place != path and not place.is_dir():
        raise ValueError(f"{option} {str(path)!r}: cannot be written: {str(place)!r} is a file, not a folder")
    if not os.access(place, os.W_OK | (os.X_OK if place.is_dir() else 0)):
        raise ValueError(f"{option} {str(path)!r}: cannot be written: no permission to write to {str(place)!r}")
