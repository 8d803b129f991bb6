"""Files that appear under their name only when they are whole."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(file: Path) -> Iterator[Path]:
    """Yield a path beside ``file`` to write to, and rename it to ``file`` at the end of the block.

    Readers see all of the old or all of the new content. Makes the folder where it is missing. Where the block raises,
    what it wrote is removed and ``file`` stays as it was. Raises ``OSError`` where the folder cannot be written to.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        yield partial
        os.replace(partial, file)
    except BaseException:
        partial.unlink(missing_ok=True)  # half of it, where the disk is full
        raise


def replace_file(file: Path, content: bytes) -> None:
    """Write ``content`` as the whole of ``file``, as :func:`replacing` does."""
    with replacing(file) as partial:
        partial.write_bytes(content)
