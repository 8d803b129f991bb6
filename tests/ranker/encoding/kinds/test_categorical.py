import numpy as np
import pytest

from ranker.encoding import ColumnError, Text
from ranker.encoding.columns import MISSING
from ranker.encoding.kinds.base import Part
from ranker.encoding.kinds.categorical import Categorical, CategoricalBlock, CategoricalEncoding
from ranker.encoding.vocabulary import HashedVocabulary, Vocabulary
from tests.ranker.encoding.kinds.example import Example

EXAMPLE = Example({"kind": "categorical"}, ["a", "b", "c"], 1.5, "row 1: 1.5 is not a string")

CODERS = {
    "close": Vocabulary("integer", np.arange(100, 200)[::-1]),
    "city": Vocabulary("string", ["Bern", "Chur"]),
    "far": Vocabulary("integer", np.array([7, 2**40, -(2**50)])),
    "hashed": HashedVocabulary(50, "integer"),
    "few": Vocabulary("integer", np.array([3, -1, 4])),
    "none": Vocabulary(None, np.array([], dtype=np.int64)),
}
PLACES = {"close": 4, "city": 0, "far": 6, "hashed": 1, "few": 3, "none": 2}
VALUES = {
    "close": [150, 199, 200, 99, 100],
    "city": ["Chur", "Bern", "Basel", "", "Bern"],
    "far": [2**40, 8, 7, -(2**50), 0],
    "hashed": [1, 2, 3, 4, 2**60],
    "few": [-1, 3, 5, 2**63 - 1, -(2**63) + 1],
    "none": [1, 2, 3, 4, 5],
}


def part_of(name):
    ids = np.random.default_rng(len(name)).permutation(CODERS[name].size).astype(np.int32)
    encoding = CategoricalEncoding(Categorical(kind="categorical"), CODERS[name], ids)
    return Part(name, f"column {name}", encoding, slice(PLACES[name], PLACES[name] + 1), None)


BLOCK = CategoricalBlock([part_of(name) for name in CODERS])


def given(values, **others):
    return {f"column {name}": others.get(name, column) for name, column in values.items()}


@pytest.mark.parametrize(
    "columns",
    [
        VALUES,
        {**VALUES, **{name: np.array(VALUES[name]) for name in ("close", "far", "few")}},
        {**VALUES, "close": [None, 150, None, 1, 2], "few": [3, None, 4, 4, None]},
        {**VALUES, "close": np.array([150.0, np.nan, 1, 2, 3]), "city": [None, "Bern", None, "Chur", "x"]},
        {**VALUES, "few": np.ma.MaskedArray([3, 4, 5, -1, 0], [1, 0, 0, 1, 0]), "city": Text.of(VALUES["city"])},
        {**VALUES, "few": [True, False, True, 3, 4]},
        {name: column[:1] for name, column in VALUES.items()},
        {name: [] for name in VALUES},
    ],
)
def test_a_block_encodes_each_feature_as_if_alone(columns):
    rows = len(columns["city"])
    codes = BLOCK.codes(given(columns), rows)
    by_column = np.full((8, rows), -9, dtype=np.int32)
    BLOCK.write(by_column, np.empty((0, rows), dtype=np.float32), {}, codes)
    for name, coder in CODERS.items():
        alone = coder.codes(columns[name], name)
        np.testing.assert_array_equal(codes[name], alone)
        np.testing.assert_array_equal(by_column[PLACES[name]], part_of(name).encoding.table[alone])
    assert (by_column[[5, 7]] == -9).all()  # no feature's


@pytest.mark.parametrize(
    ("name", "column", "row"),
    [
        ("close", [1, 2, "x", 4, 5], 2),
        ("few", [1, 2, 3, 4, 2.5], 4),
        ("few", [1, MISSING, 3, 4, 5], 1),
        ("few", np.array([1, 2, 3, MISSING, 5]), 3),
        ("city", ["a", 1, "c", "d", "e"], 1),
    ],
)
def test_an_invalid_value_is_reported(name, column, row):
    with pytest.raises(ColumnError, match=f"column 'column {name}', row {row}"):
        BLOCK.codes(given(VALUES, **{name: column}), 5)


def test_no_features():
    assert CategoricalBlock([]).codes({}, 3) == {}
