"""Files of metrics that a worker has left behind."""

import os
from pathlib import Path


def remove_metrics_of(pid: int) -> None:
    """Remove what a worker that never served has counted: each try to start one would leave files behind."""
    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    for file in Path(folder).glob(f"*_{pid}.db") if folder else ():
        file.unlink(missing_ok=True)
