import numpy as np
import pandas as pd
import pytest

from ranker.log_files.log_reader import DataError, Log
from tests.training.stored import file_of
from training.data.split.group_column import GroupColumn


def hashed(*logs):
    """Hashes of all rows, and which rows have a group."""
    column = GroupColumn("list")
    found = [column.of(chunk) for log in logs for chunk in log.chunks(["list"])]
    return np.concatenate([hashes for hashes, _ in found]), np.concatenate([known for _, known in found])


def frame(values):
    return Log([file_of(pd.DataFrame({"list": values}))])


@pytest.mark.parametrize("kind", ["int8", "int32", "uint64", "float64"])
def test_a_number_is_one_group_in_every_type(kind):
    numbers = np.arange(100)
    hashes, known = hashed(frame(numbers), frame(numbers.astype(kind)))
    assert known.all()
    np.testing.assert_array_equal(hashes[:100], hashes[100:])
    assert len(np.unique(hashes)) == 100


@pytest.mark.parametrize(
    "values",
    [
        np.uint64(2**64 - 1) - np.arange(50, dtype=np.uint64),
        2**60 + np.arange(50),
        np.arange(50) / 7,
        [f"list {i}" for i in range(50)],
        pd.date_range("2026-01-01", periods=50),
    ],
)
def test_distinct_values_are_distinct_groups(values):
    hashes, known = hashed(frame(values))
    assert known.all()
    assert len(np.unique(hashes)) == 50


@pytest.mark.parametrize(
    "values", [["a", None, "", "a"], [1.0, np.nan, None, 1.0], [pd.Timestamp(0), None, None, pd.Timestamp(0)]]
)
def test_null_and_empty_text_are_no_group(values):
    hashes, known = hashed(frame(values))
    assert known.tolist() == [True, False, False, True]
    assert hashes[0] == hashes[3]


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_an_infinite_number_is_refused_with_its_row(value):
    with pytest.raises(DataError, match=r"\.parquet, row 1, column 'list': an infinite number cannot be a group"):
        hashed(frame([1.0, value, np.nan]))


def test_columns_that_cannot_be_groups_are_named(tmp_path):
    with pytest.raises(DataError, match="column 'list': holds lists; a group must be one value per row"):
        hashed(frame([[1], [2]]))
    paths = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    for path, value in zip(paths, (1, "1"), strict=True):
        pd.DataFrame({"list": [value]}).to_parquet(path)
    with pytest.raises(DataError, match=r"'list' holds numbers in .*a\.parquet .*and text in .*b\.parquet"):
        hashed(*(Log([path]) for path in paths))
