"""An embedding table in shards, each a variable of its own, so that no process needs to hold all of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ranker.lazy_tensorflow import Module, tf

BLOCK = 2**16
"""Rows that are written or drawn at once."""
VALUE = 4
"""Bytes of an entry."""


@dataclass(frozen=True)
class Partition:
    """Divides tables among ``servers`` by bytes: a shard has at least ``shard_bytes``, a server at most one of a table.

    Raises ``ValueError`` for numbers below 1.
    """

    servers: int
    shard_bytes: int

    def __post_init__(self) -> None:
        for name, value in (("servers", self.servers), ("shard_bytes", self.shard_bytes)):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")

    def shards(self, rows: int, width: int) -> list[int]:
        """Rows of each shard of a table: all as many, except that the last one may have fewer."""
        wanted = min(self.servers, rows, max(1, rows * width * VALUE // self.shard_bytes))
        size = -(-rows // wanted)
        return [min(size, rows - start) for start in range(0, rows, size)]


class ShardedTable(Module):
    """Rows [R, D] in consecutive shards of as many rows each, the last of which may have fewer.

    Look-ups fetch each row of a batch once, from its shard, and their gradients are of these rows alone.
    """

    def __init__(self, shards: Sequence[tf.Variable]) -> None:
        super().__init__()
        self.shards = list(shards)
        self.rows_per_shard = int(shards[0].shape[0])

    @property
    def shape(self) -> tf.TensorShape:
        """Shape of the whole table."""
        return tf.TensorShape([sum(int(part.shape[0]) for part in self.shards), *self.shards[0].shape[1:]])

    def gather(self, ids: tf.Tensor) -> tf.Tensor:
        """The rows of ids of any shape: [..., D]."""
        wanted, places = tf.unique(tf.reshape(ids, [-1]))
        if len(self.shards) == 1:
            found = _rows_at(self.shards[0], wanted)
        else:
            shard, count = wanted // self.rows_per_shard, len(self.shards)
            inside = tf.dynamic_partition(wanted % self.rows_per_shard, shard, count)
            order = tf.dynamic_partition(tf.range(tf.size(wanted)), shard, count)
            parts = [_rows_at(part, rows) for part, rows in zip(self.shards, inside, strict=True)]
            found = tf.dynamic_stitch(order, parts)
        gathered = tf.gather(found, places)
        width = self.shards[0].shape[1:]
        return tf.ensure_shape(tf.reshape(gathered, [*_sizes(ids), *width]), [*ids.shape, *width])

    def pieces(self, start: int, end: int) -> Iterator[tuple[tf.Variable, int, int]]:
        """The shards that hold rows ``start`` to ``end``, and the first and the last but one of them in each."""
        for number in range(start // self.rows_per_shard, len(self.shards)):
            first = number * self.rows_per_shard
            if first >= end:
                return
            part = self.shards[number]
            yield part, max(start - first, 0), min(end - first, int(part.shape[0]))


Table: TypeAlias = "tf.Variable | ShardedTable"


def parts_of(table: Table) -> list[tf.Variable]:
    """The variables that a table is made of."""
    return table.shards if isinstance(table, ShardedTable) else [table]


def gathered(table: Table | tf.Tensor, ids: tf.Tensor) -> tf.Tensor:
    """Rows [..., D] of ids [...]."""
    return table.gather(ids) if isinstance(table, ShardedTable) else tf.gather(table, ids)


def rows_of(table: Table, start: int, end: int) -> NDArray[np.float32]:
    """Rows ``start`` to ``end``; a slice would copy the variable, once it was trained by sparse updates."""
    pieces = table.pieces(start, end) if isinstance(table, ShardedTable) else [(table, start, end)]
    found = [_rows_at(part, tf.range(first, last)).numpy() for part, first, last in pieces]
    rows: NDArray[np.float32] = found[0] if len(found) == 1 else np.concatenate(found)
    return rows


def put_rows(table: Table, start: int, rows: NDArray[np.floating[Any]]) -> None:
    """Overwrite the rows from ``start`` on."""
    end, done = start + len(rows), 0
    pieces = table.pieces(start, end) if isinstance(table, ShardedTable) else [(table, start, end)]
    for part, first, last in pieces:
        _put(part, first, last, tf.constant(rows[done : done + last - first], part.dtype))
        done += last - first


def scatter_rows(table: Table, places: NDArray[np.integer[Any]], rows: NDArray[np.floating[Any]]) -> None:
    """Overwrite the rows at distinct ``places``, in ascending order."""
    first = 0
    for part in parts_of(table):
        last = first + int(part.shape[0])
        own = slice(*np.searchsorted(places, [first, last]).tolist())
        if own.start < own.stop:
            with tf.device(part.device):
                values = tf.constant(rows[own], part.dtype)
                part.scatter_update(tf.IndexedSlices(values, tf.constant(places[own] - first)))
        first = last


def blocks(rows: int) -> Iterator[tuple[int, int]]:
    """Bounds of the blocks in which many rows are read and written."""
    return ((start, min(start + BLOCK, rows)) for start in range(0, rows, BLOCK))


def draw(table: ShardedTable, scale: float, seed: Sequence[int]) -> None:
    """Draw all rows anew, uniformly from -scale to scale, each shard where it lies.

    Equal seeds, the second of them below 2**20, give equal rows, whatever the number of shards.
    """
    width, first = int(table.shape[1]), 0
    for part in table.shards:
        rows, start = int(part.shape[0]), 0
        while start < rows:
            block, skipped = divmod(first + start, BLOCK)
            end = min(start + BLOCK - skipped, rows)
            with tf.device(part.device):
                drawn = tf.random.stateless_uniform(
                    [BLOCK, width], seed=[seed[0], seed[1] + (block << 20)], minval=-scale, maxval=scale
                )
                _put(part, start, end, drawn[skipped : skipped + end - start])
            start = end
        first += rows


def _rows_at(part: tf.Variable, rows: tf.Tensor) -> tf.Tensor:
    """Rows of a variable, looked up where it lies."""
    with tf.device(part.device):
        return part.sparse_read(rows)


def _put(part: tf.Variable, start: int, end: int, rows: tf.Tensor) -> None:
    with tf.device(part.device):
        tf.raw_ops.ResourceStridedSliceAssign(ref=part.handle, begin=[start], end=[end], strides=[1], value=rows)


def _sizes(ids: tf.Tensor) -> list[Any]:
    known, now = ids.shape.as_list(), tf.shape(ids)
    return [now[axis] if size is None else size for axis, size in enumerate(known)]
