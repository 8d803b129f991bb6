"""Reads events of users from Parquet, CSV and JSON lines into one form."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ranker.log_files.csv import CsvPart
from ranker.log_files.csv_types import Kind
from ranker.log_files.find import find_files
from ranker.log_files.log_reader import DataError, Log
from ranker.log_files.part import format_by_name
from ranker.remote_files import Location
from training.data.split.time_column import parse
from training.data.split.time_units import unit_of
from training.exposures.keys import as_text

SCHEMA = pa.schema(
    [
        ("event_id", pa.string()),
        ("request_id", pa.string()),
        ("user", pa.string()),
        ("item", pa.string()),
        ("kind", pa.string()),
        ("time", pa.int64()),
        ("value", pa.float64()),
    ]
)
"""Events as they are read: ids as text, time in milliseconds since 1970 (UTC), value 1 if absent."""
REQUIRED = ("item", "kind", "time")
KINDS: Mapping[str, Kind] = {
    "event_id": "text", "request_id": "text", "user": "id", "item": "id", "kind": "text", "time": "time",
    "value": "number",
}  # fmt: skip
JSON_LINES = (".jsonl", ".ndjson")
LINES = 65_536
EVENT_BYTES = 60
"""Of an event in a text file, to guess how many there are."""
MOST_TIME = 2.0**62
"""No time in milliseconds is larger."""
_NUMBERS = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_decimal, pa.types.is_null)


def event_files(sources: Sequence[str | Path]) -> list[Location]:
    """Files of events in folders, globs and by name, in order. Raises ``DataError`` for a source without any."""
    found: list[Location] = []
    for source in sources:
        path = Path(source)
        if path.is_dir():
            lines = sorted(file for file in path.rglob("*") if _is_lines(file) and not _hidden(file, path))
        else:
            lines = [path] if _is_lines(path) and path.is_file() else []
        found += lines
        if not (lines and path.is_file()):
            try:
                found += find_files([source]).files
            except DataError:
                if not lines:
                    raise
    return list(dict.fromkeys(found))


def read_events(file: Location) -> Iterator[pa.Table]:
    """Stream a file of events as tables of ``SCHEMA``; rows that lack what an event needs have nulls.

    Raises ``DataError`` for a file without a needed column, and for a time or a value that is none.
    """
    chunks = _json_lines(file) if _is_lines(file) else _columns(file)
    for first, arrays in chunks:
        yield _canonical(arrays, str(file), first)


def fingerprint(file: Location) -> str:
    """Size and time of a file, which tell whether it has changed."""
    status = file.stat()
    return f"{status.st_size} {status.st_mtime_ns}"


def about(file: Location) -> int:
    """About how many events a file has."""
    if file.name.lower().endswith((".parquet", ".pq", ".parq")) and isinstance(file, Path):
        try:
            return int(pq.read_metadata(file).num_rows)
        except pa.ArrowInvalid:
            return 0  # reading it says what is wrong
    return int(file.stat().st_size // EVENT_BYTES)


def _is_lines(file: Location) -> bool:
    return file.name.lower().endswith(JSON_LINES)


def _hidden(file: Path, folder: Path) -> bool:
    return any(part.startswith((".", "_")) for part in file.relative_to(folder).parts)


def _columns(file: Location) -> Iterator[tuple[int, dict[str, Any]]]:
    part = format_by_name(file)
    assert part is not None, "find_files finds no others"
    known = part(file).columns()
    _check(str(file), known)
    wanted = [name for name in SCHEMA.names if name in known]
    for chunk in Log([str(file)], KINDS).arrow_chunks(wanted):
        if part is CsvPart:
            _require_ids(chunk.arrays, str(file))
        yield chunk.first, dict(chunk.arrays)


def _require_ids(arrays: Mapping[str, Any], file: str) -> None:
    """Raise ``DataError`` for whole numbers with a point, as pandas writes ids of a column that lacks some.

    In text, 7.0 is another id than 7, so that the events would be orphans.
    """
    for name in ("user", "item"):
        known = pc.drop_null(arrays[name]) if name in arrays and pa.types.is_string(arrays[name].type) else []
        if len(known) and pc.all(pc.match_substring_regex(known, r"^-?\d+\.0$")).as_py():
            raise DataError(
                f"{file}, column {name!r}: holds numbers such as {known[0].as_py()}; write ids without a point (in "
                "pandas as Int64), or as Parquet"
            )


def _json_lines(file: Location) -> Iterator[tuple[int, dict[str, Any]]]:
    rows: list[dict[str, Any]] = []
    first = number = 0
    known: set[str] = set()
    with file.open("rb") as lines:
        for number, line in enumerate(lines):
            if line.strip():
                rows.append(_object(line, str(file), number))
            if len(rows) == LINES:
                known.update(*rows)
                yield first, _arrays(rows, str(file), first)
                rows, first = [], number + 1
    if rows:
        known.update(*rows)
        yield first, _arrays(rows, str(file), first)
    if known:
        _check(str(file), sorted(known))


def _object(line: bytes, file: str, number: int) -> dict[str, Any]:
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise DataError(f"{file}, line {number + 1}: is not JSON: {error}") from None
    if not isinstance(row, dict):
        raise DataError(f'{file}, line {number + 1}: is not a JSON object, such as {{"item": 7, "kind": "click"}}')
    return row


def _arrays(rows: list[dict[str, Any]], file: str, first: int) -> dict[str, Any]:
    arrays = {}
    for name in SCHEMA.names:
        values = [row.get(name) for row in rows]
        if all(value is None for value in values):
            continue
        if name not in ("time", "value"):  # ids may be text in one row and a number in the next
            values = [value if value is None or isinstance(value, str) else _text(value) for value in values]
        try:
            arrays[name] = pa.array(values)
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            raise DataError(
                f"{file}, lines {first + 1} to {first + len(rows)}, {name!r}: holds values of several types"
            ) from None
    return arrays


def _text(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _check(file: str, known: Sequence[str]) -> None:
    lacking = [name for name in REQUIRED if name not in known]
    if lacking:
        raise DataError(
            f"{file} has no column {lacking[0]!r}; events need item, kind and time, and request_id or user "
            f"(columns: {', '.join(known)})"
        )
    if "request_id" not in known and "user" not in known:
        raise DataError(
            f"{file} has neither the column 'request_id' nor 'user', by which events find what was shown "
            f"(columns: {', '.join(known)})"
        )


def _canonical(arrays: Mapping[str, Any], file: str, first: int) -> pa.Table:
    rows = len(next(iter(arrays.values()))) if arrays else 0
    columns = {}
    for name, kind in zip(SCHEMA.names, SCHEMA.types, strict=True):
        array = arrays.get(name)
        if array is None:
            columns[name] = pa.repeat(pa.scalar(1.0), rows) if name == "value" else pa.nulls(rows, kind)
        elif name == "time":
            columns[name] = _milliseconds(array, file, first)
        elif name == "value":
            columns[name] = _numbers(array, file, first)
        else:
            columns[name] = as_text(array, f"{file}, column {name!r}")
    return pa.table(columns, schema=SCHEMA)


def _milliseconds(array: Any, file: str, first: int) -> pa.Array:
    kind = array.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        zone = kind.tz if pa.types.is_timestamp(kind) else None
        return pc.cast(array, pa.timestamp("ms", tz=zone), safe=False).cast(pa.int64())
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        if pa.types.is_floating(kind):
            values = array.to_numpy(zero_copy_only=False).astype(np.float64)
            array = pa.array(values, mask=~(np.abs(values) < MOST_TIME))  # NaN is no time
        times = pc.cast(array, pa.int64(), safe=False)
        known = times.drop_null()
        middle = float(np.median(known.to_numpy())) if len(known) else 0.0
        unit = unit_of(middle)
        if unit is not None and unit != "milliseconds":
            raise DataError(
                f"{file}, column 'time': looks like {unit} since 1970, such as {middle:.0f}; numbers must be "
                "milliseconds since 1970"
            )
        return times
    texts = as_text(array, f"{file}, column 'time'").to_pylist()
    instants, good = parse([text or "" for text in texts])
    wrong = ~good & np.array([text is not None for text in texts], dtype=bool)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise DataError(
            f"{file}, row {first + row}, column 'time': {texts[row]!r} is not a time such as 2026-01-31T18:30:00Z"
        )
    return pa.array(instants // 1000, mask=~good)


def _numbers(array: Any, file: str, first: int) -> pa.Array:
    """Values, 1 for null. Raises ``DataError`` for text and for a number that is not finite."""
    if not any(is_kind(array.type) for is_kind in _NUMBERS):
        raise DataError(f"{file}, column 'value': holds {array.type}; values are numbers")
    values = pc.fill_null(pc.cast(array, pa.float64(), safe=False), 1.0)
    finite = np.isfinite(values.to_numpy(zero_copy_only=False))
    if not finite.all():
        row = int(np.argmin(finite))
        raise DataError(f"{file}, row {first + row}, column 'value': {values[row].as_py()} is not a finite number")
    return values
