import numpy as np
import pyarrow as pa
import pytest

from ranker.encoding.within_list import ListInputs
from ranker.log_files import lists
from ranker.log_files.csv_types import schema_kinds
from ranker.log_files.errors import DataError
from ranker.log_files.lists import ListKeys, SeenLists, starts_of, whole_lists
from ranker.log_files.log_reader import ArrowChunk, Log
from ranker.schema import LIST_SIZE, Schema


def chunks(*groups, names=("list",)):
    """A chunk of each group of values, which are tuples where there are several names."""
    first = 0
    for number, group in enumerate(groups):
        columns = list(zip(*group, strict=True)) if len(names) > 1 else [group]
        arrays = {name: pa.array(list(values)) for name, values in zip(names, columns, strict=True)}
        yield ArrowChunk(f"{number}.csv", 0, first, len(group), arrays, {})
        first += len(group)


def found(*groups, names=("list",)):
    """Sizes of the lists, by block."""
    blocks = list(whole_lists(chunks(*groups, names=names), ListKeys(names), SeenLists()))
    ends = [block.end for block in blocks]
    assert np.diff([0, *ends]).tolist() == [block.rows for block in blocks]
    return [np.diff(block.starts, append=block.rows).tolist() for block in blocks]


def test_lists_that_span_chunks_are_whole():
    assert found("aab", "bbb", "bcc", "d") == [[2], [5], [2], [1]]
    assert found("aabb", "ccd", "dde") == [[2], [2, 2], [3], [1]]
    assert found("a", "a", "a") == [[3]]
    assert found("abc") == [[1, 1], [1]]
    assert found("a", "b", "b", "c") == [[1], [2], [1]]
    assert found() == []


def test_several_columns_tell_lists_apart():
    assert found([(1, "x"), (1, "y")], [(1, "y"), (2, "y")], names=("user", "day")) == [[1], [2], [1]]


@pytest.mark.parametrize(
    ("groups", "told"),
    [
        (("aabba",), r"0\.csv, row 4: the list of list 'a' began before"),
        (("aab", "bbc", "ca"), r"2\.csv, row 1: the list of list 'a' began before"),
        (("ab", "ca"), r"1\.csv, row 1: the list of list 'a' began before"),
    ],
)
def test_a_list_that_comes_back_is_named(groups, told):
    with pytest.raises(DataError, match=told):
        found(*groups)


def test_a_row_without_a_list_and_a_list_without_end_are_named(monkeypatch):
    with pytest.raises(DataError, match=r"1\.csv, row 1, column 'list': None is not the name of a list"):
        found(["a", "b"], ["b", None])
    monkeypatch.setattr(lists, "MAX_LIST", 3)
    with pytest.raises(DataError, match=r"1\.csv, row 1: the list of list 'a' has more than 3 rows"):
        found("aa", "aa")


def test_seen_lists_find_any_key_that_comes_again():
    random, seen, every = np.random.default_rng(0), SeenLists(), set()
    for _ in range(60):
        keys = random.integers(0, 10**6, random.integers(1, 40))
        repeated = [i for i, key in enumerate(keys) if key in every or key in keys[:i]]
        assert seen.add(keys) == (repeated[0] if repeated else None)
        if not repeated:
            every |= set(keys.tolist())


def test_starts_of_runs():
    assert starts_of(np.array([3, 3, 1, 1, 3])).tolist() == [0, 2, 4]
    assert starts_of(np.array([], dtype=np.int64)).tolist() == []


def schema_of(list_by):
    return Schema.model_validate(
        {
            "candidate": {"price": {"kind": "numeric"}},
            "tasks": {"click": {"kind": "binary"}},
            "within_list": {"list_by": list_by, "of": ["price"], "as": ["rank"]},
        }
    )


def test_a_log_computes_inputs_of_whole_lists_and_only_where_they_are_asked_for(tmp_path):
    (tmp_path / "a.csv").write_text("page,price,click\n007,3,0\n007,,1\n7,5,0\n")
    (tmp_path / "b.csv").write_text("page,price,click\n7,4,1\n8,1,0\n")
    schema = schema_of("page")
    log = Log([tmp_path], schema_kinds(schema)).with_lists(ListInputs.of_schema(schema))
    chunks = list(log.chunks([*schema.encoded_columns(), "click"]))
    assert [chunk.number for chunk in chunks] == [0, 2, 3, 4]  # 7 is in both files
    columns = {name: np.concatenate([c.columns[name] for c in chunks]).tolist() for name in schema.list_inputs}
    np.testing.assert_equal(columns["within_list(price).rank"], [0.5, np.nan, 1, 0, 0.5])
    np.testing.assert_allclose(columns[LIST_SIZE], np.log1p([2, 2, 2, 2, 1]))
    assert [chunk.rows for chunk in log.chunks(["price"])] == [3, 2]
    with pytest.raises(DataError, match="has no column"):
        next(Log([tmp_path]).chunks([LIST_SIZE]))


def test_one_log_is_not_read_for_two_kinds_of_lists(tmp_path):
    (tmp_path / "a.csv").write_text("page,price,click\n1,3,0\n")
    log = Log([tmp_path]).with_lists(ListInputs.of_schema(schema_of("page")))
    assert log.with_lists(None).lists == log.lists
    with pytest.raises(DataError, match="two schemas with lists by page and by page, user"):
        log.with_lists(ListInputs.of_schema(schema_of(["page", "user"])))
