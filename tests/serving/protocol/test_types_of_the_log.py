"""Every type of the log x kind of feature x place: the same inputs everywhere, or one named error."""

import datetime
import decimal
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ranker.arrow_columns import ColumnTypeError, to_column
from ranker.encoding import ColumnError, EncoderFitter
from ranker.schema import Schema
from serving.features.items.build import build
from serving.features.items.store import ItemsError
from serving.features.users import Users
from serving.protocol.column_types import UNIT
from serving.protocol.compatibility import differences_of
from serving.protocol.errors import RequestError
from serving.protocol.formats import ARROW, JSON, READERS
from serving.protocol.validation import RequestChecker
from tests.serving.protocol.formats.streams import sent

UTC = datetime.UTC
DAY = datetime.date(2024, 1, 31)
TIME = datetime.datetime(2024, 1, 31, 12, 30, 15, tzinfo=UTC)
LATER = datetime.datetime(2024, 2, 3, 4, 5, tzinfo=UTC)
INTEGERS = [3, None, 7, 3, 100, 7]
VALUES = {
    "bool": (pa.bool_(), [True, None, False, True, True, False]),
    **{str(kind): (kind, INTEGERS) for kind in (pa.int8(), pa.int16(), pa.int32(), pa.int64())},
    **{str(kind): (kind, INTEGERS) for kind in (pa.uint8(), pa.uint16(), pa.uint32())},
    "uint64": (pa.uint64(), [3, None, 2**64 - 1, 3, 2**63 + 5, 7]),
    "whole float": (pa.float64(), [3.0, None, 7.0, 3.0, 1001.0, 7.0]),
    "float": (pa.float64(), [0.5, None, 7.25, 0.5, 3.0, 7.25]),
    "float32": (pa.float32(), [0.5, None, 7.25, 0.5, 3.0, 7.25]),
    "decimal": (pa.decimal128(20, 0), [decimal.Decimal(x) if x else None for x in INTEGERS]),
    "decimal fraction": (pa.decimal128(20, 2), [decimal.Decimal("1.25"), None, *map(decimal.Decimal, "3456")]),
    "date32": (pa.date32(), [DAY, None, DAY, DAY, datetime.date(2024, 2, 1), DAY]),
    **{
        f"timestamp {unit} {zone}": (pa.timestamp(unit, zone), [TIME, None, LATER, TIME, LATER, LATER])
        for unit in ("s", "ms", "us", "ns")
        for zone in (None, "UTC", "Europe/Zurich")
    },
    "text": (pa.string(), ["2024-01-01", None, "b", "2024-01-01", "", "b"]),
    "dictionary": (pa.dictionary(pa.int8(), pa.string()), ["a", None, "b", "a", "é", "b"]),
}
FEATURES = {
    **{t: {"kind": "numeric", "transform": t} for t in ("standardise", "log1p", "buckets", "none")},
    "categorical": {"kind": "categorical", "dimension": 2},
    "hashed": {"kind": "categorical", "dimension": 2, "hash_buckets": 50},
    "as text": {"kind": "categorical", "dimension": 2, "type": "string"},
    "as integer": {"kind": "categorical", "dimension": 2, "type": "integer"},
    "multi": {"kind": "multi", "dimension": 2, "max_length": 3},
    "sequence": {"kind": "sequence", "shares": "other", "max_length": 3},
    "dense": {"kind": "dense", "size": 2},
}
LISTED = ("multi", "sequence", "dense")


def log_of(feature, kind, values):
    table = {"item": pa.array(range(len(values))), "value": pa.array(values, kind)}
    if feature in LISTED:
        pairs = [None if i == 3 else [x, x] for i, x in enumerate(v for v in values if v is not None)]
        table["value"] = pa.array([*pairs, None if feature == "dense" else []], pa.list_(kind))
        table["item"] = pa.array(range(len(pairs) + 1))
        if feature == "sequence":
            table["other"] = pa.array([(v or [None])[0] for v in table["value"].to_pylist()], kind)
    return table


