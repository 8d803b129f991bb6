"""Rows of a split without those that a task's ``given_conflicts: drop`` leaves out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from ranker.encoding import encode_labels, label_columns
from ranker.encoding.columns import Mask
from ranker.schema import Schema
from training.data.log_reader import Chunk
from training.data.split.held_out import Split


class Rows(Protocol):
    """Both sides of a split, as chunks of a log and the rows of each that are meant."""

    def training(self, columns: list[str], optional: Sequence[str] = ()) -> Iterator[tuple[Chunk, Mask]]:
        """Chunks with the rows to train on."""

    def validation(self, columns: list[str], optional: Sequence[str] = ()) -> Iterator[tuple[Chunk, Mask]]:
        """Chunks with the rows to validate on."""


@dataclass(frozen=True)
class _WithoutDropped:
    """Reads the labels beside whatever is asked for; ``optional`` label columns may be absent from some files."""

    rows: Split
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


def without_dropped(rows: Split, schema: Schema, optional: Sequence[str]) -> Rows:
    """``rows`` themselves where no task drops any."""
    drops = any(task.given_conflicts == "drop" for task in schema.tasks.values())
    return _WithoutDropped(rows, schema, tuple(optional)) if drops else rows
