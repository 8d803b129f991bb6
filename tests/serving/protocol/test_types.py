"""The same values of any Arrow type give the same inputs in fit, items and Arrow requests, or one error."""

from decimal import Decimal
from functools import cache
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ranker.encoding import ColumnError, EncoderFitter
from ranker.log_files.log_reader import DataError, Log
from ranker.schema import Schema
from serving.features.items.build import build
from serving.features.items.store import ItemsError, ItemStore
from serving.protocol.errors import RequestError
from serving.protocol.formats.arrow import ARROW
from serving.protocol.formats.base import READERS
from serving.protocol.validation import RequestChecker
from tests.serving.protocol.formats.streams import sent

ROWS = 5
IDS = ["integer", "unsigned", "string"]
NUMBERS = [3, None, 1, 3, 0]
TIMES = [86_400_000, None, 0, 86_400_000, -86_400_000]
COLUMNS = {
    **{f"{kind}": pa.array(NUMBERS, kind) for kind in (pa.int8(), pa.int64(), pa.uint32(), pa.uint64())},
    **{f"{kind}": pa.array(NUMBERS, pa.float64()).cast(kind) for kind in (pa.float16(), pa.float32(), pa.float64())},
    "fractions": pa.array([0.5, None, 1.0, 2.5, float("nan")]),
    "infinite": pa.array([0.5, None, 1.0, float("inf"), 2.0]),
    "inexact": pa.array([1.0, None, 2.0**53, 4.0, 5.0]),
    "large": pa.array([2**63 + 1, None, 5, 2**64 - 1, 0], pa.uint64()),
    "boolean": pa.array([True, None, False, True, False]),
    "decimal ids": pa.array([Decimal(2**60 + n) if n else None for n in range(ROWS)], pa.decimal128(19, 0)),
    "large decimals": pa.array([Decimal(2**63 + n) if n else None for n in range(1, 6)], pa.decimal128(20, 0)),
    "prices": pa.array([Decimal("0.10"), None, Decimal("1.29"), Decimal(3), Decimal("0.10")]),
    "date32": pa.array([1, None, 0, 1, -1], pa.date32()),
    "date64": pa.array(TIMES, pa.date64()),
    **{f"{kind}": pa.array(TIMES, kind) for kind in map(pa.timestamp, ("s", "ms", "us", "ns"))},
    "zoned": pa.array(TIMES, pa.timestamp("us", "Europe/Zurich")),
    "text": pa.array(["a", None, "b", "a", ""]),
    "digits": pa.array(["7", None, "8", "7", "-9"]),
    "padded": pa.array(["07", None, "8", "7", "-9"]),
    "views": pa.array(["a", None, "b", "a", ""], pa.string_view()),
    "large text": pa.array(["a", None, "b", "a", ""], pa.large_string()),
    "bytes": pa.array([b"a", None, b"b", b"a", b""]),
    "no text": pa.array([b"a", None, b"\xff", b"a", b""]),
    "dictionary": pa.array(["a", None, "b", "a", ""]).dictionary_encode(),
    "coded numbers": pa.array(NUMBERS).dictionary_encode(),
    "nulls": pa.nulls(ROWS),
    "lists": pa.array([[1, 2], None, [], [3, None], [1]]),
    "lists of text": pa.array([["a", "b"], None, [], ["c", None], ["a"]]),
    "lists of times": pa.array([[1, 2], None, [], [3, None], [1]], pa.list_(pa.timestamp("ns"))),
    "lists of lists": pa.array([[[1]], None, [], [[2]], [[3]]]),
    "vectors": pa.array([[1.0, 2.0], None, [3.0, 4.0], [5.0, 6.0], [0.0, 0.0]], pa.list_(pa.float32(), 2)),
    "durations": pa.array(NUMBERS, pa.duration("ns")),
    "clock": pa.array(NUMBERS, pa.time64("us")),
    "structs": pa.array([{"a": 1}] * ROWS),
}  # fmt: skip
FEATURES = {
    "categorical": {"kind": "categorical"},
    **{f"categorical as {kind}": {"kind": "categorical", "type": kind} for kind in IDS},
    "hashed": {"kind": "categorical", "hash_buckets": 1000},
    "multi": {"kind": "multi"},
    "multi as string": {"kind": "multi", "type": "string"},
    "numeric": {"kind": "numeric"},
    "buckets": {"kind": "numeric", "transform": "buckets"},
    "dense": {"kind": "dense", "size": 2},
}


