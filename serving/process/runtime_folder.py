"""The folder shared by a service's processes, and the removal of folders left by killed services.

Every process of a service holds a shared lock on the folder while it lives, so a folder that can be locked exclusively
is stale. (systemd-tmpfiles also skips folders that it cannot lock.)
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
    """Create a temporary folder and remove it after the block; stale ones are removed first."""
    folder, held = new_folder()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(held)


@contextmanager
def owned(folder: Path) -> Iterator[None]:
    """Claim the folder named by the settings for this service while the block runs.

    Raises ``SettingsError`` if another service uses it or it cannot be created.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / OWNER).open("a")
    except OSError as error:
        raise SettingsError(f"RANKER_SERVE_RUNTIME: {folder} cannot be written to: {error.strerror}") from None
    with file:
        with suppress(OSError):  # a file system without locks
            if not lock(file, wait=False):
                reason = "is used by another running service; each needs its own folder"
                raise SettingsError(f"RANKER_SERVE_RUNTIME: {folder} {reason}")
        yield


def new_folder() -> tuple[Path, int]:
    """Remove stale folders, create and lock a new one; return it and the lock's descriptor."""
    remove_stale(Path(tempfile.gettempdir()))
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        held = hold(folder)
        if held is not None:
            return folder, held


def hold(folder: Path) -> int | None:
    """Lock a folder until the returned descriptor is closed; ``None`` if another service is removing it."""
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
    """Remove this user's folders of services without a living process."""
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
