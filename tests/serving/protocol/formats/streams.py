"""Requests as Arrow streams, from those that are JSON."""

import io
import json

import pyarrow as pa
import pyarrow.compute as pc

from serving.protocol.errors import RequestError
from serving.protocol.formats import ARROW, Exchange
from tests.serving.asking import answered

FROM_ARROW = Exchange(reads=ARROW)


def sent(table, **options):
    """What a client sends."""
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table)
    return sink.getvalue()


def table_of(body, **arrays):
    """A request's candidates as a table, some of them as other arrays, with the rest in its metadata."""
    rest = {name: value for name, value in body.items() if name != "candidates"}
    columns = {name: pa.array(values) for name, values in body["candidates"].items()}
    return pa.table({**columns, **arrays}, metadata={"request": json.dumps(rest)})


def problems(service, body, exchange):
    try:
        answered(service, body, exchange=exchange)
    except RequestError as error:
        return error.problems
    return []


def types_of(values):
    """The same strings in every type that holds strings."""
    plain = pa.array(values, pa.string())
    words = pc.unique(plain.drop_null())
    return {
        "string": plain,
        "large": plain.cast(pa.large_string()),
        "view": plain.cast(pa.string_view()),
        "dictionary": plain.dictionary_encode(),
        "small": pa.DictionaryArray.from_arrays(pc.index_in(plain, words).cast(pa.int8()), words),
        "nulls": pa.concat_arrays([pa.nulls(3, pa.string()), plain]).slice(3),
    }
