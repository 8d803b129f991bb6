"""Records which data an artifact was trained on, and detects overlap of a log with it.

An artifact stores each file's name without its folder, its size and a SHA-256 of its ends, and for a split by time the
time range of its training rows. The only log values it reveals are the first time and the first held-out time.
"""

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ranker.artifact import Artifact
from ranker.config.closed import Closed
from ranker.log_files.log_reader import Chunk, DataError, Log
from ranker.remote_files import Location, located
from training.config.data import SplitAtRandom, SplitByFiles, SplitByGroup, SplitByTime
from training.config.experiment import Experiment
from training.data.split.held_out import Split, split
from training.data.split.time_column import Kind, TimeColumn, shown
from training.data.split.time_units import unit_of

ENDS = 65_536
"""Bytes hashed at each end of a file; the end of a Parquet file holds its metadata."""
MOST_FILES = 400
"""Files that a chain of fits remembers."""


class SeenFile(Closed):
    """A file of the log."""

    name: str = Field(description="File name without its folder.")
    size: int = Field(description="Size in bytes.")
    digest: str = Field(description="SHA-256 of the size and the first and last 64 KiB.")

    @property
    def content(self) -> tuple[int, str]:
        """Identifies the content, regardless of the name."""
        return self.size, self.digest


class SeenTime(Closed):
    """Time range of the training rows: UTC microseconds since 1970 for instants, else the column's numbers."""

    column: str
    kind: Kind
    first: int | float
    end: int | float = Field(
        description="Training rows are earlier: the time of the first held-out row, or after the last row of a refit."
    )
    start: int | float | None = Field(None, description="Of a refit: time of the first row that was held out before.")

    def values(self, times: TimeColumn, chunk: Chunk) -> NDArray[Any]:
        """Times [N] of a chunk. Raises ``DataError`` if they are of another kind or unit."""
        read = times.of(chunk)
        if read.kind != self.kind:
            raise DataError(
                f"{chunk.source}, column {self.column!r}: holds {read.kind}s, but the model was trained on {self.kind}s"
            )
        unit, trained = unit_of(float(np.median(read.values))) if chunk.rows else None, unit_of(self.end)
        if read.kind == "number" and None not in (unit, trained) and unit != trained:
            raise DataError(
                f"{chunk.source}, column {self.column!r}: looks like {unit} since 1970, but the model was trained on "
                f"{trained}"
            )
        return read.values


class TrainedOn(Closed):
    """Files that a model was trained on, and the time range of its training rows for a split by time."""

    files: tuple[SeenFile, ...] = Field(description="Files in reading order.")
    time: SeenTime | None = None
    earlier: tuple[SeenFile, ...] = Field((), description="Files of the fits that this one carries on, oldest first.")
    refit: bool = Field(False, description="Whether the held-out rows were trained on, too, after the first training.")

    def all_files(self) -> tuple[SeenFile, ...]:
        """Files of this fit and the earlier ones, each content once, oldest first: the last :data:`MOST_FILES`."""
        by_content: dict[tuple[int, str], SeenFile] = {}
        for file in reversed((*self.earlier, *self.files)):
            by_content.setdefault(file.content, file)
        return tuple(reversed([*by_content.values()][:MOST_FILES]))


def trained_on(rows: Split, earlier: tuple[SeenFile, ...] = (), refit: bool = False) -> TrainedOn:
    """The record of a split log for an artifact; ``earlier`` are files of the fits that it carries on.

    With ``refit``, the model was trained on the held-out rows, too.
    """
    time, found, files = None, rows.window, _files(rows.log)
    if found is not None:
        after, before = (_after(found.high), found.start) if refit else (found.start, None)
        time = SeenTime(column=found.column, kind=found.kind, first=found.low, end=after, start=before)
    if refit and rows.other is not None:
        files += _files(rows.other)
    return TrainedOn(files=files, time=time, earlier=earlier, refit=refit)


def _after(time: float) -> float:
    """The least time after this one: an integer, or the next float."""
    return time + 1 if isinstance(time, int) else float(np.nextafter(time, np.inf))


def held_out(artifact: Artifact, log: Log) -> Split:
    """Split a log as the artifact's training log was split; by time, at the same time.

    Of a refitted model, only rows after all those of its log are held out. Raises ``DataError`` for a random split of
    other files, because it depends on row positions, and for a refitted model that was not split by time.
    """
    check_held_out(artifact)
    return first_split(artifact, log, refit=True)


def check_held_out(artifact: Artifact) -> None:
    """Raise ``DataError`` if a refit trained on all rows that the artifact's split holds out, whatever the log."""
    _, seen = _remembered(artifact)
    if seen is not None and seen.refit and seen.time is None:
        raise DataError(
            f"{artifact.folder}: no row is held out: the model was trained again on all rows (training.refit), and its "
            "metrics are those of the first training, in manifest.json. Use rows of a log that it was not trained on"
        )


