"""Requests made to cost much: what is refused, and that refusing costs little, by counts of work and not by a clock."""

import json
import tracemalloc

import pyarrow as pa
import pytest

from ranker.engines import OnnxRuntime
from serving.protocol.bounds import MOST_COLUMNS, MOST_OBJECTS, Bounds
from serving.protocol.errors import RequestError
from serving.ranking.ranker import Ranker
from tests.serving.asking import answered
from tests.serving.protocol.formats.streams import FROM_ARROW, problems, sent, table_of

TINY = pa.array([1], pa.int8())
LARGE = 2**20


@pytest.fixture(scope="module")
def service(shop):
    return Ranker(shop, OnnxRuntime(shop.model_path), max_candidates=1000)


@pytest.fixture
def good(shop):
    return {"context": shop.golden[0].context, "candidates": shop.golden[0].candidates}


def refused(service, body):
    """The only problem of a body of JSON."""
    with pytest.raises(RequestError) as error:
        answered(service, body if isinstance(body, bytes) else json.dumps(body).encode())
    (problem,) = error.value.problems
    return problem["field"], problem["reason"]


def test_columns_of_a_stream_are_counted_before_they_are_read(service):
    for count in (MOST_COLUMNS + 1, 30_000):
        (problem,) = problems(service, sent(pa.table({f"c{i}": TINY for i in range(count)})), FROM_ARROW)
        assert problem == {"field": "body", "reason": f"may have at most {MOST_COLUMNS} columns, got {count}"}
    unknown = problems(service, sent(pa.table({f"c{i}": TINY for i in range(50)})), FROM_ARROW)
    assert len([problem for problem in unknown if problem["reason"].startswith("is unknown")]) == 50


@pytest.mark.parametrize("depth", [1, 3])
def test_nested_columns_and_metadata_are_counted_too(service, depth):
    kind = pa.struct([(f"c{i}", pa.int8()) for i in range(5 * MOST_COLUMNS)])
    for _ in range(depth - 1):
        kind = pa.list_(kind)
    (problem,) = problems(service, sent(pa.table({"length": pa.nulls(1, kind)})), FROM_ARROW)
    assert "including nested ones" in problem["reason"]
    schema = pa.schema([("sku", pa.int8())], metadata={f"key {i}": "" for i in range(MOST_COLUMNS + 1)})
    (problem,) = problems(service, sent(pa.table({"sku": TINY}, schema=schema)), FROM_ARROW)
    assert "metadata entries" in problem["reason"]


@pytest.mark.parametrize(
    ("path", "most"),
    [
        ((), 100),
        (("context",), 104),
        (("candidates",), 106),
        (("fusion",), 100),
        (("fusion", "parameters"), 100),
        (("fusion", "parameters", "share"), 100),
    ],
)
def test_keys_are_counted_before_they_are_checked(service, good, path, most):
    body = json.loads(json.dumps(good))
    place = body
    for name in path:
        place = place.setdefault(name, {})
    place |= {f"key {i}": 0 for i in range(most + 1 - len(place))}
    assert refused(service, body) == (".".join(path) or "body", f"may have at most {most} keys, got {most + 1}")


def test_keys_of_a_whole_body_are_counted_before_it_is_parsed(service, good):
    bounds = service.checker.bounds
    assert bounds == Bounds(candidates=1000, columns=6 + 4)
    assert bounds.keys == 2 * 1000 * 10 + 1000
    for colon in (":", " :", "\n:"):
        body = "".join(f'"{i}"{colon}0,' for i in range(bounds.keys + 1))
        field, reason = refused(service, b'{"candidates": {' + body.encode() + b'"": 0}}')
        assert field == "body"
        assert reason == "may have at most 21000 keys (twice those of 1000 candidates as rows), got 21003"


def test_colons_in_text_are_not_keys(service, good):
    times = ["12:30:59"] * service.checker.bounds.keys
    assert refused(service, {**good, "context": {**good["context"], "times": times}})[0] == "context.times"


def test_lists_and_objects_are_counted_before_they_are_made(service):
    assert refused(service, b'{"x":[' + b"[]," * (MOST_OBJECTS + 1) + b"[]]}")[0] == "body"


def test_candidates_are_counted_before_they_are_checked(service, good):
    for candidates in ({**good["candidates"], "length": ["long"] * LARGE}, [{}] * 2000):
        count = LARGE if isinstance(candidates, dict) else len(candidates)
        wanted = ("candidates", f"may hold at most 1000 candidates, got {count}")
        assert refused(service, {**good, "candidates": candidates}) == wanted


def test_of_a_list_of_wrong_values_the_first_is_told(service, good):
    tags = [[1] * LARGE, *good["candidates"]["tags"][1:]]
    body = json.dumps({**good, "candidates": {**good["candidates"], "tags": tags}}).encode()
    tracemalloc.start()
    try:
        field, reason = refused(service, body)
        assert tracemalloc.get_traced_memory()[1] < 64 * 2**20  # an error for each took a kilobyte
    finally:
        tracemalloc.stop()
    assert (field, reason) == ("candidates.tags.0.0", "Input should be a valid string, got 1")


def test_a_large_column_of_lists_of_another_type_is_not_looked_at_one_by_one(service, good):
    count = len(good["candidates"]["sku"])
    offsets = pa.array([0] * count + [LARGE], pa.int32())
    tags = pa.ListArray.from_arrays(offsets, pa.nulls(LARGE, pa.int8()).fill_null(0))
    (problem,) = problems(service, sent(table_of(good, tags=tags)), FROM_ARROW)
    assert problem["field"] == "candidates.tags.0"
    assert "a column of list<item: int8>" in problem["reason"]


DEEP = b"[" * 1000 + b"]" * 1000


@pytest.mark.parametrize(
    "body",
    [
        DEEP,
        b'{"candidates": {"length": ' + DEEP + b"}}",
        b'{"candidates": {"tags": [' + DEEP[1:-1] + b"]}}",
        b'{"candidates": [' + b'{"sku": ' * 900 + b"1" + b"}" * 900 + b"]}",
        b'{"context": {"age": ' + b'{"a": ' * 900 + b"1" + b"}" * 900 + b"}, " + b'"explain": ' + DEEP[1:-1] + b"}",
    ],
)
def test_what_is_nested_deeply_is_refused_like_all_else(service, body):
    with pytest.raises(RequestError) as error:
        answered(service, body)
    assert all(len(problem["reason"]) < 200 for problem in error.value.problems)


@pytest.mark.parametrize("name", ["a" * 2**20, "length" * 10_000])
def test_long_names_are_compared_by_their_beginning(service, good, name):
    tracemalloc.start()
    try:
        field, reason = refused(service, {**good, "fusion": {"name": name}})
        assert tracemalloc.get_traced_memory()[1] < 24 * 2**20
    finally:
        tracemalloc.stop()
    assert (field, len(reason)) == ("fusion", 4000)
