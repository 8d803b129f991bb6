"""Reads Arrow IPC streams within limits, with readable errors."""

import struct
from collections.abc import Callable
from typing import Any, NamedTuple

import pyarrow as pa
from flatbuffers import encode, number_types, packer
from flatbuffers.table import Table

END = b"\xff\xff\xff\xff\x00\x00\x00\x00"
"""End-of-stream marker; a stream without it may have been cut between two batches."""
MOST_BATCHES = 1000
EXPERIMENTAL = b"ARROW:experimental_compression"
"""Metadata key that marked compression before the format supported it; readers still accept it."""


class StreamError(ValueError):
    """Bytes that are not a readable stream of record batches; the message says why."""


class Stream(NamedTuple):
    """The columns of all batches together, with the schema's metadata."""

    metadata: dict[bytes, bytes]
    names: list[str]
    arrays: list[Any]


def read_stream(body: bytes, require_few: Callable[[int], None], most_columns: int) -> Stream:
    """Read and validate a stream; ``require_few`` gets the number of rows first and may refuse them.

    A stream may have at most ``most_columns`` columns, since refusing an unknown one costs more than its bytes.

    Raises ``StreamError``, also for a compressed stream: its size in memory would be unbounded.
    """
    buffer = pa.py_buffer(body)
    try:
        _check_messages(buffer, require_few, most_columns)
        if not body.endswith(END):
            raise StreamError("has no end-of-stream marker: it is cut off, or its writer was not closed")
        return _read(buffer)
    except (pa.ArrowException, OSError, UnicodeDecodeError, struct.error, IndexError) as error:
        raise StreamError(f"is not a valid Arrow IPC stream: {str(error)[:200]}") from None


def _read(buffer: Any) -> Stream:
    with pa.ipc.open_stream(buffer) as reader:
        schema, batches = reader.schema, list(reader)
    for batch in batches:
        batch.validate(full=True)
    if len(batches) == 1:
        arrays = batches[0].columns
    else:
        # Each batch may have its own dictionary.
        table = pa.Table.from_batches(batches, schema=schema).unify_dictionaries()
        arrays = [column.combine_chunks() for column in table.columns]
    return Stream(dict(schema.metadata or {}), schema.names, arrays)


def _check_messages(buffer: Any, require_few: Callable[[int], None], most_columns: int) -> None:
    """Check the metadata of all messages before reading their bodies."""
    rows = 0
    for number, message in enumerate(pa.ipc.MessageReader.open_stream(buffer)):
        if number > MOST_BATCHES:
            raise StreamError(f"has more than {MOST_BATCHES} batches: send the candidates in one batch")
        if message.type == "schema":
            _require_few_fields(message.metadata.to_pybytes(), most_columns)
        if message.type not in ("record batch", "dictionary"):
            continue
        metadata = message.metadata.to_pybytes()
        batch = _batch(metadata, message.type == "dictionary")
        if EXPERIMENTAL in metadata or (batch is not None and _offset(batch, COMPRESSION)):
            raise StreamError("has compressed buffers, which could expand without limit: send them uncompressed")
        if batch is not None and message.type == "record batch":
            rows += _length(batch)
            require_few(rows)


# Field numbers of the tables in Arrow's Message.fbs and Schema.fbs.
HEADER, DATA, LENGTH, COMPRESSION = 2, 1, 0, 3
FIELDS, METADATA, CHILDREN = 1, 2, 5


def _require_few_fields(metadata: bytes, most: int) -> None:
    """Raise ``StreamError`` if a schema has too many columns, metadata entries, or nested columns."""
    schema = _child(Table(metadata, encode.Get(packer.uoffset, metadata, 0)), HEADER)
    if schema is None:
        return
    columns, nested = _vector(schema, FIELDS), 0
    for count, kind in ((len(columns), "columns"), (len(_vector(schema, METADATA)), "metadata entries")):
        if count > most:
            raise StreamError(f"may have at most {most} {kind}, got {count}")
    further = [columns]
    while further:
        places = further.pop()
        nested += len(places)
        if nested > 4 * most:
            raise StreamError(f"may have at most {4 * most} columns, including nested ones")
        inner = [_vector(Table(metadata, _indirect(metadata, place)), CHILDREN) for place in places]
        further += [children for children in inner if children]


def _vector(table: Table, field: int) -> range:
    """Byte offsets of the entries of a vector of tables."""
    at = _offset(table, field)
    begin = table.Vector(at) if at else 0
    return range(begin, begin + 4 * table.VectorLen(at), 4) if at else range(0)


def _indirect(metadata: bytes, place: int) -> int:
    return place + int(encode.Get(packer.uoffset, metadata, place))


def _batch(metadata: bytes, of_dictionary: bool) -> Table | None:
    """The flatbuffers table of a record batch, which a dictionary batch wraps."""
    head = _child(Table(metadata, encode.Get(packer.uoffset, metadata, 0)), HEADER)
    return _child(head, DATA) if of_dictionary and head is not None else head


def _length(batch: Table) -> int:
    at = _offset(batch, LENGTH)
    return int(batch.Get(number_types.Int64Flags, batch.Pos + at)) if at else 0


def _child(table: Table, field: int) -> Table | None:
    at = _offset(table, field)
    return Table(table.Bytes, table.Indirect(table.Pos + at)) if at else None


def _offset(table: Table, field: int) -> int:
    return int(table.Offset(4 + 2 * field))