def first_split(artifact: Artifact, log: Log, *, refit: bool = False) -> Split:
    """Split a log as before the artifact's first training; with ``refit``, by time, at the end of a refit's rows.

    Raises ``DataError`` for a random split of other files.
    """
    experiment, seen = _remembered(artifact)
    rule, seed = experiment.data.split, experiment.training.seed
    if seen is None or not isinstance(rule, SplitByTime | SplitAtRandom):
        return split(log, rule, seed)
    if isinstance(rule, SplitAtRandom):
        if seen.files and [file.content for file in _files(log)] != [file.content for file in seen.files]:
            raise DataError(
                "data.split by: random depends on row positions, so its held-out rows can be found only in the same "
                f"files in the same order: {_listed([file.name for file in seen.files])}"
            )
        return split(log, rule, seed)
    time = seen.time
    assert time is not None
    times = TimeColumn(time.column, rule.format)
    start = time.end if refit or time.start is None else time.start
    return Split(log, lambda chunk: time.values(times, chunk) >= start, columns=(time.column,))


def none_held_out(artifact: Artifact) -> str:
    """What to say if a log has no row that the artifact's split holds out."""
    text, seen = "the data has no row that the artifact's split holds out", _remembered(artifact)[1]
    if seen is None or not seen.refit or seen.time is None:
        return text
    last = shown(seen.time.end, seen.time.kind)
    return f"{text}: the model was trained again on all rows before {last} of {seen.time.column!r} (training.refit)"


def overlap(artifact: Artifact, log: Log) -> list[str]:
    """Warnings about rows of a log that the artifact was trained on; for a split by time, reads the time column.

    Of the fits that it carries on, it knows the files only.
    """
    experiment, seen = _remembered(artifact)
    if seen is None:
        return ["caution: the artifact does not say which rows it was trained on; metrics on those are too good"]
    return [*_in_own(seen, experiment, log), *_in_earlier(seen, log)]


def _in_own(seen: TrainedOn, experiment: Experiment, log: Log) -> list[str]:
    rule = experiment.data.split
    if isinstance(rule, SplitByTime) and seen.time is not None:
        try:
            return _in_time(seen, seen.time, TimeColumn(seen.time.column, rule.format), log)
        except DataError as error:
            unknown = f"caution: cannot tell whether the model was trained on rows of this time: {error}"
            return [unknown, *_in_files(seen, experiment, log)]
    return _in_files(seen, experiment, log)


def _remembered(artifact: Artifact) -> tuple[Experiment, TrainedOn | None]:
    manifest = artifact.manifest
    seen = TrainedOn.model_validate(manifest.trained_on) if manifest.trained_on else None
    return Experiment.model_validate(manifest.experiment), seen


def _in_time(seen: TrainedOn, time: SeenTime, times: TimeColumn, log: Log) -> list[str]:
    inside = total = 0
    for chunk in log.chunks([time.column]):
        if chunk.rows:
            values = time.values(times, chunk)
            inside += int(np.count_nonzero((values >= time.first) & (values < time.end)))
            total += chunk.rows
    if not inside:
        return []
    window = f"{time.column} from {shown(time.first, time.kind)} to before {shown(time.end, time.kind)}"
    return [
        f"caution: {inside:,} of {total:,} rows ({inside / total:.1%}) are from the time range that the model was "
        f"trained on ({window}), so metrics are too good. {_advice(seen)}"
    ]


def _in_files(seen: TrainedOn, experiment: Experiment, log: Log) -> list[str]:
    known = {file.content for file in seen.files}
    names = [file.name for file in _files(log) if file.content in known]
    if not names:
        return []
    rule, share = experiment.data.split, ""
    if isinstance(rule, SplitAtRandom | SplitByGroup) and not seen.refit:
        share = f", on about {1 - rule.fraction:.0%} of the rows"
    hint = "" if isinstance(rule, SplitByFiles) else " of these files"
    return [
        f"caution: the model was trained on {_listed(names)}{share}: metrics on those rows are too good. "
        f"{_advice(seen, hint)}"
    ]


def _advice(seen: TrainedOn, of: str = "") -> str:
    if not seen.refit:
        return f"--validation evaluates only held-out rows{of}."
    return "A refit trained on the held-out rows, too (training.refit)."


def _in_earlier(seen: TrainedOn, log: Log) -> list[str]:
    known = {file.content for file in seen.earlier} - {file.content for file in seen.files}
    names = [file.name for file in _files(log) if file.content in known] if known else []
    if not names:
        return []
    return [
        f"caution: an earlier fit, which the model carries on, was trained on {_listed(names)}: metrics on those rows "
        "are too good"
    ]


def _listed(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if names[5:] else "")


def _files(log: Log) -> tuple[SeenFile, ...]:
    return tuple(_seen(located(path)) for path in log.paths())


def _seen(path: Location) -> SeenFile:
    size = path.stat().st_size
    sha256 = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        sha256.update(file.read(ENDS))
        file.seek(max(size - ENDS, 0))
        sha256.update(file.read(ENDS))
    return SeenFile(name=path.name, size=size, digest=sha256.hexdigest())
