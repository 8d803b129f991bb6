"""The second pass over a log: encodes the rows of one span with what the first pass has fitted, in any process.

Nothing is carried from span to span but sums, which are added up in the order of the spans: the rows, the weights and
the counts of labels. The first pass has decided all else: vocabularies, statistics, folds by value, and what days are
counted by. So the encoded rows depend neither on the number of processes nor on which of them encodes a span.
"""

import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ranker.encoding import Encoder, EncoderFitter, encode_weights
from ranker.encoding.columns import Mask
from ranker.log_files.log_reader import Chunk, DataError
from ranker.log_files.spans import Span
from ranker.rank_losses import LISTS
from training.config.experiment import Experiment
from training.data.batches import Batch, write_chunk
from training.data.days import DayClock
from training.data.encoded_chunks import arrays_of, labels_at, selected, taken, validation_batches
from training.data.folds import DayFolds, Folds
from training.data.grouping import GROUP, Grouping
from training.data.label_counts import LabelCounts
from training.data.positions import encode_positions
from training.data.split.held_out import Split
from training.progress_listener import Progress

Side: TypeAlias = Literal["training", "validation"]
STAGES: dict[Side, str] = {"training": "encode training rows", "validation": "encode validation rows"}


class Item(NamedTuple):
    """A span to encode: of the log, or of the separate validation files."""

    side: Side
    separate: bool
    place: int


class EncodedSpan(NamedTuple):
    """What has been encoded of a span.

    Attributes
    ----------
    files, rows
        The chunks' files in order, and the rows of each.
    weighed
        Sums of weights [T] of each chunk, if rows have weights.
    counts
        Labels of validation rows.
    read
        Rows read.
    """

    files: tuple[Path, ...]
    rows: tuple[int, ...]
    weighed: tuple[NDArray[np.float32], ...]
    counts: LabelCounts | None
    read: int


@dataclass(frozen=True)
class SecondPass:
    """Encodes spans; can be pickled.

    Attributes
    ----------
    folder
        Where chunks are written, each under a name that depends only on the span.
    split, refit
        The split log, and whether held-out rows are training rows, too.
    spans
        Spans of the log and of the separate validation files.
    columns, labels
        Columns to read for training rows, and those of labels, which a file may lack.
    """

    experiment: Experiment
    folder: Path
    split: Split
    refit: bool
    spans: tuple[tuple[Span, ...], tuple[Span, ...]]
    columns: tuple[str, ...]
    labels: tuple[str, ...]
    fitter: EncoderFitter
    encoder: Encoder
    folds: Folds | DayFolds
    clock: DayClock

    def items(self, side: Side) -> list[Item]:
        """All spans of a side, in order."""
        log, other = (len(spans) for spans in self.spans)
        if side == "validation" and self.split.other is not None:
            return [Item(side, True, index) for index in range(other)]
        own = [Item(side, False, index) for index in range(log)]
        more = other if self.refit and side == "training" else 0
        return own + [Item(side, True, index) for index in range(more)]

    def place(self, item: Item) -> str:
        """Name the file and the first row of a span."""
        log = self.split.other if item.separate else self.split.log
        assert log is not None, "only separate files are read as such"
        span = self.spans[int(item.separate)][item.place]
        return f"{log.paths()[span.file]}, from row {span.start}"

    def __call__(self, item: Item, progress: Progress | None = None) -> EncodedSpan:
        """Encode a span. Raises ``DataError``."""
        read = 0

        def count(stage: str, rows: int) -> None:
            nonlocal read
            read += rows
            if progress is not None:
                progress(stage, rows)

        counts = LabelCounts(self.experiment.log_schema) if item.side == "validation" else None
        chunks = self._training(item, count) if counts is None else self._validation(item, count, counts)
        files: list[Path] = []
        rows: list[int] = []
        weighed: list[NDArray[np.float32]] = []
        for arrays in chunks:
            name = f"{item.side}-{int(item.separate)}-{item.place:06d}-{len(files):06d}"
            files.append(self.folder / f"{name}.npz")
            rows.append(self._written(files[-1], arrays))
            if counts is None and "weights" in arrays:
                weighed.append(arrays["weights"].sum(axis=0))
        return EncodedSpan(tuple(files), tuple(rows), tuple(weighed), counts, read)

    def _written(self, file: Path, arrays: Batch) -> int:
        """Write a chunk under its name when it is whole, as another process may be writing the same one."""
        partial = file.with_name(f".{file.stem}-{socket.gethostname()}-{os.getpid()}.npz")
        rows = write_chunk(partial, arrays)
        partial.replace(file)
        return rows

    def _chunks(self, item: Item) -> Split:
        """The split of the span's rows alone."""
        log, other = self.spans
        if item.separate:
            assert self.split.other is not None, "only separate files are read as such"
            return replace(self.split, other=self.split.other.at(other, item.place))
        return replace(self.split, log=self.split.log.at(log, item.place), other=None)

    def _training(self, item: Item, progress: Progress) -> Iterator[Batch]:
        schema, lists = self.experiment.log_schema, self.experiment.list_column
        grouping = None if lists is None else Grouping(lists)
        split, columns = self._chunks(item), list(self.columns)
        sided = split.validation if item.separate else split.training
        for chunk, mask in selected(self._whole(sided(columns, self.labels)), progress, STAGES["training"]):
            labels, kept = labels_at(schema, chunk, mask)
            with chunk.naming_rows():
                fold, days = self.folds.of(chunk), self.clock.of(chunk)
            with chunk.naming_rows(kept):
                columns_kept = taken(chunk.columns, kept)
                arrays = arrays_of(self.fitter.encode(self.encoder, columns_kept, fold[kept], days[kept]), labels)
                weights = encode_weights(schema, columns_kept, labels)
                if grouping is not None:
                    arrays[LISTS] = grouping.of(columns_kept)
                arrays |= encode_positions(self.experiment, columns_kept)
            if weights is not None:
                arrays["weights"] = weights.astype(np.float32)
            yield arrays

    def _whole(self, chunks: Iterator[tuple[Chunk, Mask]]) -> Iterator[tuple[Chunk, Mask]]:
        return ((chunk, np.ones_like(mask) if self.refit else mask) for chunk, mask in chunks)

    def _validation(self, item: Item, progress: Progress, counts: LabelCounts) -> Iterator[Batch]:
        groups = {GROUP: self.experiment.evaluation.group_by, LISTS: self.experiment.list_column}
        rows, schema = self._chunks(item), self.experiment.log_schema
        for batch, _ in validation_batches(schema, self.encoder, rows, [], groups, progress, counts):
            yield batch


def spans_of(split: Split, counted: dict[str, int]) -> tuple[tuple[Span, ...], tuple[Span, ...]]:
    """Spans of the log and of the separate validation files; ``counted`` has the rows of files, by name."""
    other = [] if split.other is None else split.other.spans(counted)
    return tuple(split.log.spans(counted)), tuple(other)


def missing_files(spans: EncodedSpan) -> None:
    """Raise ``DataError`` if another machine has written the files of a span where this one does not see them."""
    for file in spans.files:
        if not file.exists():
            raise DataError(
                f"{file.parent.parent}: rows that other machines have encoded do not appear here; the output must lie "
                "on storage that all machines share, at the same path"
            )
