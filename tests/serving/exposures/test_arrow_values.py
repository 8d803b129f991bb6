"""Columns of requests, as they were read, become the log's types."""

import numpy as np
import pyarrow as pa
import pytest

from ranker.encoding import Ragged, Text
from serving.exposures.arrow_values import arrow_values

TIME = pa.timestamp("us")
MICROSECONDS = 1_706_704_200_000_000
AS_TIME = np.array([MICROSECONDS], "datetime64[us]")


@pytest.mark.parametrize(
    ("columns", "kind", "values"),
    [
        ([np.array([1.5, np.nan])], pa.float64(), [1.5, None]),
        ([np.array([1, 2]), [3, None]], pa.int64(), [1, 2, 3, None]),
        ([np.array([1, 2])], pa.float64(), [1.0, 2.0]),
        ([[True, 1.5, None]], pa.float64(), [1.0, 1.5, None]),
        ([np.array([2**64 - 1], np.uint64)], pa.uint64(), [2**64 - 1]),
        ([np.ma.MaskedArray([1, 2], [False, True])], pa.int64(), [1, None]),
        ([Text.of(["a", None, "é"]), ["b"]], pa.string(), ["a", None, "é", "b"]),
        ([[7, "x"]], pa.string(), ["7", "x"]),
        ([["7", "x", 2**70, 1.5, 2.0]], pa.int64(), [7, None, None, None, 2]),
        ([["\ud800", "a"]], pa.string(), [None, "a"]),
        ([[[1, None], None, []]], pa.list_(pa.int64()), [[1, None], None, []]),
        ([[["x", 1]]], pa.list_(pa.string()), [["x", "1"]]),
        ([Ragged(np.array([1.0, 2.0, 3.0]), np.array([0, 1, 3]))], pa.list_(pa.float64()), [[1.0], [2.0, 3.0]]),
        ([Ragged(Text.of(["a", "b"]), np.array([0, 2, 2]))], pa.list_(pa.string()), [["a", "b"], []]),
    ],
)
def test_values_stay_what_they_are_and_others_become_null(columns, kind, values):
    found = arrow_values(columns, kind)
    assert found.type == kind
    assert found.to_pylist() == values


@pytest.mark.parametrize(
    "column", [AS_TIME, [MICROSECONDS], np.array([MICROSECONDS]), np.array([float(MICROSECONDS)])], ids=repr
)
def test_times_are_times_in_all_forms(column):
    assert arrow_values([column], TIME).cast(pa.int64()).to_pylist() == [MICROSECONDS]


def test_missing_times_are_null():
    columns = [np.array([np.nan, 5.0]), np.array(["NaT"], "datetime64[us]"), [None]]
    for column, values in zip(columns, ([None, 5], [None], [None]), strict=True):
        assert arrow_values([column], TIME).cast(pa.int64()).to_pylist() == values
