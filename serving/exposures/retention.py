"""Deletes the oldest finished files of a log, by age and by total size."""

import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from ranker.exposures.files import exposure_files


class Retention(NamedTuple):
    """Limits of a log's finished files: days since their first request, and bytes of all; ``None`` for no limit."""

    days: float | None
    size: int | None

    def apply(self, directory: Path) -> list[Path]:
        """Delete whole files, oldest first, until both limits hold; return them.

        Several processes may do so at once. Raises ``OSError`` for a folder that cannot be changed.
        """
        if self.days is None and self.size is None:
            return []
        files = []
        for file in exposure_files(directory):
            with suppress(FileNotFoundError):  # another process deleted it
                files.append((file.path, file.begun.timestamp(), file.path.stat().st_size))
        total = sum(size for _, _, size in files)
        removed = []
        for path, begun, size in files:
            old = self.days is not None and begun < time.time() - self.days * 86_400
            if not old and (self.size is None or total <= self.size):
                break
            path.unlink(missing_ok=True)
            total -= size
            removed.append(path)
        for day in {path.parent for path in removed}:
            with suppress(OSError):  # it has other files
                day.rmdir()
        return removed
