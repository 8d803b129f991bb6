"""Blocks of rows as bytes, for another process: Arrow's stream format with only the rows that a block has."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ranker.log_files.chunks import ArrowChunk
from ranker.log_files.lists import Block

Keys = NDArray[np.int64]


class PackedChunk(NamedTuple):
    """A chunk without its arrays, and these as streams."""

    source: str
    first: int
    number: int
    rows: int
    arrays: bytes
    kept: bytes


class PackedBlock(NamedTuple):
    """A block, and the keys [L] of its lists, if it has lists."""

    chunks: tuple[PackedChunk, ...]
    starts: NDArray[np.intp] | None
    keys: Keys | None

    @classmethod
    def of(cls, block: Block, keys: Keys | None = None) -> "PackedBlock":
        """Pack a block."""
        return cls(
            tuple(
                PackedChunk(c.source, c.first, c.number, c.rows, _stream(c.arrays), _stream(c.kept))
                for c in block.chunks
            ),
            block.starts,
            keys,
        )

    def unpacked(self) -> Block:
        """The block."""
        chunks = [
            ArrowChunk(c.source, c.first, c.number, c.rows, _arrays(c.arrays), _arrays(c.kept)) for c in self.chunks
        ]
        return Block(chunks, self.starts)


def table_bytes(table: pa.Table) -> bytes:
    """A table as a stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def table_of(content: bytes) -> pa.Table:
    """The table of a stream."""
    with pa.ipc.open_stream(pa.py_buffer(content)) as reader:
        return reader.read_all()


def _stream(arrays: Mapping[str, Any]) -> bytes:
    """Arrays [N] by column as a stream; without columns, nothing."""
    if not arrays:
        return b""
    names = list(arrays)
    held = [array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array for array in arrays.values()]
    return table_bytes(pa.Table.from_arrays(held, names))


def _arrays(content: bytes) -> dict[str, Any]:
    if not content:
        return {}
    table = table_of(content)
    return {name: _joined(table.column(place)) for place, name in enumerate(table.column_names)}


def _joined(column: pa.ChunkedArray) -> Any:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
