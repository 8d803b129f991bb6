import io
import json
import struct
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from ranker.engines import OnnxRuntime
from serving.protocol.formats import Exchange
from serving.ranking.ranker import Ranker
from tests.serving.asking import answered
from tests.serving.protocol.formats.streams import ARROW, FROM_ARROW, problems, sent, table_of, types_of

ROUND = Exchange(ARROW, ARROW)


@pytest.fixture(scope="module")
def service(shop):
    return Ranker(shop, OnnxRuntime(shop.model_path), max_candidates=100)


@pytest.fixture(scope="module")
def request_(shop):
    return {"context": shop.golden[0].context, "candidates": shop.golden[0].candidates, "explain": 3}


@pytest.fixture(scope="module")
def expected(service, request_):
    return answered(service, request_)


VARIANTS = {
    "as pyarrow makes it": lambda _: {},
    **{f"ids as {name}": lambda given, name=name: {"sku": types_of(given["sku"])[name]} for name in types_of(["a"])},
    **{f"shelves in {bits} bits": lambda given, t=t: {"shelf": pa.array(given["shelf"], t)} for bits, t in
       ((8, pa.int8()), (16, pa.uint16()), (64, pa.uint64()))},
    "large lists": lambda given: {"tags": pa.array(given["tags"], pa.large_list(pa.large_string()))},
    "lists of a dictionary": lambda given: {
        "similar": pa.array(given["similar"], pa.list_(pa.dictionary(pa.int16(), pa.string())))
    },
    "vectors of fixed size": lambda given: {"vector": pa.array(given["vector"], pa.list_(pa.float64(), 3))},
    "NaN for null": lambda given: {"length": pa.array([np.nan if v is None else v for v in given["length"]])},
    "another order": lambda given: {name: pa.array(given[name]) for name in reversed(given)},
}  # fmt: skip


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("rows", [None, 7])
def test_streams_rank_as_json_does(service, request_, expected, variant, rows):
    table = table_of(request_, **VARIANTS[variant](request_["candidates"]))
    if rows:
        sink = io.BytesIO()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table, max_chunksize=rows)
        body = sink.getvalue()
    else:
        body = sent(table)
    assert answered(service, body, exchange=FROM_ARROW) == expected


def test_a_slice_of_a_table_is_that_slice(service, request_):
    table = table_of(request_).slice(5, 9)
    part = {**request_, "candidates": {name: values[5:14] for name, values in request_["candidates"].items()}}
    body = sent(table.combine_chunks())
    assert answered(service, body, exchange=FROM_ARROW) == answered(service, part)


def test_columns_of_nothing_but_nulls(service, request_):
    nothing = {name: [None] * 20 for name in request_["candidates"]}
    body = {**request_, "candidates": nothing}
    typed = {"sku": pa.nulls(20, pa.dictionary(pa.int8(), pa.string())), "shelf": pa.nulls(20, pa.int64())}
    for arrays in ({}, typed):
        answer = answered(service, sent(table_of(body, **arrays)), exchange=FROM_ARROW)
        assert answer == answered(service, body)


@pytest.mark.parametrize(
    "change",
    [
        {"sku": list(range(20))},
        {"shelf": ["x"] * 20},
        {"shelf": [1.5] * 20},
        {"shelf": [-(2**63), *range(19)]},
        {"length": ["long"] * 20},
        {"length": [1e39] * 20},
        {"vector": [[1.0, 2.0]] * 20},
        {"vector": [[1.0, None, 2.0]] * 20},
        {"vector": [[], *[[1.0, 2.0, 3.0]] * 19]},
        {"vector": [[1e38, 1e38, 1e38], *[[1.0, 2.0, 3.0]] * 19]},
        {"tags": ["red"] * 20},
        {"tags": [[1]] * 20},
        {"sku": [["a"]] * 20},
        {"similar": [[1.5]] * 20},
        {"colour": [1] * 20},
        {"lenght": [1.0] * 20},
        {"length": None},
    ],
    ids=lambda value: str(value)[:40],
)
def test_the_same_mistakes_have_the_same_words(service, request_, change):
    candidates = {name: values for name, values in {**request_["candidates"], **change}.items() if values is not None}
    body = {**request_, "candidates": candidates}
    found = problems(service, sent(table_of(body)), FROM_ARROW)
    assert found == problems(service, json.dumps(body).encode(), Exchange())
    assert found


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ("1.25", "Input should be a valid integer, got 1.25"),
        ("9007199254740993.50", "Input should be a valid integer, got 9007199254740993.50"),
        ("18446744073709551616", "Input should be less than 9223372036854775808, got 18446744073709551616"),
        ("9223372036854775808.00", "Input should be less than 9223372036854775808, got 9223372036854775808"),
    ],
)
def test_a_decimal_that_is_no_id_is_named_alone(service, request_, wrong, reason):
    shelf = [Decimal(wrong) if i == 3 else None if i == 5 else Decimal(i % 4) for i in range(20)]
    found = problems(service, sent(table_of(request_, shelf=pa.array(shelf, pa.decimal128(38, 2)))), FROM_ARROW)
    assert found == [{"field": "candidates.shelf.3", "reason": reason}]


