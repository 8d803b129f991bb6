"""The folder that one service's processes share, and the folders that killed services have left behind.

Every process of a service holds a shared lock on its folder for as long as it lives, so a folder on which an exclusive
lock can be had belongs to nobody. (systemd-tmpfiles leaves folders alone that it cannot lock.)
"""

import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ranker.file_locks import is_still, lock
from serving.logs import event
from serving.settings import SettingsError

PREFIX = "ranker-serve-run-"
OWNER = "service.lock"
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


@contextmanager
def runtime_folder() -> Iterator[Path]:
    """A new folder in the system's temporary folder, removed behind the block; stale ones are removed first."""
    folder, held = new_folder()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(held)


@contextmanager
def owned(folder: Path) -> Iterator[None]:
    """Make a folder that settings name this service's own while the block runs.

    Raises ``SettingsError`` where another service runs on it, or it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / OWNER).open("a")
    except OSError as error:
        raise SettingsError(f"RANKER_SERVE_RUNTIME: {folder} cannot be written to: {error.strerror}") from None
    with file:
        with suppress(OSError):  # a file system without locks
            if not lock(file, wait=False):
                reason = "belongs to another service that runs; each needs its own"
                raise SettingsError(f"RANKER_SERVE_RUNTIME: {folder} {reason}")
        yield


def new_folder() -> tuple[Path, int]:
    """Remove stale folders, make a new one, and lock it; return it and the lock's descriptor."""
    remove_stale(Path(tempfile.gettempdir()))
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        held = hold(folder)
        if held is not None:
            return folder, held


def hold(folder: Path) -> int | None:
    """Lock a folder until the descriptor that is returned is closed; ``None`` where another service removes it."""
    try:
        held = os.open(folder, FOLDER)
    except FileNotFoundError:
        return None
    with suppress(OSError):  # a file system without locks
        if not lock(held, shared=True, wait=False):
            os.close(held)
            return None
    if not is_still(folder, held):
        os.close(held)
        return None
    return held


def remove_stale(parent: Path) -> None:
    """Remove the folders of services of which no process lives; other users' folders are left alone."""
    for folder in sorted(parent.glob(f"{PREFIX}*")):
        try:
            opened = os.open(folder, FOLDER | os.O_NOFOLLOW)
        except OSError:
            continue
        try:
            if os.fstat(opened).st_uid != os.geteuid():
                continue
            if lock(opened, wait=False) and is_still(folder, opened):  # no process of its service lives
                shutil.rmtree(folder, ignore_errors=True)
                event(logging.WARNING, "stale runtime folder removed", folder=str(folder))
        except OSError:  # the file system has no locks
            continue
        finally:
            os.close(opened)