def schema_of(feature):
    tasks = {"click": {"kind": "binary"}}
    candidate = {"item": {"kind": "categorical"}, "x": feature}
    return Schema.model_validate({"candidate_id": "item", "candidate": candidate, "tasks": tasks})


def fitted(schema, file):
    """The encoder of a file, and the file encoded with it."""
    fitter = EncoderFitter(schema)
    (chunk,) = Log([file]).chunks(["item", "x"])
    with chunk.naming_rows():
        fitter.add(chunk.columns, np.zeros((ROWS, 1)), np.ones((ROWS, 1), dtype=bool), np.zeros(ROWS, dtype=np.int64))
        encoder = fitter.fitted()
        return encoder, encoder.encode({}, chunk.columns)


def as_items(artifact, file, folder):
    (folder / "items").mkdir()
    build(file, artifact, folder / "items")
    store = ItemStore(folder / "items")
    return store.encoded(store.places(list(range(ROWS)), "item"))


def as_request(artifact, table):
    if not hasattr(artifact, "checker"):  # making one takes longer than all that it checks here
        artifact.checker = RequestChecker(artifact, max_candidates=100)
    reader, checker = READERS[ARROW](), artifact.checker
    return artifact.encoder.encode({}, reader.check(reader.open(sent(table), checker.bounds), checker).candidates)


def outcome(call, *errors):
    """What a call gives, or its error."""
    try:
        return call(), None
    except errors as error:
        return None, error


@pytest.mark.parametrize("feature", FEATURES)
@pytest.mark.parametrize("column", COLUMNS)
def test_one_value_everywhere_or_one_error(tmp_path, column, feature):
    schema, file = schema_of(FEATURES[feature]), tmp_path / "log.parquet"
    table = pa.table({"item": pa.array(range(ROWS)), "x": COLUMNS[column]})
    pq.write_table(table, file, store_schema=True)
    found, error = outcome(lambda: fitted(schema, file), DataError)
    if found is None:
        assert str(error).startswith(f"{file}")
        assert "column 'x'" in str(error)
        return
    encoder, packed = found
    artifact = SimpleNamespace(schema=schema, encoder=encoder, fusions={})
    items = as_items(artifact, file, tmp_path)
    np.testing.assert_array_equal(items.ids, packed.candidate_ids)
    np.testing.assert_array_equal(items.numbers, packed.candidate_numbers)
    asked = as_request(artifact, table)
    np.testing.assert_array_equal(asked.candidate_ids, packed.candidate_ids)
    np.testing.assert_array_equal(asked.candidate_numbers, packed.candidate_numbers)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """What was trained for a feature, on a column of one type."""
    folder = tmp_path_factory.mktemp("trained")

    @cache
    def trained_for(feature):
        schema, file = schema_of(FEATURES[feature]), folder / f"{feature}.parquet"
        first = {"multi": "lists of text", "dense": "vectors"}.get(FEATURES[feature]["kind"], "uint64")
        pq.write_table(pa.table({"item": pa.array(range(ROWS)), "x": COLUMNS[first]}), file)
        return SimpleNamespace(schema=schema, encoder=fitted(schema, file)[0], fusions={})

    return trained_for


@pytest.mark.parametrize("feature", FEATURES)
@pytest.mark.parametrize("column", COLUMNS)
def test_a_column_of_another_type_than_training_met_is_an_answer_or_one_error(tmp_path, trained, column, feature):
    artifact, file = trained(feature), tmp_path / "log.parquet"
    table = pa.table({"item": pa.array(range(ROWS)), "x": COLUMNS[column]})
    pq.write_table(table, file)
    items, error = outcome(lambda: as_items(artifact, file, tmp_path), ItemsError)
    assert items is not None or f"{file}: column 'x'" in str(error)
    asked, error = outcome(lambda: as_request(artifact, table), RequestError, ColumnError)
    if isinstance(error, RequestError):
        assert all(problem["field"].startswith("candidates.x") for problem in error.problems)
    elif error is not None:
        assert error.column == "x"
    assert (items is None) == (asked is None)
    if asked is not None:
        np.testing.assert_array_equal(asked.candidate_ids, items.ids)
        np.testing.assert_array_equal(asked.candidate_numbers, items.numbers)