def fitted(feature, table, **more):
    candidate = {"item": {"kind": "categorical", "dimension": 2}, "value": {**FEATURES[feature], **more}}
    if "other" in table:
        candidate["other"] = {"kind": "categorical", "dimension": 2}
    schema = Schema.model_validate(
        {"candidate_id": "item", "candidate": candidate, "tasks": {"click": {"kind": "binary"}}}
    )
    columns = {name: to_column(array, name) for name, array in table.items()}
    rows = len(table["item"])
    fitter = EncoderFitter(schema)
    fitter.add(columns, np.ones((rows, 1)), np.ones((rows, 1), dtype=bool), np.zeros(rows, dtype=np.int64))
    encoder = fitter.fitted()
    return SimpleNamespace(schema=schema, encoder=encoder, fusions={}), encoder.encode({}, columns)


def as_json(value):
    if isinstance(value, list):
        return [as_json(each) for each in value]
    if isinstance(value, decimal.Decimal):
        return float(value)
    if isinstance(value, datetime.datetime):
        value = value.replace(tzinfo=UTC) if value.tzinfo is None else value
    return value.isoformat() if isinstance(value, datetime.date) else value


def encoded(artifact, request):
    return artifact.encoder.encode(request.context, request.candidates)


def read(artifact, media, body):
    if not hasattr(artifact, "checker"):  # making one takes longer than all that it checks here
        artifact.checker = RequestChecker(artifact, 100)
    reader, checker = READERS[media](), artifact.checker
    return reader.check(reader.open(body, checker.bounds), checker)


def places_of(artifact, table, folder: Path):
    plain = {name: as_json(array.to_pylist()) for name, array in table.items()}
    rows = [dict(zip(plain, values, strict=True)) for values in zip(*plain.values(), strict=True)]
    yield "columns", lambda: encoded(artifact, read(artifact, JSON, json.dumps({"candidates": plain}).encode()))
    yield "rows", lambda: encoded(artifact, read(artifact, JSON, json.dumps({"candidates": rows}).encode()))
    yield "arrow", lambda: encoded(artifact, read(artifact, ARROW, sent(pa.table(table))))

    def items():
        pq.write_table(pa.table(table), folder / "items.parquet")
        (folder / "built").mkdir()
        build(folder / "items.parquet", artifact, folder / "built")
        found = {path.name: np.load(path) for path in (folder / "built").glob("*.npy")}
        return SimpleNamespace(candidate_ids=found["rows.npy"], candidate_numbers=found["numbers.npy"])

    yield "items", items


def require_same(packed, expected, place):
    np.testing.assert_array_equal(packed.candidate_ids, expected.candidate_ids, err_msg=place)
    np.testing.assert_array_equal(packed.candidate_numbers, expected.candidate_numbers, err_msg=place)


def refused(name, feature):
    """Whether training cannot take these values for the feature."""
    text, time = name in ("text", "dictionary"), name.startswith(("date", "timestamp"))
    if feature in ("standardise", "log1p", "buckets"):
        return text
    if feature == "none":  # numbers are inputs as they come, up to 1e12
        return text or time or name == "uint64"
    if feature == "dense":
        return text or time or name == "uint64"
    if feature == "as text":
        return time or name in ("bool", "float", "float32", "decimal fraction")
    if feature == "as integer":
        return text or name in ("float", "float32", "decimal fraction", "uint64")
    return name in ("float", "float32", "decimal fraction")


@pytest.mark.parametrize("feature", FEATURES)
@pytest.mark.parametrize("name", VALUES)
def test_the_inputs_of_a_value_are_the_same_wherever_it_stands(name, feature, tmp_path):
    kind, values = VALUES[name]
    table = log_of(feature, kind, values)
    if refused(name, feature):
        with pytest.raises((ColumnError, ColumnTypeError), match=r"value|other"):
            fitted(feature, table)
        return
    artifact, expected = fitted(feature, table)
    for place, inputs in places_of(artifact, table, tmp_path):
        require_same(inputs(), expected, place)


class Stored(Users):
    def __init__(self, stored):
        self._stored = json.dumps(stored).encode()

    def _stored_value(self, user):  # noqa: ARG002 - there is one
        return self._stored


MEMBER = {
    "context": {"member": {"kind": "categorical"}, "since": {"kind": "numeric"}, "zip": {"kind": "categorical"}},
    "candidate": {"item": {"kind": "categorical"}},
    "tasks": {"click": {"kind": "binary"}},
}


