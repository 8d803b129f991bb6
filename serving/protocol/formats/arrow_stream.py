"""Bytes -> the record batches of an Arrow IPC stream, or a plain word about what is wrong with them."""

import struct
from collections.abc import Callable
from typing import Any, NamedTuple

import pyarrow as pa
from flatbuffers import encode, number_types, packer
from flatbuffers.table import Table

END = b"\xff\xff\xff\xff\x00\x00\x00\x00"
"""What ends a stream; one without it may have been cut short between two batches."""
MOST_BATCHES = 1000
EXPERIMENTAL = b"ARROW:experimental_compression"
"""How compression was marked before the format had it; readers still know it."""


class StreamError(ValueError):
    """Bytes that are no stream of record batches that can be read; its text says why."""


class Stream(NamedTuple):
    """The columns of all batches together, with the schema's metadata."""

    metadata: dict[bytes, bytes]
    names: list[str]
    arrays: list[Any]


def read_stream(body: bytes, require_few: Callable[[int], None], most_columns: int) -> Stream:
    """Read and validate a stream; ``require_few`` is told the number of rows beforehand and may refuse them.

    A stream may have ``most_columns`` columns: reading one and refusing its name costs more than its bytes.

    Raises ``StreamError``. Nothing is unpacked, so that what is read is no larger than what was sent.
    """
    buffer = pa.py_buffer(body)
    try:
        _look_through(buffer, require_few, most_columns)
        if not body.endswith(END):
            raise StreamError("ends without an end-of-stream mark: it is cut short, or its writer was not closed")
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
        # Each batch may have brought a dictionary of its own.
        table = pa.Table.from_batches(batches, schema=schema).unify_dictionaries()
        arrays = [column.combine_chunks() for column in table.columns]
    return Stream(dict(schema.metadata or {}), schema.names, arrays)


def _look_through(buffer: Any, require_few: Callable[[int], None], most_columns: int) -> None:
    """Look at the messages' heads before anything is made of their bodies."""
    rows = 0
    for number, message in enumerate(pa.ipc.MessageReader.open_stream(buffer)):
        if number > MOST_BATCHES:
            raise StreamError(f"has more than {MOST_BATCHES} batches: send the candidates in one")
        if message.type == "schema":
            _require_few_fields(message.metadata.to_pybytes(), most_columns)
        if message.type not in ("record batch", "dictionary"):
            continue
        metadata = message.metadata.to_pybytes()
        batch = _batch(metadata, message.type == "dictionary")
        if EXPERIMENTAL in metadata or (batch is not None and _offset(batch, COMPRESSION)):
            raise StreamError("is compressed within: send it as it is, since nobody can say how large it unpacks")
        if batch is not None and message.type == "record batch":
            rows += _length(batch)
            require_few(rows)


# Fields of the tables in Arrow's Message.fbs, by their places there.
HEADER, DATA, LENGTH, COMPRESSION = 2, 1, 0, 3
FIELDS, METADATA, CHILDREN = 1, 2, 5


def _require_few_fields(metadata: bytes, most: int) -> None:
    """Raise ``StreamError`` where a schema has too many columns, or as many entries of metadata or nested columns."""
    schema = _child(Table(metadata, encode.Get(packer.uoffset, metadata, 0)), HEADER)
    if schema is None:
        return
    columns, nested = _vector(schema, FIELDS), 0
    for count, kind in ((len(columns), "columns"), (len(_vector(schema, METADATA)), "entries of metadata")):
        if count > most:
            raise StreamError(f"may have at most {most} {kind}, got {count}")
    further = [columns]
    while further:
        places = further.pop()
        nested += len(places)
        if nested > 4 * most:
            raise StreamError(f"may have at most {4 * most} columns, nested ones included")
        inner = [_vector(Table(metadata, _indirect(metadata, place)), CHILDREN) for place in places]
        further += [found for found in inner if found]


def _vector(table: Table, field: int) -> range:
    """Places of the entries of a vector of tables."""
    at = _offset(table, field)
    begin = table.Vector(at) if at else 0
    return range(begin, begin + 4 * table.VectorLen(at), 4) if at else range(0)


def _indirect(metadata: bytes, place: int) -> int:
    return place + int(encode.Get(packer.uoffset, metadata, place))


def _batch(metadata: bytes, of_dictionary: bool) -> Table | None:
    """The table that describes a batch's buffers."""
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
