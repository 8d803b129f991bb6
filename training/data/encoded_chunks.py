"""Rows of a chunk -> arrays: labels, packed inputs, groups."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ranker.encoding import Column, Encoder, Labels, Packed, Ragged, Text, encode_labels, label_columns
from ranker.encoding.columns import Mask
from ranker.log_files.log_reader import Chunk
from ranker.schema import Schema
from training.data.batches import Batch
from training.data.dropped_rows import Rows
from training.data.every_row import EveryRow
from training.data.grouping import Grouping
from training.data.label_counts import LabelCounts
from training.progress_listener import Progress

VALIDATION = "encode validation rows"


def selected(chunks: Iterator[tuple[Chunk, Mask]], progress: Progress, stage: str) -> Iterator[tuple[Chunk, Mask]]:
    """Chunks with a selected row; reports all that are read."""
    for chunk, mask in chunks:
        if mask.any():
            yield chunk, mask
        progress(stage, chunk.rows)


def labels_at(schema: Schema, chunk: Chunk, mask: Mask, counts: LabelCounts | None = None) -> tuple[Labels, Mask]:
    """Count the labels of a chunk's rows; return the labels and mask of the rows that are not dropped."""
    with chunk.naming_rows():
        labels = encode_labels(schema, chunk.columns)
    if counts is not None:
        counts.add(labels.at(mask))
    kept = mask & ~labels.dropped
    return labels.at(kept), kept


def taken(columns: Any, mask: Mask) -> dict[str, Column]:
    """Rows [N] of columns where ``mask`` is true."""
    return dict(columns) if mask.all() else {name: _rows(column, mask) for name, column in columns.items()}


def arrays_of(packed: Packed, labels: Labels) -> Batch:
    """The arrays of a chunk by name, without those that have no column."""
    arrays: Batch = {name: array for name, array in packed._asdict().items() if array.shape[1]}
    arrays["labels"] = labels.values.astype(np.float32)
    arrays["known"] = labels.known.astype(np.float32)
    return arrays


def columns_of(schema: Schema, more: list[str]) -> list[str]:
    """Columns that a schema reads, inputs within lists among them, and ``more``, without repeats."""
    return list(dict.fromkeys([*schema.encoded_columns(), *label_columns(schema), *more]))


def labels_of(schema: Schema) -> list[str]:
    """Label columns that nothing else needs; a file may lack one, and then has no labels for that task."""
    needed = {*schema.input_columns(), *(task.mask for task in schema.tasks.values())}
    return [column for column in label_columns(schema) if column not in needed]


def validation_batches(
    schema: Schema,
    encoder: Encoder,
    rows: Rows,
    more: list[str],
    groups: Mapping[str, str | None],
    progress: Progress,
    counts: LabelCounts | None,
) -> Iterator[tuple[Batch, dict[str, Column]]]:
    """The validation rows, encoded and raw; ``groups`` has columns of keys by the name of their array."""
    grouping = {name: Grouping(column) for name, column in groups.items() if column}
    columns = columns_of(schema, [*(column for column in groups.values() if column), *more])
    stage = "encode" if isinstance(rows, EveryRow) else VALIDATION
    chunks = selected(rows.validation(columns, labels_of(schema)), progress, stage)
    yield from _encoded(schema, encoder, chunks, grouping, counts)


def _encoded(
    schema: Schema,
    encoder: Encoder,
    chunks: Iterator[tuple[Chunk, Mask]],
    grouping: Mapping[str, Grouping],
    counts: LabelCounts | None = None,
) -> Iterator[tuple[Batch, dict[str, Column]]]:
    """The selected rows of each chunk, encoded and raw."""
    for chunk, mask in chunks:
        labels, kept = labels_at(schema, chunk, mask, counts)
        columns = taken(chunk.columns, kept)
        with chunk.naming_rows(kept):
            encoder.times.check(schema, columns, numbers=False)
            arrays = arrays_of(encoder.encode(columns, columns), labels)
            arrays |= {name: keys.of(columns) for name, keys in grouping.items()}
        yield arrays, columns


def _rows(column: Column, mask: Mask) -> Column:
    if isinstance(column, Ragged):
        lengths = np.diff(column.offsets)
        values = _rows(column.values, np.repeat(mask, lengths))
        return Ragged(values, np.concatenate([[0], np.cumsum(lengths[mask])]))
    if isinstance(column, np.ndarray | Text):
        return column[mask]
    return [value for value, keep in zip(column, mask.tolist(), strict=True) if keep]
