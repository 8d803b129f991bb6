"""Locks of the system on files and folders; each ends with the process that holds it (flock(2))."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import IO, Any


def lock(file: int | IO[Any], *, shared: bool = False, wait: bool = True) -> bool:
    """Lock an open file or folder until it is closed; return whether the lock was had.

    Parameters
    ----------
    file
        Descriptor or open file. A lock that it holds already is changed to the new kind.
    shared
        Whether others may hold shared locks at the same time; otherwise the lock is exclusive.
    wait
        Whether to wait for others; otherwise the answer is ``False`` while one holds a lock that excludes this one.

    Raises
    ------
    OSError
        Where the file system has no locks.
    """
    operation = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB)
    try:
        fcntl.flock(file, operation)
    except BlockingIOError:
        return False
    return True


@contextmanager
def locked(file: Path, *, required: bool = True) -> Iterator[None]:
    """Hold the exclusive lock on ``file`` while the block runs, after waiting for it; create the file and its folder.

    If the file is removed during the wait, the lock on its replacement is taken instead. Raises ``OSError`` if the file
    system has no locks and the lock is ``required``; otherwise the block then runs without it.
    """
    while True:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a") as handle:
            with nullcontext() if required else suppress(OSError):
                lock(handle)
            if is_still(file, handle.fileno()):  # else another process may hold the lock on a new file
                yield
                return


def is_still(path: Path, descriptor: int) -> bool:
    """Whether a path still leads to what was opened there."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
