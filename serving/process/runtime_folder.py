"""The folder shared by a service's processes, and the removal of folders left by killed services.

Every process of a service holds a shared lock on the folder while it lives, so a folder that can be locked exclusively
is stale. (systemd-tmpfiles also skips folders that it cannot lock.)
"""

import fcntl
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from serving.logs import event
from serving.settings import SettingsError

PREFIX = "ranker-serve-run-"
OWNER = "service.lock"
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


@contextmanager
def runtime_folder() -> Iterator[Path]:
    """Create a temporary folder and remove it after the block; stale ones are removed first."""
    folder, lock = new_folder()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


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
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            reason = "is used by another running service; each needs its own folder"
            raise SettingsError(f"RANKER_SERVE_RUNTIME: {folder} {reason}") from None
        except OSError:  # a file system without locks
            pass
        yield


def new_folder() -> tuple[Path, int]:
    """Remove stale folders, create and lock a new one; return it and the lock's descriptor."""
    remove_stale(Path(tempfile.gettempdir()))
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        lock = hold(folder)
        if lock is not None:
            return folder, lock


def hold(folder: Path) -> int | None:
    """Lock a folder until the returned descriptor is closed; ``None`` if another service is removing it."""
    try:
        lock = os.open(folder, FOLDER)
    except FileNotFoundError:
        return None
    with suppress(OSError):  # a file system without locks
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return None
    if not is_still(folder, lock):
        os.close(lock)
        return None
    return lock


def is_still(path: Path, descriptor: int) -> bool:
    """Whether a path still refers to the file that was opened there."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def remove_stale(parent: Path) -> None:
    """Remove this user's folders of services without a living process."""
    for folder in sorted(parent.glob(f"{PREFIX}*")):
        try:
            lock = os.open(folder, FOLDER | os.O_NOFOLLOW)
        except OSError:
            continue
        try:
            if os.fstat(lock).st_uid != os.geteuid():
                continue
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if is_still(folder, lock):
                shutil.rmtree(folder, ignore_errors=True)
                event(logging.WARNING, "stale runtime folder removed", folder=str(folder))
        except OSError:  # its service is alive, or the file system has no locks
            continue
        finally:
            os.close(lock)
