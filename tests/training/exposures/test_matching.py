import numpy as np

from training.exposures.matching import NONE, earliest, latest


def u(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.uint64)


def i(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def test_latest_is_the_last_exposure_of_the_key_that_is_not_after_the_event() -> None:
    keys, times = u(7, 3, 7, 7), i(10, 5, 30, 20)
    found = latest(keys, times, u(7, 7, 7, 7, 3, 4), i(9, 10, 29, 99, 6, 6))
    assert found.tolist() == [NONE, 0, 3, 2, 1, NONE]


def test_earliest_is_the_first_exposure_of_the_key() -> None:
    assert earliest(u(7, 3, 7), i(10, 5, 4), u(3, 7, 9)).tolist() == [1, 2, NONE]


def test_nothing_matches_nothing() -> None:
    assert latest(u(), i(), u(1), i(1)).tolist() == [NONE]
    assert latest(u(1), i(1), u(), i()).tolist() == []
    assert earliest(u(), i(), u(1)).tolist() == [NONE]


def test_latest_agrees_with_a_search_of_all_pairs() -> None:
    random = np.random.default_rng(0)
    keys, times = random.integers(0, 20, 300).astype(np.uint64), random.permutation(300)
    event_keys, event_times = random.integers(0, 25, 500).astype(np.uint64), random.integers(-10, 320, 500)
    expected = []
    for key, time in zip(event_keys, event_times, strict=True):
        before = [n for n in range(300) if keys[n] == key and times[n] <= time]
        expected.append(max(before, key=lambda n: times[n], default=NONE))
    assert latest(keys, times, event_keys, event_times).tolist() == expected
