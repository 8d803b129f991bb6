import numpy as np
import pytest

from ranker.encoding.columns import ColumnError, Ragged
from ranker.encoding.kinds.dense import vectors
from tests.ranker.encoding.kinds.example import Example

EXAMPLE = Example({"kind": "dense", "size": 2}, [[1.5, -2.0], [0.0, 3.0], [4.0, 5.0]], [1.5, "a"], "row 1: 'a' is not")


@pytest.mark.parametrize(
    "column",
    [
        [[1, 2.5], None, [0, 0]],
        [np.array([1, 2.5]), [], (0, 0)],
        np.ma.MaskedArray([[1, 2.5], [9, 9], [0, 0]], mask=[[0, 0], [1, 1], [0, 0]]),
        np.array([[1, 2.5], [0, 0], [0, 0]], dtype=np.float32),
        Ragged(np.array([1, 2.5, 0, 0]), np.array([0, 2, 2, 4])),
    ],
)
def test_vectors_of_every_form(column):
    found = vectors(column, "x", 2)
    assert found.tolist() == [[1, 2.5], [0, 0], [0, 0]]
    assert found.dtype == np.float32


@pytest.mark.parametrize(
    ("column", "text"),
    [
        ([[1, 2], [1, 2, 3]], r"row 1: \[1, 2, 3\] is not a vector of 2 numbers; it has 3"),
        (np.zeros((4, 3)), r"row 0: .* is not a vector of 2 numbers; it has 3"),
        ([[1, 2], None, [1, "a"]], r"row 2: 'a' is not a list whose every value is a number"),
        ([[1, 2], None, [1, float("inf")]], r"row 2: inf is not a list whose every value is a finite number"),
        ([[1, 2], [1, None]], r"row 1: \[1.0, nan\] is not a vector without missing numbers"),
        (np.array([[1, 2], [1, np.nan]]), r"row 1: .* is not a vector without missing numbers"),
        (np.array([[1, 2], [1, 1e300]]), r"row 1: 1e\+300 is not a list whose every value is a finite number"),
        (np.ma.MaskedArray([[1, 2], [3, 4]], mask=[[0, 0], [0, 1]]), r"row 1: .* without missing numbers"),
        ([[1, 2], "ab"], r"row 1: 'ab' is not a list"),
        (np.array([["1", "2"]]), r"row 0: '1' is not a list whose every value is a number"),
    ],
)
def test_invalid_vectors_are_rejected(column, text):
    with pytest.raises(ColumnError, match=text):
        vectors(column, "x", 2)


def test_no_vectors():
    assert vectors([], "x", 3).shape == (0, 3)
    assert vectors(np.zeros((0, 3)), "x", 3).shape == (0, 3)
