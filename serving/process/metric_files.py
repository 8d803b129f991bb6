"""Metric files left behind by workers."""

import os
from pathlib import Path


def remove_metrics_of(pid: int) -> None:
    """Remove the metric files of a worker that never served, so that failed starts leave no files behind."""
    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    for file in Path(folder).glob(f"*_{pid}.db") if folder else ():
        file.unlink(missing_ok=True)