def member(**changes):
    schema = Schema.model_validate({**MEMBER, **changes})
    columns = {
        "member": np.array([True, False]),
        "since": np.array(["2024-01-01", "2024-03-01"], dtype="datetime64[us]"),
        "zip": ["2024-01-01", "02134"],
        "item": np.array([1, 2]),
        "price": np.array([1.0, 2.0]),
    }
    columns = {name: columns[name] for name in schema.input_columns()}
    fitter = EncoderFitter(schema)
    fitter.add(columns, np.ones((2, 1)), np.ones((2, 1), dtype=bool), np.zeros(2, dtype=np.int64))
    return SimpleNamespace(schema=schema, encoder=fitter.fitted(), fusions={})


def asked(artifact, candidates=None, **context):
    body = {"context": context, "candidates": candidates or {"item": [1, 2]}}
    return read(artifact, JSON, json.dumps(body).encode())


def test_stored_values_of_a_user_are_converted_as_sent_ones():
    artifact = member()
    adapters = RequestChecker(artifact, 10, by_user=True).context
    found = Stored({"member": True, "since": "2024-02-01", "zip": "2024-01-01"}).context("u", {}, adapters)
    assert found.columns == {"member": [1], "since": [1706745600000000.0], "zip": ["2024-01-01"]}
    assert found.facts == {"id": "u", "found": True}
    found = Stored({"member": 1.5, "since": 1706745600, "zip": 2134}).context("u", {}, adapters)
    assert found.columns == {"member": [None], "since": [None], "zip": [None]}
    assert found.facts["invalid"] == ["member", "since", "zip"]


@pytest.mark.parametrize(
    ("context", "field", "reason"),
    [
        ({"since": "31.1.2024"}, "context.since", "must be a time in ISO 8601"),
        ({"since": "2024-02-30"}, "context.since", "day is out of range"),
        ({"since": 1706745600}, "context.since", "looks like seconds, got 1706745600"),
        ({"since": 1706745600000}, "context.since", "looks like milliseconds"),
        ({"since": 1706745600000000000}, "context.since", "looks like nanoseconds"),
        ({"since": 19737}, "context.since", "looks like days, got 19737"),
        ({"since": 473700}, "context.since", "looks like hours, got 473700"),
        ({"since": True}, "context.since", "must be a time in ISO 8601"),
        ({"member": 1.5}, "context.member", "valid integer, got 1.5"),
        ({"member": 2.0**53}, "context.member", "an exact id"),
        ({"member": "true"}, "context.member", "valid integer, got 'true'"),
        ({"zip": 2134}, "context.zip", "valid string, got 2134"),
        ({"zip": True}, "context.zip", "valid string, got"),
    ],
)
def test_what_cannot_be_converted_is_named(context, field, reason):
    with pytest.raises(RequestError) as caught:
        asked(member(), **{"member": 1, "since": None, "zip": None, **context})
    (problem,) = caught.value.problems
    assert problem["field"] == field
    assert reason in problem["reason"]


PRICED = {
    "candidate": {
        "item": {"kind": "categorical"},
        "price": {"kind": "numeric", "required": False},
        "since": {"kind": "numeric", "required": False},
    },
    "context": {"member": {"kind": "categorical", "required": False}},
}


@pytest.mark.parametrize(
    "candidates",
    [
        {"item": [1, 2], "since": ["2024-02-01", 1706745600]},
        [{"item": 1, "since": "2024-02-01"}, {"item": 2, "since": 1706745600}],
        {"item": [1, 2], "since": [None, 1706745600]},
        {"item": [1, 2], "since": [1706745600000000, 1706745600]},
    ],
)
def test_a_time_in_seconds_is_named_beside_good_ones(candidates):
    with pytest.raises(RequestError) as caught:
        asked(member(**PRICED), candidates)
    (problem,) = caught.value.problems
    assert problem["field"] == ("candidates.1.since" if isinstance(candidates, list) else "candidates.since.1")
    assert "must be in microseconds since 1970-01-01 UTC" in problem["reason"]


TIMED = {
    "since": {"kind": "numeric"},
    "log": {"kind": "numeric", "transform": "log1p", "column": "since"},
    "bucket": {"kind": "numeric", "transform": "buckets", "column": "since"},
    "plain": {"kind": "numeric", "transform": "none"},
    "day": {"kind": "categorical"},
    "hashed": {"kind": "categorical", "hash_buckets": 9, "column": "day"},
    "declared": {"kind": "categorical", "type": "integer"},
    "days": {"kind": "multi"},
    "visits": {"kind": "sequence", "shares": "day"},
}
YEARS = np.repeat(np.array(["2024-01-01", "2024-06-01", "NaT"], dtype="datetime64[us]"), 20)