def test_decimals_of_lists_that_do_not_fit_are_named_alone(service, request_):
    vector = [[Decimal("1.25")] * (2 if i == 4 else 3) for i in range(20)]
    (found,) = problems(service, sent(table_of(request_, vector=pa.array(vector))), FROM_ARROW)
    assert found["field"] == "candidates.vector.4"
    assert "at least 3 items" in found["reason"]


def test_a_key_that_stands_twice_in_the_metadata_is_named(service, request_):
    table = table_of(request_)
    text = table.schema.metadata[b"request"].replace(b'"explain": 3', b'"explain": 3, "explain": 4')
    found = problems(service, sent(table.replace_schema_metadata({"request": text})), FROM_ARROW)
    assert found == [{"field": "metadata.request.explain", "reason": "is a duplicate key"}]


def test_infinity_is_refused(service, request_):  # JSON has no word for it
    found = problems(service, sent(table_of(request_, length=pa.array([1.0, float("inf")] * 10))), FROM_ARROW)
    assert found[0] == {"field": "candidates.length.1", "reason": "Input should be a finite number, got inf"}
    assert len(found) == 10


@pytest.mark.parametrize(
    "change",
    [{"top_k": 0}, {"topk": 3}, {"fusion": 3}, {"explain": "yes"}, {"context": {}}, {"context": {"agee": 3}}],
    ids=lambda value: str(value)[:40],
)
def test_the_rest_of_a_request_is_checked_alike(service, request_, change):
    body = {**request_, **change}
    found = problems(service, sent(table_of(body)), FROM_ARROW)
    assert found == problems(service, json.dumps(body).encode(), Exchange())
    assert found


def test_counts(service, request_):
    for rows, reason in ((0, "must hold at least one candidate, got none"), (120, "may hold at most 100 candidates")):
        table = pa.concat_tables([table_of(request_)] * 6).slice(0, rows)
        found = problems(service, sent(table), FROM_ARROW)
        assert [p["field"] for p in found] == ["candidates"]
        assert reason in found[0]["reason"]


