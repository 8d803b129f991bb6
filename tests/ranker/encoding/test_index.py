import numpy as np
import pytest

from ranker.encoding.index import Index
from ranker.encoding.text import splitmix64

LOW, TOP = -(2**63) + 1, 2**63 - 1
RANDOM = np.random.default_rng(3)


@pytest.mark.parametrize(
    "values",
    [
        np.arange(1000),
        np.arange(1000)[::-1] - 500,
        np.array([TOP, TOP - 1, TOP - 5]),
        np.array([LOW, LOW + 3]),
        np.array([LOW, 0, TOP]),
        np.array([7]),
        RANDOM.permutation(5000) * 2**40,
        RANDOM.permutation(5000) << 32,
        np.unique(RANDOM.integers(LOW, TOP, 5000)),
    ],
)
def test_exactly_the_indexed_values_are_found(values):
    index = Index.of(values)
    np.testing.assert_array_equal(index.positions(values), np.arange(len(values)))
    near = np.concatenate([values[values < TOP] + 1, values[values > LOW] - 1, [0, LOW, TOP, LOW - 1]])
    known = dict(zip(values.tolist(), range(len(values)), strict=True))
    expected = [known.get(value, -1) for value in near.tolist()]
    assert index.positions(near).tolist() == expected
    assert [index.position(value) for value in near[:200].tolist()] == expected[:200]


def test_an_empty_index_finds_nothing():
    assert Index.of(np.array([], dtype=np.int64)).positions(np.array([0, LOW, TOP])).tolist() == [-1, -1, -1]
    assert Index.of(np.arange(3)).positions(np.array([], dtype=np.int64)).tolist() == []


def test_a_look_up_reads_few_positions():
    # With at least two prefixes a value, 9 of 50,000 falling on one prefix would be a fault of the hash.
    assert len(Index.of(np.arange(50_000) * 2**20)._steps) <= 9


def test_splitmix64_matches_its_published_sequence():
    # The first draws from the states 0 and 1234567.
    mixed = splitmix64(np.array([0, 1234567], dtype=np.uint64))
    assert mixed.tolist() == [0xE220A8397B1DCDAF, 6457827717110365317]
