"""Blocks and tables survive the way to another process, with only their own rows."""

import pickle

import numpy as np
import pyarrow as pa

from ranker.log_files.chunks import ArrowChunk
from ranker.log_files.lists import Block
from ranker.prediction.wire import PackedBlock, table_bytes, table_of

TABLE = pa.table(
    {
        "id": pa.array(range(10_000)),
        "text": pa.array([f"v{i % 7}" for i in range(10_000)]).dictionary_encode(),
        "tags": pa.array([[i, i + 1] if i % 3 else None for i in range(10_000)]),
    }
)


def chunk(start, stop, kept):
    arrays = {name: TABLE[name].combine_chunks() for name in TABLE.column_names}
    whole = ArrowChunk("a.parquet", 0, 500, 10_000, arrays, {name: arrays[name] for name in kept})
    return whole.rows_from(start, stop)


def test_a_block_arrives_with_its_own_rows_alone():
    block = Block([chunk(20, 30, ["text"]), chunk(30, 35, ["text"])], np.array([0, 4, 12]))
    packed = pickle.dumps(PackedBlock.of(block, np.array([7, 8, 9])))
    assert len(packed) < 12_000
    found = pickle.loads(packed)
    assert found.keys.tolist() == [7, 8, 9]
    arrived = found.unpacked()
    assert (arrived.rows, arrived.end, arrived.starts.tolist()) == (15, 535, [0, 4, 12])
    assert arrived.place(11) == "a.parquet, row 31"
    for one, other in zip(arrived.chunks, block.chunks, strict=True):
        assert list(one.arrays) == TABLE.column_names
        assert {name: array.to_pylist() for name, array in one.arrays.items()} == {
            name: array.to_pylist() for name, array in other.arrays.items()
        }
        assert one.kept["text"].to_pylist() == other.kept["text"].to_pylist()
        assert one.arrays["text"].type == TABLE["text"].type


def test_a_block_without_columns_or_lists_keeps_its_rows():
    block = Block([ArrowChunk("a", 1, 2, 3, {}, {})])
    arrived = PackedBlock.of(block).unpacked()
    assert (arrived.rows, arrived.starts, arrived.chunks[0].arrays) == (3, None, {})


def test_a_table_arrives_as_it_was():
    assert table_of(table_bytes(TABLE.slice(5, 100))).equals(TABLE.slice(5, 100))
    assert table_of(table_bytes(TABLE.slice(0, 0))).schema == TABLE.schema
