"""The latest request before an event."""

import numpy as np

from training.experiments.latest import Latest


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
