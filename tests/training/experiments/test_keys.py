"""Keys of texts, and the latest request before an event."""

import numpy as np
import pyarrow as pa

from training.experiments.keys import Latest, joined, keys_of


def test_equal_texts_have_equal_keys_in_every_arrow_type():
    texts = ["a", None, "7", "", "a", "é"]
    plain, present = keys_of(pa.array(texts))
    parts = [pa.array(part).dictionary_encode() for part in (texts[:2], texts[2:])]
    coded, also = keys_of(pa.chunked_array(parts))
    assert plain.tolist() == coded.tolist()
    assert present.tolist() == also.tolist() == [True, False, True, False, True, True]
    assert plain[0] == plain[4]
    assert len(set(plain[present].tolist())) == 3
    assert keys_of(pa.array([7]))[0][0] == plain[2]
    assert keys_of(pa.nulls(2, pa.string()))[1].tolist() == [False, False]
    assert [len(part) for part in keys_of(pa.array([], pa.string()))] == [0, 0]


def test_a_joined_key_depends_on_the_order_and_on_every_part():
    a, b = np.array([1, 1, 2], np.uint64), np.array([2, 3, 1], np.uint64)
    assert len({*joined(a, b).tolist(), *joined(b, a).tolist()}) == 4  # (1, 2) and (2, 1) are in both
    assert (joined(a, b) == joined(a, b)).all()


def test_the_latest_row_before_a_time_is_that_of_a_plain_search():
    rng = np.random.default_rng(0)
    keys, times = rng.integers(0, 9, 60).astype(np.uint64), rng.permutation(1000)[:60] + 5
    asked, at = rng.integers(0, 12, 500).astype(np.uint64), rng.integers(-50, 1100, 500)
    found, known = Latest(keys, times).find(asked, at)
    for key, time, row, has in zip(asked, at, found, known, strict=True):
        rows = np.flatnonzero((keys == key) & (times <= time))
        assert has == (keys == key).any()
        assert row == (rows[np.argmax(times[rows])] if rows.size else -1)


def test_nothing_is_found_among_no_rows():
    found, known = Latest(np.empty(0, np.uint64), np.empty(0, np.int64)).find(np.array([1], np.uint64), np.array([5]))
    assert (found.tolist(), known.tolist()) == ([-1], [False])
