"""Arrow IPC streams: candidates are record batches; the rest of a request is JSON in the schema's metadata."""

from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray

from ranker.arrow_columns import ColumnTooLargeError, ColumnTypeError, Limits, to_column
from ranker.encoding import Column, ColumnError, Ragged, Text
from ranker.registry import nearest
from serving.protocol.bounds import Bounds
from serving.protocol.column_types import Expected
from serving.protocol.errors import RequestError
from serving.protocol.formats.arrow_columns import fits
from serving.protocol.formats.arrow_stream import Stream, StreamError, read_stream
from serving.protocol.formats.base import READERS, WRITERS, Answer, Opened
from serving.protocol.formats.json_parsing import parsed
from serving.protocol.messages import RankRequest
from serving.protocol.validation import RequestChecker, require_few, short

ARROW = "application/vnd.apache.arrow.stream"
LIMITS = Limits()
MOST_LISTED = 2**18
"""Most values of an invalid list column that are checked one by one to find the invalid ones."""
REQUEST, RANKING = "request", "ranking"
"""Metadata keys of a request without its candidates, and of an answer without its columns."""


@READERS.register(ARROW)
class ArrowReader:
    """Checks columns as arrays; invalid ones go through the check shared by all formats, which reports problems."""

    def open(self, body: bytes, bounds: Bounds) -> Opened:
        """Parse a body."""
        try:
            stream = read_stream(body, lambda count: require_few(count, bounds.candidates), bounds.arrow_columns)
        except StreamError as error:
            raise RequestError([("body", str(error))]) from None
        return Opened(_rest(stream.metadata), stream)

    def check(self, opened: Opened, checker: RequestChecker) -> RankRequest:
        """Validate a parsed request."""
        stream: Stream = opened.rest
        duplicates = [name for name, count in Counter(stream.names).items() if count > 1]
        if duplicates:
            raise RequestError((f"candidates.{name}", "is the name of several columns") for name in duplicates)
        columns: dict[str, Column] = {}
        to_check: dict[str, list[Any]] = {}
        for name, array in zip(stream.names, stream.arrays, strict=True):
            columns[name], to_check[name] = _converted(name, array, checker.columns.get(name))
        return checker.check({**opened.content, "candidates": to_check}, columns=columns)


def _converted(name: str, array: Any, expected: Expected | None) -> tuple[Column, list[Any]]:
    """A column, and the values to check one by one: none if the column is valid or its name is unknown."""
    if expected is None:
        return [], []
    try:
        column = to_column(array, name, LIMITS)
    except ColumnTooLargeError as error:
        raise RequestError([(f"candidates.{name}", str(error))]) from None
    except ColumnTypeError:
        return [], [_OfType(array.type)]
    except ColumnError as error:
        raise RequestError([(f"candidates.{name}.{error.row}", f"must be {error.expected}")]) from None
    if fits(column, array, expected):
        return column, []
    if _is_dated(column) or _is_large(array):
        return [], [_OfType(array.type)]
    values = [_as_json(value, expected) for value in array.to_pylist()]
    return values, values


def _as_json(value: Any, expected: Expected) -> Any:
    """A value as JSON has it, except decimals with a fraction in id columns, which stay decimals for the error."""
    if isinstance(value, list):
        return [_as_json(each, expected) for each in value]
    if isinstance(value, Decimal) and expected.value == "number":
        return float(value)
    return int(value) if isinstance(value, Decimal) and value == value.to_integral_value() else value


def _is_dated(column: Column) -> bool:
    values = column.values if isinstance(column, Ragged) else column
    return isinstance(values, np.ndarray) and values.dtype.kind == "M"


def _is_large(array: Any) -> bool:
    """Whether an array, including nested lists, has too many values to check one by one."""
    while pa.types.is_nested(array.type) and len(array) <= MOST_LISTED:
        array = array.flatten() if hasattr(array, "flatten") else array.values
        if isinstance(array, list):  # the fields of a struct, which no column may hold
            return True
    return len(array) > MOST_LISTED


class _OfType:
    """Placeholder for a column of a type that no feature has; its ``repr`` is for the error message."""

    def __init__(self, kind: object) -> None:
        self._kind = kind

    def __repr__(self) -> str:
        return f"a column of {self._kind}"


def _rest(metadata: Mapping[bytes, bytes]) -> dict[str, Any]:
    """The request without its candidates, from the metadata. Unrelated metadata is ignored."""
    text = metadata.get(REQUEST.encode())
    if text is None:
        for key in metadata:
            if nearest(key.decode("utf-8", "replace")[:50], [REQUEST]):
                raise RequestError([("metadata", f"has {key!r:.50}; did you mean {REQUEST!r}?")])
        return {}
    where = f"metadata.{REQUEST}"
    rest = parsed(text, where)
    if not isinstance(rest, dict):
        raise RequestError([(where, f"must be an object with context, top_k and so on, got {short(rest)}")])
    if "candidates" in rest:
        raise RequestError([(f"{where}.candidates", "is not allowed here: candidates are the stream's columns")])
    return rest


@WRITERS.register(ARROW)
def stream(answer: Answer) -> bytes:
    """Write one record batch in ranked order, with the other fields as JSON in the schema's metadata."""
    columns = {"id": _ids(answer.ids), "fused": pa.array(answer.fused)}
    columns |= {f"score_{name}": pa.array(values) for name, values in answer.scores.items()}
    if answer.scored_by is not None:
        columns["scored_by"] = pa.array(answer.scored_by, pa.string())
    columns |= {name: pa.array(values) for name, values in answer.drawn.items()}
    for name, values in _explained(answer.explanations or {}):
        rest = pa.nulls(len(answer.fused) - len(values), pa.array(values).type)
        columns[name] = pa.concat_arrays([pa.array(values), rest])
    batch = pa.RecordBatch.from_pydict(columns, metadata={RANKING: orjson.dumps(answer.facts)})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue())


def _explained(explanations: Mapping[str, Any]) -> Iterator[tuple[str, NDArray[Any]]]:
    """Columns of explanations, such as ``contribution_click``."""
    for part, values in explanations.items():
        if isinstance(values, dict):
            yield from ((f"{part.removesuffix('s')}_{name}", array) for name, array in values.items())
        else:
            yield part, values


def _ids(ids: Column) -> Any:
    if isinstance(ids, Text):
        strings = pa.LargeStringArray.from_buffers(
            len(ids.lengths), pa.py_buffer(ids.offsets), pa.py_buffer(np.ascontiguousarray(ids.data))
        )
        return strings.take(pa.array(ids.rows, mask=ids.rows < 0)).cast(pa.string())
    if isinstance(ids, np.ma.MaskedArray):
        return pa.array(np.ma.getdata(ids), mask=np.ma.getmaskarray(ids))
    if isinstance(ids, list) and {str, int} <= set(map(type, ids)):  # ids of mixed types, as training saw none
        return pa.array([value if value is None else str(value) for value in ids])
    return pa.array(ids)