@pytest.fixture(scope="module", params=["plain", "1970", "9999"])
def timed(request):
    """Every feature that takes times, over a log some of whose times stand in for `never`."""
    times = (
        YEARS if request.param == "plain" else np.where(np.arange(60) % 3, YEARS, np.datetime64(request.param, "us"))
    )
    lists = pa.array([[when] for when in times.tolist()], pa.list_(pa.timestamp("us")))
    short = np.where(np.isnat(YEARS), YEARS, np.datetime64(0, "us"))  # numbers as they come are at most 1e12
    table = {"since": times, "plain": short, "day": times, "declared": times}
    table = {name: pa.array(values) for name, values in table.items()} | {"days": lists, "visits": lists}
    schema = Schema.model_validate({"candidate": TIMED, "tasks": {"click": {"kind": "binary"}}})
    columns = {name: to_column(array, name) for name, array in table.items()}
    fitter = EncoderFitter(schema)
    fitter.add(columns, np.ones((60, 1)), np.ones((60, 1), dtype=bool), np.zeros(60, dtype=np.int64))
    return SimpleNamespace(schema=schema, encoder=fitter.fitted(), fusions={})


UNUSUAL = datetime.datetime(1970, 1, 2, 3, 4, 5, tzinfo=UTC)


def candidates_of(artifact, column, values, kind=None):
    """Good rows of every column as a table and as JSON, with other values in one of them."""
    good = [TIME, None, LATER]
    table, plain = {}, {}
    for name in artifact.schema.input_columns():
        listed = name in ("days", "visits")
        given = values if name == column else [UNUSUAL.replace(hour=0)] * 3 if name == "plain" else good
        of = (kind if name == column else None) or pa.timestamp("us", "UTC")
        given = [[value] for value in given] if listed else given
        table[name] = pa.array(given, pa.list_(of) if listed else of)
        plain[name] = as_json(given)
    return pa.table(table), {"candidates": plain}


@pytest.mark.parametrize("column", ["since", "plain", "day", "declared", "days", "visits"])
@pytest.mark.parametrize(
    ("value", "kind", "told"),
    [
        (19737, pa.int16(), "this looks like days, got 19737"),
        (473700, pa.uint32(), "this looks like hours, got 473700"),
        (1706745600, pa.int64(), "this looks like seconds, got 1706745600"),
        (1706745600000.0, pa.float64(), "this looks like milliseconds, got 1706745600000.0"),
        (1706745600 * 10**9, pa.uint64(), "this looks like nanoseconds, got 1706745600000000000"),
        (-1, pa.int8(), "this is within four months of 1970-01-01, where training had no such time, got -1"),
        (
            True,
            pa.bool_(),
            f"must be a time in ISO 8601, such as 2024-01-31 or 2024-01-31T12:30:00Z, or {UNIT}, got True",
        ),
    ],
)
def test_plain_numbers_of_another_unit_are_named_in_every_format(timed, column, value, kind, told):
    table, body = candidates_of(timed, column, [None, value, None], kind)
    for media, sent_body in ((JSON, json.dumps(body).encode()), (ARROW, sent(table))):
        with pytest.raises(RequestError) as caught:
            read(timed, media, sent_body)
        place = "1.0" if column in ("days", "visits") else "1"
        assert [problem["field"] for problem in caught.value.problems] == [f"candidates.{column}.{place}"]
        assert caught.value.problems[0]["reason"].endswith(told)


@pytest.mark.parametrize("column", ["since", "plain", "day", "declared", "days", "visits"])
def test_times_that_are_no_plain_numbers_are_taken_however_unusual(timed, column):
    values = [UNUSUAL.replace(day=9), None, UNUSUAL]
    table, body = candidates_of(timed, column, values)
    expected = encoded(timed, read(timed, ARROW, sent(table)))
    require_same(encoded(timed, read(timed, JSON, json.dumps(body).encode())), expected, "text")
    text, _ = candidates_of(timed, column, [value and value.isoformat() for value in values], pa.string())
    require_same(encoded(timed, read(timed, ARROW, sent(text))), expected, "text in Arrow")


