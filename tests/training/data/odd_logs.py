"""A grammar of odd impression logs: files of many types, and the value that each of their rows holds."""

import csv
import datetime
import gzip
import io
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st

UTC = datetime.UTC
EPOCH = datetime.datetime(1970, 1, 1)


class Physical(NamedTuple):
    """An Arrow type that a column may be written as, and which values it can hold."""

    type: pa.DataType
    holds: Callable[[Any], bool]


def _between(low: int, high: int) -> Callable[[Any], bool]:
    return lambda value: low <= value <= high


def _signed(bits: int) -> Callable[[Any], bool]:
    return _between(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def _unsigned(bits: int) -> Callable[[Any], bool]:
    return _between(0, 2**bits - 1)


def _any(_: Any) -> bool:
    return True


def _is_float(width: int) -> Callable[[Any], bool]:
    """Whether floats with so many bits of mantissa tell the value from its neighbours."""
    return lambda value: abs(value) < 2**width


INTEGERS = {
    "int8": Physical(pa.int8(), _signed(8)),
    "int32": Physical(pa.int32(), _signed(32)),
    "int64": Physical(pa.int64(), _between(-(2**63) + 1, 2**63 - 1)),
    "uint16": Physical(pa.uint16(), _unsigned(16)),
    "uint64": Physical(pa.uint64(), _unsigned(64)),
    "double": Physical(pa.float64(), _is_float(53)),
    "float": Physical(pa.float32(), _is_float(24)),
    # Decimals have no sign of their own: that values of 2**63 or more may come is known once one has come.
    "decimal": Physical(pa.decimal128(20, 0), _signed(64)),
    "decimal with cents": Physical(pa.decimal128(24, 2), _signed(64)),
    "dictionary of int64": Physical(pa.dictionary(pa.int32(), pa.int64()), _signed(63)),
}
TEXTS = {
    "string": Physical(pa.string(), _any),
    "large_string": Physical(pa.large_string(), _any),
    "dictionary of string": Physical(pa.dictionary(pa.int8(), pa.string()), _any),
    "binary": Physical(pa.binary(), _any),
}
TIMES = {
    "timestamp[s]": Physical(pa.timestamp("s"), lambda t: t.microsecond == 0),
    "timestamp[us]": Physical(pa.timestamp("us"), _any),
    "timestamp[ns, zone]": Physical(pa.timestamp("ns", "America/New_York"), _any),
    "date32": Physical(pa.date32(), lambda t: t.time() == datetime.time()),
}
NUMBERS = {
    "double": Physical(pa.float64(), _any),
    "float": Physical(pa.float32(), _any),
    "int16": Physical(pa.int16(), lambda x: x == int(x) and abs(x) < 2**15),
    "decimal": Physical(pa.decimal128(12, 2), lambda x: x == round(x, 2)),
    "bool": Physical(pa.bool_(), lambda x: x in (0.0, 1.0)),
}
ODD = {
    "list": (pa.list_(pa.int64()), [[1], [], [2, 3]]),
    "list of lists": (pa.list_(pa.list_(pa.string())), [[["a"]], []]),
    "struct": (pa.struct({"a": pa.int8()}), [{"a": 1}]),
    "duration": (pa.duration("s"), [datetime.timedelta(seconds=3)]),
    "time32": (pa.time32("s"), [datetime.time(1, 2)]),
    "bool": (pa.bool_(), [True, False]),
    "null": (pa.null(), [None]),
    "bytes": (pa.binary(), [b"\xff\xfe", b"a"]),
    "infinite": (pa.float64(), [math.inf, 1.0, -math.inf]),
    "huge": (pa.float64(), [1e300, 2.0**60]),
    "fraction": (pa.float64(), [0.5, 1.0]),
    "text": (pa.string(), ["1", "x", "", "2024-01-09", " 1", "1.0", "0x1"]),
    "timestamp": (pa.timestamp("ms"), [EPOCH, datetime.datetime(2024, 1, 9, 1)]),
    "wide decimal": (pa.decimal128(38, 0), [Decimal(10) ** 30, Decimal(7)]),
    "uint64": (pa.uint64(), [2**64 - 1, 2**63, 7]),
    "negative": (pa.int64(), [-1, -(2**63), 5]),
}
INTEGER_POOLS = [
    st.integers(-100, 100),
    st.integers(0, 200),
    st.integers(2**53, 2**53 + 50),
    st.integers(-(2**63) + 1, 2**63 - 1),
    st.integers(2**63 + 1, 2**64 - 1) | st.integers(0, 50),
]
TEXT_POOL = st.sampled_from(
    [
        "phone",
        "02134",
        "2134x",
        "true",
        "NA",
        "null",
        "nan",
        "1e3",
        "2024-01-01",
        "é",
        "日本",
        "a b",
        'say "x"',
        "a,b",
        "+7",
    ]
) | st.text(
    st.characters(codec="utf-8", exclude_characters="\0\r\n|", exclude_categories=["Cs"]), min_size=1, max_size=6
).filter(lambda text: text == text.strip())  # lists of separated text are stripped
TIME_POOL = st.datetimes(datetime.datetime(1960, 1, 1), datetime.datetime(2100, 1, 1)).map(
    lambda t: t.replace(microsecond=0) if t.second % 2 else datetime.datetime(t.year, t.month, t.day)
)
NUMBER_POOL = st.integers(-1000, 1000).map(lambda n: n / 4) | st.sampled_from([0.0, 1.0, 0.5, 12.25])
NAMES = ["x", "item.id", "价格", 'a "b" c', "with space", "a,b", "click[1]", "UPPER", "date=1"]


@dataclass
class Part:
    """One file: its columns by name with a type and values, in order; what a CSV has for a separator's list."""

    format: str
    columns: list[tuple[str, pa.DataType, list[Any]]]
    rows: int

    def write(self, path: Path) -> Path:
        """Write it, and return where."""
        path = path.with_suffix(self.format)
        if self.format == ".parquet":
            arrays = [_array(values, kind) for _, kind, values in self.columns]
            pq.write_table(pa.Table.from_arrays(arrays, names=[name for name, _, _ in self.columns]), path)
            return path
        screen = io.StringIO()
        writer = csv.writer(screen, lineterminator="\n")
        writer.writerow([name for name, _, _ in self.columns])
        writer.writerows(zip(*([_csv(value) for value in values] for _, _, values in self.columns), strict=True))
        data = screen.getvalue().encode()
        path.write_bytes(gzip.compress(data) if self.format.endswith(".gz") else data)
        return path


@dataclass
class OddLog:
    """A schema's own columns, and the files of a log."""

    schema: dict[str, Any]
    parts: list[Part]

    def write(self, folder: Path) -> list[Path]:
        """Write the files, numbered in their order."""
        return [part.write(folder / f"{number}-part") for number, part in enumerate(self.parts)]

    def rows(self) -> list[dict[str, Any]]:
        """Every row of every file: values by the name of the column, ``None`` where the file lacks it."""
        found = []
        for part in self.parts:
            columns = {name: values for name, _, values in part.columns}
            found += [{name: values[row] for name, values in columns.items()} for row in range(part.rows)]
        return found


def canonical(value: Any) -> str | None:
    """What tells an id from another, whatever type it was written as; ``None`` where it is missing."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, datetime.datetime):
        return str(round((value - EPOCH) / datetime.timedelta(microseconds=1)))
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, bool | int | float | Decimal) and value == int(value):
        return str(int(value))
    return str(value)


def number(value: Any) -> float | None:
    """The number that a numeric feature reads; ``None`` where it is missing."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, str):  # of a CSV file
        if value in ("", "NA", "null", "nan"):
            return None
        if value in ("True", "False"):
            return float(value == "True")
        value = datetime.datetime.fromisoformat(value) if value.count("-") == 2 else value
    if isinstance(value, datetime.datetime):
        return (value - EPOCH) / datetime.timedelta(microseconds=1)
    return float(value)


def pieces(value: Any) -> list[str | None]:
    """The values that a column of separated text or of lists holds in a row."""
    if isinstance(value, str):
        return [piece.strip() for piece in value.split("|") if piece.strip()]
    values = value if isinstance(value, list) else [] if value is None else [value]
    return [canonical(single) for single in values]


@st.composite
def logs(draw: st.DrawFn, odd: bool) -> OddLog:
    """Logs of one to three files. Those that are not ``odd`` must be read; of odd ones some cannot be."""
    names = dict(zip(("user", "item", "price"), draw(st.permutations(NAMES)), strict=False))
    families = {name: draw(st.sampled_from(["integer", "text", "time"])) for name in ("user", "item")}
    families["price"] = "number"
    pools = {name: _pool(draw, family) for name, family in families.items()}
    tags = draw(st.lists(TEXT_POOL, min_size=1, max_size=5))
    parts, first = [], 0
    for place in range(draw(st.integers(1, 3))):
        rows = draw(st.integers(4 if place == 0 else 0, 14))
        part = _part(draw, names, families, pools, tags, first, rows, place, parquet="time" in families.values())
        if odd:
            _spoil(draw, part)
        parts.append(part)
        first += rows
    return OddLog(_schema(draw, names, families), parts)


def _part(
    draw: st.DrawFn,
    names: Mapping[str, str],
    families: Mapping[str, str],
    pools: Mapping[str, list[Any]],
    tags: list[str],
    first: int,
    rows: int,
    place: int,
    parquet: bool,
) -> Part:
    form = ".parquet" if parquet else draw(st.sampled_from([".parquet", ".parquet", ".csv", ".csv.gz"]))
    columns = []
    for name, family in families.items():
        # Where any value is null, so that a CSV's line is never empty.
        values = _picked(draw, [*pools[name], *[None] * len(pools[name])], rows)
        if place == 0 and values and values[0] is None:
            values[0] = pools[name][0]
        kinds = {"integer": INTEGERS, "text": TEXTS, "time": TIMES, "number": NUMBERS}[family]
        able = [kind for kind, p in kinds.items() if all(p.holds(value) for value in values if value is not None)]
        columns.append((names[name], kinds[draw(st.sampled_from(able))].type, values))
    picked, lengths = _picked(draw, tags, 3 * rows), _picked(draw, [0, 1, 2, 3, None, None, None, None], rows)
    lists = [None if length is None else picked[3 * row :][:length] for row, length in enumerate(lengths)]
    columns.append(("tags", pa.list_(pa.string()), lists) if form == ".parquet" else ("tags", pa.string(), lists))
    click = [(first + row) % 2 for row in range(rows)]
    columns.append(("click", draw(st.sampled_from([pa.int8(), pa.bool_(), pa.float32()])), click))
    columns.append(("row", draw(st.sampled_from([pa.int32(), pa.float64()])), [first + row for row in range(rows)]))
    if draw(st.booleans()):
        kind, values = ODD[draw(st.sampled_from(sorted(ODD)))]
        if form == ".parquet":
            columns.append(("unread", kind, [values[row % len(values)] for row in range(rows)]))
    return Part(form, draw(st.permutations(columns)), rows)


def _picked(draw: st.DrawFn, pool: list[Any], count: int) -> list[Any]:
    """So many values of the pool: bytes are drawn many times faster than one value at a time."""
    return [pool[byte % len(pool)] for byte in draw(st.binary(min_size=count, max_size=count))]


def _spoil(draw: st.DrawFn, part: Part) -> None:
    """Do something to a file that a log should not have."""
    what = draw(st.sampled_from(["nothing", "type", "type", "value", "drop", "twice", "rename"]))
    # All but the numbers of the rows, which tell one from another.
    at = draw(st.sampled_from([at for at, (name, _, _) in enumerate(part.columns) if name != "row"]))
    name, kind, values = part.columns[at]
    if what == "type":
        kind, values = ODD[draw(st.sampled_from(sorted(ODD)))]
        part.columns[at] = (name, kind, [values[row % len(values)] for row in range(part.rows)])
    elif what == "value" and part.rows:
        odd_kind, odd_values = ODD[draw(st.sampled_from(sorted(ODD)))]
        value = draw(st.sampled_from(odd_values))
        try:
            part.columns[at] = (name, kind, _array([*values[:-1], value], kind).to_pylist())
        except (pa.ArrowException, TypeError, ValueError, AttributeError, ArithmeticError):
            part.columns[at] = (name, odd_kind, [value] * part.rows)
    elif what == "drop":
        del part.columns[at]
    elif what == "twice":
        part.columns.append((name, kind, values))
    elif what == "rename":
        part.columns[at] = (name.swapcase(), kind, values)
    if part.format != ".parquet" and part.columns[at:] and what in ("type", "value"):
        name, kind, values = part.columns[at]
        part.columns[at] = (name, kind, [_csv(value) or None for value in values])  # an empty field is missing


def _schema(draw: st.DrawFn, names: Mapping[str, str], families: Mapping[str, str]) -> dict[str, Any]:
    def categorical(name: str) -> dict[str, Any]:
        said = {"text": [None, "string"], "integer": [None, "integer", "string"], "time": [None]}[families[name]]
        kind = draw(st.sampled_from(said)) if families[name] == "text" else None
        feature = {"kind": "categorical", "column": names[name], "dimension": 2}
        return {**feature, "type": kind} if kind else feature

    return {
        "candidate_id": "item",
        "context": {"user": categorical("user"), "row": {"kind": "numeric", "transform": "none"}},
        "candidate": {
            "item": categorical("item"),
            "price": {"kind": "numeric", "column": names["price"], "transform": "none"},
            "tags": {"kind": "multi", "separator": "|", "dimension": 2},
        },
        "tasks": {"click": {"kind": "binary"}},
    }


def _pool(draw: st.DrawFn, family: str) -> list[Any]:
    strategy = {
        "integer": lambda: draw(st.sampled_from(INTEGER_POOLS)),
        "text": lambda: TEXT_POOL,
        "time": lambda: TIME_POOL,
        "number": lambda: NUMBER_POOL,
    }[family]()
    pool = draw(st.lists(strategy, min_size=1, max_size=6))
    return [*pool, "letters"] if family == "text" else pool  # so that no column of text is one of digits


def _array(values: list[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_binary(kind):
        values = [value.encode() if isinstance(value, str) else value for value in values]
    if pa.types.is_dictionary(kind):
        return pa.array(values, kind.value_type).dictionary_encode().cast(kind)
    if pa.types.is_decimal(kind):
        values = [value if value is None else Decimal(str(value)) for value in values]
    if pa.types.is_boolean(kind):
        values = [value if value is None else bool(value) for value in values]
    if pa.types.is_timestamp(kind) and kind.tz:
        values = [value if value is None else value.replace(tzinfo=UTC) for value in values]
    return pa.array(values, kind)


def _csv(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return "|".join(map(str, value))
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
