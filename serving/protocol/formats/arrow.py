"""Arrow IPC streams: candidates as record batches, the rest of a request as JSON in the schema's metadata."""

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
"""Values of a column of lists that are looked at one by one, where the column as a whole is not of the right type."""
REQUEST, RANKING = "request", "ranking"
"""Entries of the schema's metadata: all of a request but its candidates, all of an answer but its columns."""


@READERS.register(ARROW)
class ArrowReader:
    """Columns are checked as arrays; one that is not right is shown to the check that all formats share."""

    def open(self, body: bytes, bounds: Bounds) -> Opened:
        """Read a body."""
        try:
            stream = read_stream(body, lambda count: require_few(count, bounds.candidates), bounds.arrow_columns)
        except StreamError as error:
            raise RequestError([("body", str(error))]) from None
        return Opened(_rest(stream.metadata), stream)

    def check(self, opened: Opened, checker: RequestChecker) -> RankRequest:
        """Check it."""
        stream: Stream = opened.rest
        twice = [name for name, count in Counter(stream.names).items() if count > 1]
        if twice:
            raise RequestError((f"candidates.{name}", "stands twice among the columns") for name in twice)
        columns: dict[str, Column] = {}
        shown: dict[str, list[Any]] = {}
        for name, array in zip(stream.names, stream.arrays, strict=True):
            columns[name], shown[name] = _taken(name, array, checker.columns.get(name))
        return checker.check({**opened.content, "candidates": shown}, columns=columns)


def _taken(name: str, array: Any, expected: Expected | None) -> tuple[Column, list[Any]]:
    """A column, and what the check is shown of it: nothing where it is right, nor where the name alone is wrong."""
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
    """A value as JSON would have it, but for fractions of decimals, which no id may have and an error shows."""
    if isinstance(value, list):
        return [_as_json(each, expected) for each in value]
    if isinstance(value, Decimal) and expected.value == "number":
        return float(value)
    return int(value) if isinstance(value, Decimal) and value == value.to_integral_value() else value


def _is_dated(column: Column) -> bool:
    values = column.values if isinstance(column, Ragged) else column
    return isinstance(values, np.ndarray) and values.dtype.kind == "M"


def _is_large(array: Any) -> bool:
    """Whether an array of lists has so many values that each of them on its own would cost too much."""
    while pa.types.is_nested(array.type) and len(array) <= MOST_LISTED:
        array = array.flatten() if hasattr(array, "flatten") else array.values
        if isinstance(array, list):  # of a struct's fields, which are no values
            return True
    return len(array) > MOST_LISTED


class _OfType:
    """Stands for a value of a type that no feature has."""

    def __init__(self, kind: object) -> None:
        self._kind = kind

    def __repr__(self) -> str:
        return f"a column of {self._kind}"


def _rest(metadata: Mapping[bytes, bytes]) -> dict[str, Any]:
    """All of a request but its candidates. Other entries are the business of those who wrote them."""
    text = metadata.get(REQUEST.encode())
    if text is None:
        for key in metadata:
            if nearest(key.decode("utf-8", "replace")[:50], [REQUEST]):
                raise RequestError([("metadata", f"has {key!r:.50}; did you mean {REQUEST!r}?")])
        return {}
    where = f"metadata.{REQUEST}"
    rest = parsed(text, where)
    if not isinstance(rest, dict):
        raise RequestError([(where, f"must be an object with context, top_k and the like, got {short(rest)}")])
    if "candidates" in rest:
        raise RequestError([(f"{where}.candidates", "must not be there: candidates are the stream's columns")])
    return rest


@WRITERS.register(ARROW)
def stream(answer: Answer) -> bytes:
    """One record batch in ranked order; what is said once is JSON in the schema's metadata."""
    columns = {"id": _ids(answer.ids), "fused": pa.array(answer.fused)}
    columns |= {f"score_{name}": pa.array(values) for name, values in answer.scores.items()}
    for name, values in _explained(answer.explanations or {}):
        rest = pa.nulls(len(answer.fused) - len(values), pa.array(values).type)
        columns[name] = pa.concat_arrays([pa.array(values), rest])
    batch = pa.RecordBatch.from_pydict(columns, metadata={RANKING: orjson.dumps(answer.facts)})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue())


def _explained(explanations: Mapping[str, Any]) -> Iterator[tuple[str, NDArray[Any]]]:
    """Columns of the candidates that are explained: ``contribution_click``, and the like."""
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
    if isinstance(ids, list) and {str, int} <= set(map(type, ids)):  # of an id that had no value in training
        return pa.array([value if value is None else str(value) for value in ids])
    return pa.array(ids)
