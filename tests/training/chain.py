"""Trains day after day, each version on from the one before: ``python -m tests.training.chain FOLDER DAYS``."""

import sys
from pathlib import Path

import training
from tests.training.days import CONFIG, rows
from training.config.experiment import checked

CHAIN = checked({**CONFIG, "training": {**CONFIG["training"], "checkpoint_every": 1}})


def train_days(folder: Path, days: int) -> None:
    """Train on the days that have no version in the folder yet; the items change from day to day."""
    for day in range(1, days + 1):
        if (folder / str(day) / "manifest.json").is_file():
            continue
        log = rows(day, "abcdefgh"[day % 5 : day % 5 + 4], day)
        before = folder if day > 1 else None
        training.fit(CHAIN, log, output=folder, from_artifact=before, progress=False).export()


if __name__ == "__main__":
    train_days(Path(sys.argv[1]), int(sys.argv[2]))
