"""Trains day after day, each on from the version before: ``python -m tests.training.chain FOLDER DAYS [PLACE ...]``.

A process does so until the first place below the folder is there, which is when it is killed; another goes on until the
second is there, and so on, and the last one ends. They are forks of one process, which imports TensorFlow for all.
"""

import os
import signal
import sys
import time
from pathlib import Path

from tests.training.days import CONFIG, rows
from training.commands.fit import fit
from training.config.experiment import checked

CHAIN = checked({**CONFIG, "training": {**CONFIG["training"], "checkpoint_every": 1}})
LIMIT = 300
"""Seconds that a place may take to appear."""


def train_days(folder: Path, days: int) -> None:
    """Train on the days that have no version in the folder yet; the items change from day to day."""
    for day in range(1, days + 1):
        if (folder / str(day) / "manifest.json").is_file():
            continue
        log = rows(day, "abcdefgh"[day % 5 : day % 5 + 4], day)
        before = folder if day > 1 else None
        fit(CHAIN, log, output=folder, from_artifact=before, progress=False).export()


def killed_when(place: Path, folder: Path, days: int) -> None:
    """Train the days in a process that SIGKILL ends once the place is there."""
    child = os.fork()
    if not child:
        try:
            train_days(folder, days)
        finally:
            os._exit(1)
    deadline = time.monotonic() + LIMIT
    while not place.exists() and time.monotonic() < deadline:
        if os.waitpid(child, os.WNOHANG)[0]:
            raise RuntimeError(f"the process ended before {place} appeared")
        time.sleep(0.001)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    if not place.exists():
        raise RuntimeError(f"no {place} after {LIMIT} s")


if __name__ == "__main__":
    folder, days = Path(sys.argv[1]), int(sys.argv[2])
    for place in sys.argv[3:]:
        killed_when(folder / place, folder, days)
    train_days(folder, days)
