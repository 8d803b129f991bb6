"""Files that appear under their name only when they are complete."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ranker.file_locks import is_still, lock, locked


@contextmanager
def replacing(file: Path) -> Iterator[Path]:
    """Yield a path next to ``file`` to write to, and rename it to ``file`` at the end of the block.

    Readers see all of the old or all of the new content, whichever processes and threads write. Creates the folder if
    it is missing. If the block raises, its file is removed and ``file`` stays as it was; files that killed processes
    left are removed by the next writer. Raises ``OSError`` if the folder is not writable.
    """
    _remove_abandoned(file)
    partial = file.with_name(f".{file.name}.{os.getpid()}-{threading.get_ident()}")
    with locked(partial, required=False):  # by which others see that it is being written
        try:
            yield partial
            os.replace(partial, file)
        except BaseException:
            partial.unlink(missing_ok=True)  # incomplete, for example if the disk is full
            raise


def replace_file(file: Path, content: bytes) -> None:
    """Write ``content`` as the whole of ``file``, as :func:`replacing` does."""
    with replacing(file) as partial:
        partial.write_bytes(content)


def sync(file: Path) -> None:
    """Have a file's content on disk, so that it is there after a loss of power."""
    with file.open("rb") as handle:
        os.fsync(handle.fileno())


def _remove_abandoned(file: Path) -> None:
    """Remove unfinished files that nobody holds a lock on."""
    for partial in file.parent.glob(f".{file.name}.*-*"):
        with suppress(OSError), partial.open("rb") as handle:
            if lock(handle, wait=False) and is_still(partial, handle.fileno()):  # else it was renamed meanwhile
                partial.unlink(missing_ok=True)
