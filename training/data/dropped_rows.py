"""Rows of a split without those dropped by a task's ``given_conflicts: drop``."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from ranker.encoding import encode_labels, label_columns
from ranker.encoding.columns import Mask
from ranker.log_files.log_reader import Chunk
from ranker.schema import Schema


class Rows(Protocol):
    """Both sides of a split, as chunks of a log with a row mask each."""

    def training(self, columns: list[str], optional: Sequence[str] = ()) -> Iterator[tuple[Chunk, Mask]]:
        """Chunks with masks of the rows to train on."""

    def validation(self, columns: list[str], optional: Sequence[str] = ()) -> Iterator[tuple[Chunk, Mask]]:
        """Chunks with masks of the rows to validate on."""


@dataclass(frozen=True)
class _WithoutDropped:
    """Reads the labels along with the requested columns; some files may lack ``optional`` label columns."""

    rows: Rows
    schema: Schema
    optional: tuple[str, ...]

    def training(self, columns: list[str], optional: Sequence[str] = ()) -> Iterator[tuple[Chunk, Mask]]:
        return self._kept(self.rows.training(self._with_labels(columns), [*optional, *self.optional]))

    def validation(self, columns: list[str], optional: Sequence[str] = ()) -> Iterator[tuple[Chunk, Mask]]:
        return self._kept(self.rows.validation(self._with_labels(columns), [*optional, *self.optional]))

    def _with_labels(self, columns: list[str]) -> list[str]:
        return list(dict.fromkeys([*columns, *label_columns(self.schema)]))

    def _kept(self, chunks: Iterator[tuple[Chunk, Mask]]) -> Iterator[tuple[Chunk, Mask]]:
        for chunk, mask in chunks:
            with chunk.naming_rows():
                labels = encode_labels(self.schema, chunk.columns)
            yield chunk, mask & ~labels.dropped


def without_dropped(rows: Rows, schema: Schema, optional: Sequence[str]) -> Rows:
    """Filter out dropped rows; returns ``rows`` unchanged if no task drops any."""
    drops = any(task.given_conflicts == "drop" for task in schema.tasks.values())
    return _WithoutDropped(rows, schema, tuple(optional)) if drops else rows
