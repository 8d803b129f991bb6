"""Files shared by several processes."""

import os
from pathlib import Path


def remove_metrics_of(pid: int) -> None:
    """Remove the metric files of a worker that never served, so that failed starts leave no files behind."""
    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    for file in Path(folder).glob(f"*_{pid}.db") if folder else ():
        file.unlink(missing_ok=True)


def replace_file(file: Path, content: bytes) -> None:
    """Replace a file atomically: readers see either the old or the new content.

    Creates the folder if it is missing. Raises ``OSError``.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    whole = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        whole.write_bytes(content)
        os.replace(whole, file)
    except OSError:
        whole.unlink(missing_ok=True)  # partly written if the disk is full
        raise
