"""Writes the log to a folder: a stream for each model, which becomes a Parquet file once it is long or old enough."""

import errno
import logging
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from ranker.exposures.files import OPEN, open_files
from ranker.exposures.finish import finish, recover_file
from ranker.iso_times import DAY_MS
from serving.exposures.retention import Retention
from serving.exposures.rows import Hash, Logged, batch_of
from serving.exposures.sinks import SinkError, Written, by_columns
from serving.exposures.stream_file import StreamFile
from serving.logs import Problems, event
from serving.settings import PREFIX, SettingsError

EVERY = 60.0
"""Seconds between looks for files of killed processes and for files to delete."""
AGAIN = 5.0
"""Seconds before a stream that could not be finished is tried again."""
FULL = (errno.ENOSPC, errno.EDQUOT)
"""Errors of a disk without room, which may come."""
BATCH = 256
"""Most requests of a record batch."""


class Rolling(NamedTuple):
    """When a stream is finished: after so many seconds, and so many bytes."""

    seconds: float
    size: int


class _Open(NamedTuple):
    stream: StreamFile
    schema: Any
    since: float


class Folder:
    """The log in a folder, as one process writes it."""

    def __init__(self, directory: Path, rolling: Rolling, retention: Retention, hashed: Hash | None) -> None:
        self._directory, self._rolling, self._retention, self._hashed = directory, rolling, retention, hashed
        self._open: dict[str, _Open] = {}
        self._ended: list[StreamFile] = []
        self._problems = Problems()
        self._look_at = self._finish_at = 0.0

    @property
    def name(self) -> str:
        """The folder."""
        return str(self._directory)

    def check(self) -> None:
        """Create the folder; it may be on a disk that is full, but not be a file, or belong to others."""
        folder = self._directory / OPEN
        try:
            folder.mkdir(parents=True, exist_ok=True)
            writable = os.access(folder, os.W_OK | os.X_OK)
        except OSError as error:
            if error.errno in FULL:
                return
            raise SettingsError(f"{PREFIX}EXPOSURES: {self._directory} cannot be created: {error.strerror}") from None
        if not writable:
            raise SettingsError(f"{PREFIX}EXPOSURES: {self._directory} cannot be written to")

    def write(self, requests: Sequence[Logged]) -> Written:
        """Append requests of one model, one version and one day, which are a batch."""
        batch = batch_of(requests, self._hashed)
        try:
            stream = self._stream(requests[0])
            return Written(batch.num_rows, stream.write(batch))
        except BaseException as error:
            self._abandon(requests[0].model)
            if isinstance(error, OSError):
                raise SinkError(f"{self._directory}: {error.strerror or error}") from None
            raise

    def parts(self, requests: Sequence[Logged]) -> list[list[Logged]]:
        """Requests as they are given to :meth:`write`."""
        found = []
        for alike in by_columns(requests):
            days: dict[int, list[Logged]] = {}
            for request in alike:
                days.setdefault(request.time // DAY_MS, []).append(request)
            for day in days.values():
                found += [day[i : i + BATCH] for i in range(0, len(day), BATCH)]
        return found

    def tend(self, between: Callable[[], None]) -> None:
        """Finish streams that are due, and those of killed processes; delete old files."""
        now = time.monotonic()
        for model, opened in list(self._open.items()):
            if now - opened.since >= self._rolling.seconds:
                self._roll(model)
        if now >= self._finish_at:
            self._finish_ended(between)
        if now >= self._look_at:
            self._look_at = now + EVERY
            self._recover(between)
            self._delete()

    def close(self) -> None:
        """Finish all streams; one that cannot be finished is left to the next process."""
        for model in list(self._open):
            self._roll(model)
        self._finish_ended(lambda: None)
        for stream in self._ended:
            stream.close()

    def _stream(self, request: Logged) -> StreamFile:
        begun = datetime.fromtimestamp(request.time / 1000, UTC)
        opened = self._open.get(request.model)
        if opened is not None and opened.stream.removed:
            self._lost(self._open.pop(request.model).stream)
            opened = None
        if opened is not None and (
            opened.stream.day != begun.date()
            or opened.stream.size >= self._rolling.size
            or not opened.schema.equals(request.columns.schema)
        ):
            self._roll(request.model)
            opened = None
        if opened is None:
            stream = StreamFile(self._directory, request.model, request.columns.schema, begun)
            self._open[request.model] = opened = _Open(stream, request.columns.schema, time.monotonic())
        return opened.stream

    def _roll(self, model: str) -> None:
        """End a model's stream; the next request begins another."""
        stream = self._open.pop(model).stream
        stream.end()
        self._ended.append(stream)

    def _abandon(self, model: str) -> None:
        """End a stream whose last write failed: its writer is ahead of it."""
        if model in self._open:
            self._ended.append(self._open.pop(model).stream)

    def _lost(self, stream: StreamFile) -> None:
        """Let go of a stream that somebody has removed, perhaps with the whole folder."""
        stream.close()
        event(logging.WARNING, "exposures removed", file=stream.path.name, rows=stream.rows)

    def _finish_ended(self, between: Callable[[], None]) -> None:
        ended, self._ended = self._ended, []
        for stream in ended:
            try:
                if stream.removed:
                    self._lost(stream)
                    continue
                finish(stream.path, between)
            except Exception as error:
                self._ended.append(stream)
                self._finish_at = time.monotonic() + AGAIN
                reason = _reason(error)
                if self._problems.note("finish", reason):
                    event(logging.WARNING, "exposures not finished", file=stream.path.name, reason=reason)
            else:
                stream.close()
        if ended and not self._ended and self._problems.end("finish"):
            event(logging.INFO, "exposures finished again", file=ended[-1].path.name)

    def _recover(self, between: Callable[[], None]) -> None:
        mine = {opened.stream.path for opened in self._open.values()} | {stream.path for stream in self._ended}
        for file in open_files(self._directory):
            if file.path in mine:
                continue
            try:
                done = recover_file(file.path, between)
            except Exception as error:
                if self._problems.note(file.path.name, reason := _reason(error)):
                    event(logging.WARNING, "exposures not recovered", file=file.path.name, reason=reason)
                continue
            self._problems.end(file.path.name)
            if done is not None:
                event(logging.INFO, "exposures recovered", file=file.path.name, rows=done.rows)

    def _delete(self) -> None:
        removed: list[Path] = []
        with suppress(OSError):  # a folder that cannot be changed is told when files cannot be written
            removed = self._retention.apply(self._directory)
        if removed:
            event(logging.INFO, "exposures deleted", files=len(removed), last=removed[-1].name)


def _reason(error: Exception) -> str:
    """What went wrong, without the name of a temporary file."""
    return str((isinstance(error, OSError) and error.strerror) or error)
