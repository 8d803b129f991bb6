"""Layout of the exposure log's folder.

::

    date=2026-01-31/MODEL-20260131T235501.123Z-HOST-PID-N.parquet    finished files, by the UTC day of answering
    .open/MODEL-20260131T235501.123Z-HOST-PID-N.arrow                streams that are being written, or were when killed

A file's time is that of its first request, and all of its requests are of the same day. Names differ between all
writers of a folder, on however many hosts.
"""

import os
import re
import socket
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import NamedTuple

OPEN = ".open"
"""Folder of the streams that are being written; readers of Parquet skip it, as its name begins with a dot."""
_NAME = re.compile(r"(?P<model>.+?)-(?P<begun>\d{8}T\d{6}\.\d{3}Z)-(?P<writer>.+)-(?P<pid>\d+)-(?P<number>\d+)")
_TIME = "%Y%m%dT%H%M%S.%f"


class ExposureFile(NamedTuple):
    """One file of the log; they sort by the time of their first request.

    Attributes
    ----------
    begun
        When its first request was answered (UTC, milliseconds).
    model
        Name of the model that ranked its requests.
    path
        Where it is.
    """

    begun: datetime
    model: str
    path: Path

    @property
    def day(self) -> date:
        """UTC day of all of its requests."""
        return self.begun.date()

    @classmethod
    def of(cls, path: Path) -> "ExposureFile | None":
        """The file at a path; ``None`` if its name is not that of a log's file."""
        named = _NAME.fullmatch(path.stem)
        if named is None:
            return None
        try:
            begun = datetime.strptime(named["begun"][:-1], _TIME).replace(tzinfo=UTC)
        except ValueError:
            return None
        return cls(begun, named["model"], path)


def exposure_files(directory: Path) -> list[ExposureFile]:
    """The finished files of a log, by time; none if the folder does not exist. Raises ``OSError``."""
    return sorted(_of_paths(path for day in _days(directory) for path in day.glob("*.parquet")))


def newest_files(directory: Path) -> Iterator[ExposureFile]:
    """The finished files of a log, the latest first; days that are not reached are not listed. Raises ``OSError``."""
    for day in sorted(_days(directory), reverse=True):
        yield from sorted(_of_paths(day.glob("*.parquet")), reverse=True)


def open_files(directory: Path) -> list[ExposureFile]:
    """The streams of a log that are being written, or that a killed process left, by time."""
    return sorted(_of_paths((directory / OPEN).glob("*.arrow")))


def new_name(model: str, begun: datetime, number: int) -> str:
    """Name, without suffix, of this process's file with a number, beginning with a request answered at ``begun``."""
    moment = begun.astimezone(UTC)
    host = re.sub(r"[^A-Za-z0-9.]+", "-", socket.gethostname()) or "host"
    return f"{model}-{moment:%Y%m%dT%H%M%S}.{moment.microsecond // 1000:03d}Z-{host}-{os.getpid()}-{number}"


def finished(open_file: Path) -> Path:
    """Where the requests of an open file go when it is finished. Raises ``ValueError`` for another name."""
    file = ExposureFile.of(open_file)
    if file is None:
        raise ValueError(f"{open_file.name} is not named as a file of an exposure log")
    return open_file.parents[1] / f"date={file.day.isoformat()}" / f"{open_file.stem}.parquet"


def _days(directory: Path) -> Iterator[Path]:
    return (path for path in directory.glob("date=*") if path.is_dir())


def _of_paths(paths: Iterator[Path]) -> Iterator[ExposureFile]:
    files = (ExposureFile.of(path) for path in paths if not path.name.startswith("."))
    return (file for file in files if file is not None)