@pytest.mark.parametrize("column", ["since", "day", "declared", "days", "visits"])
def test_microseconds_outside_of_training_are_taken(timed, column):
    times = [datetime.datetime(1990, 1, 1, tzinfo=UTC), None, datetime.datetime(1970, 1, 1, tzinfo=UTC)]
    expected = encoded(timed, read(timed, ARROW, sent(candidates_of(timed, column, times)[0])))
    numbers = [631_152_000_000_000, None, 0]
    for kind in (pa.int64(), pa.float64(), pa.decimal128(20, 0)):
        table, body = candidates_of(timed, column, numbers, kind)
        require_same(encoded(timed, read(timed, ARROW, sent(table))), expected, kind)
        require_same(encoded(timed, read(timed, JSON, json.dumps(body).encode())), expected, "JSON")


def test_items_follow_the_same_rule(tmp_path):
    when = pa.array([TIME, LATER], pa.timestamp("us", "UTC"))
    for feature, value in (("standardise", pa.array([0, 19737])), ("categorical", pa.array([0, 1706745600]))):
        artifact, _ = fitted(feature, {"item": pa.array([1, 2]), "value": when})
        for wrong, told in (
            (value, "row 1: .* this looks like (days|seconds)"),
            (pa.array([None, True]), "row 1: True"),
        ):
            pq.write_table(pa.table({"item": [1, 2], "value": wrong}), tmp_path / "items.parquet")
            with pytest.raises(ItemsError, match=rf"items\.parquet: column 'value', {told}"):
                build(tmp_path / "items.parquet", artifact, tmp_path)


def test_an_artifact_of_before_keeps_its_guard():
    artifact = member(**PRICED)
    artifact.encoder.times.plain.clear()
    for since, told in ((1706745600, "this looks like seconds"), (True, "must be a time in ISO 8601")):
        with pytest.raises(RequestError, match=told):
            asked(artifact, {"item": [1, 2], "since": [None, since]})
    assert asked(artifact, {"item": [1, 2], "since": [None, 19737]}).candidates["since"].tolist()[1] == 19737


def test_optional_features_that_are_left_out_are_missing():
    artifact = member(**PRICED)
    nulls = {"item": [1, 2], "price": [None, None], "since": [None, None]}
    expected = encoded(artifact, asked(artifact, nulls, member=None))
    for candidates in ({"item": [1, 2]}, [{"item": 1}, {"item": 2}], [{"item": 1}, {"item": 2, "price": None}]):
        require_same(encoded(artifact, asked(artifact, candidates)), expected, candidates)
        body = json.dumps({"candidates": candidates}).encode()
        require_same(encoded(artifact, read(artifact, JSON, body)), expected, candidates)
    require_same(encoded(artifact, read(artifact, ARROW, sent(pa.table({"item": [1, 2]})))), expected, "arrow")
    some = encoded(artifact, asked(artifact, [{"item": 1, "price": 2.0}, {"item": 2}]))
    require_same(some, encoded(artifact, asked(artifact, {**nulls, "price": [2.0, None]})), "rows")


def test_what_is_required_or_unknown_beside_optional_features_is_named():
    artifact = member(**PRICED)
    for candidates, field in (
        ([{"item": 1}, {"price": 1.0}], "candidates.1.item"),
        ([{"item": 1}, {"item": 1, "prise": 1.0}], "candidates.1.prise"),
        ({"price": [1.0]}, "candidates.item"),
        ({"item": [1], "prise": [1.0]}, "candidates.prise"),
        ({"item": [1], "price": [1.0, 2.0]}, "candidates.price"),
    ):
        with pytest.raises(RequestError) as caught:
            asked(artifact, candidates)
        assert [problem["field"] for problem in caught.value.problems] == [field]


def test_a_field_that_may_now_be_left_out_breaks_no_client():
    price = {"item": {"kind": "categorical"}, "price": {"kind": "numeric"}}
    optional = {**price, "price": {"kind": "numeric", "required": False}}
    old, new, without = (member(candidate=c) for c in (price, optional, {"item": price["item"]}))
    assert differences_of(old, new) == []
    assert differences_of(new, old) == ["candidates.price"]
    assert differences_of(without, new) == []
    assert differences_of(new, without) == ["candidates.price"]


def test_the_document_says_unit_and_what_is_optional():
    schema = RequestChecker(member(**PRICED), 10).model.model_json_schema()
    columns = schema["$defs"]["CandidateColumns"]
    assert columns["required"] == ["item"]
    since = columns["properties"]["since"]["items"]["anyOf"][0]
    assert "microseconds since 1970-01-01 UTC" in since["description"]
    assert {"type": "string", "format": "date-time"} in since["anyOf"]
