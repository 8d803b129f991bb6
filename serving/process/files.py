"""Files that processes read while another one writes them."""

import os
from pathlib import Path


def remove_metrics_of(pid: int) -> None:
    """Remove what a worker that never served has counted: each try to start one would leave files behind."""
    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    for file in Path(folder).glob(f"*_{pid}.db") if folder else ():
        file.unlink(missing_ok=True)


def replace_file(file: Path, content: bytes) -> None:
    """Write a file under another name and rename it, so that readers see all of the old or all of the new content.

    Makes the folder where somebody removed it. Raises ``OSError``.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    whole = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        whole.write_bytes(content)
        os.replace(whole, file)
    except OSError:
        whole.unlink(missing_ok=True)  # half of it, where the disk is full
        raise