@pytest.mark.parametrize(
    ("metadata", "field", "reason"),
    [
        (None, "context", "is required"),
        ({"reqest": "{}"}, "metadata", "did you mean 'request'"),
        ({"request": "{"}, "metadata.request", "is not valid JSON"),
        ({"request": b"\xff"}, "metadata.request", "is not valid JSON"),
        ({"request": "[" * 100_000}, "metadata.request", "is not valid JSON"),
        ({"request": "[1]"}, "metadata.request", "must be an object"),
        ({"request": '{"candidates": {}}'}, "metadata.request.candidates", "candidates are the stream's columns"),
        ({"pandas": "x" * 3_000_000}, "context", "is required"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_metadata_is_checked(service, request_, metadata, field, reason):
    found = problems(service, sent(table_of(request_).replace_schema_metadata(metadata)), FROM_ARROW)
    assert found[0]["field"] == field
    assert reason in found[0]["reason"]


UNFIT = {
    "dates": pa.array([0] * 20, pa.date32()),
    "nanoseconds": pa.array([1] * 20, pa.timestamp("ns")),
    "late times": pa.array([2**60] * 20, pa.timestamp("us")),
    "lists of times": pa.array([[1]] * 20, pa.list_(pa.timestamp("ns"))),
    "durations": pa.array([1] * 20, pa.duration("ns")),
    "structs": pa.array([{"a": 1}] * 20),
    "lists of lists": pa.array([[[1]]] * 20),
    "lists of booleans": pa.array([[True]] * 20),
    "unions": pa.UnionArray.from_sparse(pa.array([0] * 20, pa.int8()), [pa.array([1] * 20)]),
    "a dictionary of lists": pa.DictionaryArray.from_arrays(pa.array([0] * 20, pa.int8()), pa.array([["a"]])),
}


@pytest.mark.parametrize("name", UNFIT)
@pytest.mark.parametrize("column", ["sku", "length", "tags", "vector"])
def test_types_that_no_feature_has_are_named(service, request_, name, column):
    table = table_of(request_, **{column: UNFIT[name]})
    found = problems(service, sent(table), FROM_ARROW)
    assert found
    assert all(problem["field"].startswith(f"candidates.{column}") for problem in found)
    if name != "lists of booleans":  # as the check of all formats words it
        assert "Input should be a valid" in found[0]["reason"]


def test_an_unknown_column_is_unknown_whatever_its_type(service, request_):
    for column in (*UNFIT.values(), pa.array([True, None] * 10), pa.array([b"\xff"] * 20), pa.nulls(20)):
        found = problems(service, sent(table_of(request_, extra=column)), FROM_ARROW)
        assert [problem["field"] for problem in found] == ["candidates.extra"]
        assert found[0]["reason"].startswith("is unknown")


@pytest.mark.parametrize(
    ("name", "column", "same"),
    [
        ("length", pa.array([True, None] * 10), pa.array([1.0, None] * 10)),
        ("length", pa.array([1, None] * 10).cast(pa.decimal128(30, 2)), pa.array([1.0, None] * 10)),
        ("length", pa.array(["1.25", "0.1"] * 10).cast(pa.decimal128(30, 2)), pa.array([1.25, 0.1] * 10)),
        ("length", pa.array([1.5, None] * 10, pa.float16()), pa.array([1.5, None] * 10)),
        ("shelf", pa.nulls(20, pa.bool_()), pa.nulls(20, pa.int64())),
        ("shelf", pa.array([3.0, None] * 10), pa.array([3, None] * 10)),
        ("shelf", pa.RunEndEncodedArray.from_arrays([5, 20], [3, 4]), pa.array([3] * 5 + [4] * 15)),
        ("sku", pa.array([b"a", None] * 10), pa.array(["a", None] * 10)),
        ("tags", pa.array([["red"], None] * 10, pa.list_view(pa.string())), pa.array([["red"], None] * 10)),
    ],
    ids=lambda value: str(getattr(value, "type", value)),
)
def test_other_types_of_the_same_values_rank_alike(service, request_, name, column, same):
    ours, theirs = (
        answered(service, sent(table_of(request_, **{name: array})), exchange=FROM_ARROW) for array in (column, same)
    )
    assert ours == theirs


def test_what_is_small_on_the_wire_and_large_in_memory_is_refused(service, request_):
    long = pa.array(["x" * 2_000_000])
    dictionary = pa.DictionaryArray.from_arrays(pa.array([0] * 20, pa.int8()), long)
    view = struct.pack("<i4sii", 2_000_000, b"xxxx", 0, 0)  # length, first bytes, buffer, offset
    views = pa.Array.from_buffers(pa.string_view(), 20, [None, pa.py_buffer(view * 20), long.buffers()[2]])
    for column in (dictionary, views):
        found = problems(service, sent(table_of(request_, sku=column)), FROM_ARROW)
        assert found[0]["field"] == "candidates.sku"
        assert "decodes to 40000000 bytes of text" in found[0]["reason"]
    many = pa.table({"sku": pa.nulls(2**24)})
    assert "may hold at most 100 candidates" in problems(service, sent(many), FROM_ARROW)[0]["reason"]
    nulls = pa.ListArray.from_arrays([0, *[2**21] * 20], pa.nulls(2**21))
    found = problems(service, sent(table_of(request_, tags=nulls)), FROM_ARROW)
    assert "decodes to 2097152 values" in found[0]["reason"]


@pytest.mark.parametrize("codec", ["lz4", "zstd"])
def test_compressed_streams_are_refused_before_they_are_unpacked(service, request_, codec):
    (problem,) = problems(service, sent(table_of(request_), compression=codec), FROM_ARROW)
    assert problem["field"] == "body"
    assert "has compressed buffers" in problem["reason"]
    only = table_of(request_, sku=pa.array(request_["candidates"]["sku"]).dictionary_encode()).slice(0, 0)
    (problem,) = problems(service, sent(only, compression=codec), FROM_ARROW)
    assert "has compressed buffers" in problem["reason"] or "at least one candidate" in problem["reason"]


def test_too_many_batches_and_a_name_twice(service, request_):
    table = table_of(request_)
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        for _ in range(1001):
            writer.write_batch(pa.RecordBatch.from_pylist([], schema=table.schema))
    assert "more than 1000 batches" in problems(service, sink.getvalue(), FROM_ARROW)[0]["reason"]
    twice = table.append_column("sku", table["sku"])
    (problem,) = problems(service, sent(twice), FROM_ARROW)
    assert problem == {"field": "candidates.sku", "reason": "is the name of several columns"}


def test_a_stream_cut_anywhere_is_refused(service, request_):
    body = sent(table_of(request_))
    for end in [*range(0, len(body), 41), len(body) - 1, len(body) - 8]:
        (problem,) = problems(service, body[:end], FROM_ARROW)
        assert problem["field"] == "body"


def test_a_spoilt_stream_is_an_answer_or_a_refusal(service, request_, expected):
    random = np.random.default_rng(0)
    columns = {"sku": pa.array(request_["candidates"]["sku"]).dictionary_encode()}
    body = sent(table_of(request_, **columns))
    refused = 0
    for _ in range(200):
        spoilt = bytearray(body)
        for place in random.integers(0, len(body) - 8, random.integers(1, 4)):
            spoilt[place] = random.integers(0, 256)
        found = problems(service, bytes(spoilt), FROM_ARROW)
        refused += bool(found)
        assert all(problem["reason"] for problem in found)
    assert refused > 50
    assert answered(service, body, exchange=FROM_ARROW) == expected


@pytest.mark.parametrize("text", [b"", b"{}", b"\xff" * 64, b"\xff\xff\xff\xff\0\0\0\0"])
def test_what_is_no_stream(service, text):
    (problem,) = problems(service, text, FROM_ARROW)
    assert problem["field"] == "body"


@pytest.mark.parametrize("kind", ["json", *types_of(["a"])])
def test_answers_are_the_same_table(service, request_, kind):
    ranking = json.loads(answered(service, request_))
    if kind == "json":
        answer = answered(service, request_, exchange=Exchange(writes=ARROW))
    else:
        table = table_of(request_, sku=types_of(request_["candidates"]["sku"])[kind])
        answer = answered(service, sent(table), exchange=ROUND)
    table = pa.ipc.open_stream(answer).read_all()
    facts = json.loads(table.schema.metadata[b"ranking"])
    assert facts == {name: ranking[name] for name in ("model", "model_version", "fusion", "experiment")}
    assert table["id"].to_pylist() == ranking["ids"]
    assert table["fused"].to_pylist() == ranking["fused"]
    for task, scores in ranking["scores"].items():
        np.testing.assert_array_equal(table[f"score_{task}"], np.array(scores, dtype=np.float32))
    told = ranking["explanations"]
    for task in ranking["scores"]:
        assert table[f"contribution_{task}"].to_pylist() == [*told["contributions"][task], *[None] * 17]
        assert table[f"rank_without_{task}"].to_pylist() == [*told["rank_without"][task], *[None] * 17]
    assert table["rule_special"].to_pylist() == [*told["rules"]["special"], *[None] * 17]
    assert table["baseline"].null_count == 17


def test_positions_and_numbers_are_ids_too(artifact, body):
    service = Ranker(artifact, OnnxRuntime(artifact.model_path), max_candidates=100)
    ranking = json.loads(answered(service, body))
    for column in (pa.array(body["candidates"]["item"]), pa.array(body["candidates"]["item"], pa.int32())):
        answer = answered(service, sent(table_of(body, item=column)), exchange=ROUND)
        assert pa.ipc.open_stream(answer).read_all()["id"].to_pylist() == ranking["ids"]
    some = [None, *body["candidates"]["item"][1:]]
    ranking = json.loads(answered(service, sent(table_of(body, item=pa.array(some))), exchange=FROM_ARROW))
    assert None in ranking["ids"]
    answer = answered(service, sent(table_of(body, item=pa.array(some))), exchange=ROUND)
    assert pa.ipc.open_stream(answer).read_all()["id"].to_pylist() == ranking["ids"]
