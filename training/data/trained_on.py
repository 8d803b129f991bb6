"""What an artifact remembers of the rows it was trained on, and which rows of a log are among them.

An artifact keeps each file's name without its folder, its size and a SHA-256 of its ends, and of a split by time the
time of its training rows. None of it tells a value of the log but the first time and the first held-out one.
"""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ranker.artifact import Artifact
from ranker.config.closed import Closed
from training.config.experiment import Experiment, SplitAtRandom, SplitByFiles, SplitByGroup, SplitByTime
from training.data.log_reader import Chunk, DataError, Log
from training.data.split.held_out import Split, split
from training.data.split.time_column import Kind, TimeColumn, shown
from training.data.split.time_units import unit_of

ENDS = 65_536
"""Bytes of each end of a file that its digest covers; a Parquet file's last ones describe all of it."""


class SeenFile(Closed):
    """A file of the log."""

    name: str = Field(description="Without its folder.")
    size: int = Field(description="Bytes.")
    digest: str = Field(description="SHA-256 of the size and the first and last 64 KiB.")

    @property
    def content(self) -> tuple[int, str]:
        """Equal for files of one content, whatever their names."""
        return self.size, self.digest


class SeenTime(Closed):
    """The time of the training rows: microseconds of UTC since 1970 for instants, else the column's numbers."""

    column: str
    kind: Kind
    first: int | float
    end: int | float = Field(description="Where held-out rows begin; training rows are before it.")

    def values(self, times: TimeColumn, chunk: Chunk) -> NDArray[Any]:
        """Times [N] of a chunk. Raises ``DataError`` where they are of another kind."""
        found = times.of(chunk)
        if found.kind != self.kind:
            raise DataError(
                f"{chunk.source}, column {self.column!r}: holds {found.kind}s where the log that the model was trained "
                f"on held {self.kind}s"
            )
        unit, trained = unit_of(float(np.median(found.values))) if chunk.rows else None, unit_of(self.end)
        if found.kind == "number" and None not in (unit, trained) and unit != trained:
            raise DataError(
                f"{chunk.source}, column {self.column!r}: looks like {unit} since 1970, where the log that the model "
                f"was trained on held {trained}"
            )
        return found.values


class TrainedOn(Closed):
    """Files of the log that a model was trained on, and the time of its training rows if they were split by time."""

    files: tuple[SeenFile, ...] = Field(description="In the order they were read.")
    time: SeenTime | None = None


def trained_on(rows: Split) -> TrainedOn:
    """What an artifact remembers of a split log."""
    time, found = None, rows.window
    if found is not None:
        time = SeenTime(column=found.column, kind=found.kind, first=found.low, end=found.start)
    return TrainedOn(files=_files(rows.log), time=time)


def held_out(artifact: Artifact, log: Log) -> Split:
    """A log split as the artifact's own was; by time, where the artifact's held-out rows began.

    Raises ``DataError`` for a random split of other files: it goes by the place of a row in the log.
    """
    experiment, seen = _remembered(artifact)
    rule, seed = experiment.data.split, experiment.training.seed
    if seen is None or not isinstance(rule, SplitByTime | SplitAtRandom):
        return split(log, rule, seed)
    if isinstance(rule, SplitAtRandom):
        if seen.files and [file.content for file in _files(log)] != [file.content for file in seen.files]:
            raise DataError(
                "data.split by: random goes by the place of a row in the log, so its held-out rows can be found "
                f"only in the same files in the same order: {_listed([file.name for file in seen.files])}"
            )
        return split(log, rule, seed)
    time = seen.time
    assert time is not None
    times = TimeColumn(time.column, rule.format)
    return Split(log, lambda chunk: time.values(times, chunk) >= time.end, columns=(time.column,))


def overlap(artifact: Artifact, log: Log) -> list[str]:
    """Cautions about rows of a log that the artifact was trained on; reads the time column of a split by time."""
    experiment, seen = _remembered(artifact)
    if seen is None:
        return ["caution: the artifact does not say which rows it was trained on; its metrics on those are too good"]
    rule = experiment.data.split
    if isinstance(rule, SplitByTime) and seen.time is not None:
        try:
            return _in_time(seen.time, TimeColumn(seen.time.column, rule.format), log)
        except DataError as error:
            unknown = f"caution: whether the model was trained on rows of this time is not known: {error}"
            return [unknown, *_in_files(seen, experiment, log)]
    return _in_files(seen, experiment, log)


def _remembered(artifact: Artifact) -> tuple[Experiment, TrainedOn | None]:
    manifest = artifact.manifest
    seen = TrainedOn.model_validate(manifest.trained_on) if manifest.trained_on else None
    return Experiment.model_validate(manifest.experiment), seen


def _in_time(time: SeenTime, times: TimeColumn, log: Log) -> list[str]:
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
        f"caution: {inside:,} of {total:,} rows ({inside / total:.1%}) are of the time that the model was trained on "
        f"({window}): metrics on rows that were trained on are too good. With --validation the rows that were held "
        "out are measured alone."
    ]


def _in_files(seen: TrainedOn, experiment: Experiment, log: Log) -> list[str]:
    known = {file.content for file in seen.files}
    names = [file.name for file in _files(log) if file.content in known]
    if not names:
        return []
    rule, share = experiment.data.split, ""
    if isinstance(rule, SplitAtRandom | SplitByGroup):
        share = f", on about {1 - rule.fraction:.0%} of the rows"
    hint = "" if isinstance(rule, SplitByFiles) else " of these files"
    return [
        f"caution: the model was trained on {_listed(names)}{share}: metrics on rows that were trained on are too "
        f"good. With --validation the rows{hint} that were held out are measured alone."
    ]


def _listed(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if names[5:] else "")


def _files(log: Log) -> tuple[SeenFile, ...]:
    return tuple(_seen(Path(path)) for path in log.paths())


def _seen(path: Path) -> SeenFile:
    size = path.stat().st_size
    found = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        found.update(file.read(ENDS))
        file.seek(max(size - ENDS, 0))
        found.update(file.read(ENDS))
    return SeenFile(name=path.name, size=size, digest=found.hexdigest())
