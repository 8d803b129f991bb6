import numpy as np
import pytest

from ranker.fusion import FusionError, Requests

KEYS = np.array([7, 3, 7, 7, 3, 9])
COLUMN = np.array([0.1, 5.0, 0.3, 0.1, 4.0, 2.0])


def test_hand_computed() -> None:
    requests = Requests.of(KEYS)
    assert requests.count == 3
    assert requests.size.tolist() == [3, 2, 3, 3, 2, 1]
    assert requests.better(COLUMN).tolist() == [1, 0, 0, 1, 1, 0]
    assert requests.least(COLUMN).tolist() == [0.1, 4.0, 0.1, 0.1, 4.0, 2.0]
    assert requests.greatest(COLUMN).tolist() == [0.3, 5.0, 0.3, 0.3, 5.0, 2.0]
    np.testing.assert_allclose(requests.mean(COLUMN), [0.5 / 3, 4.5, 0.5 / 3, 0.5 / 3, 4.5, 2.0])
    # the lower of two middle values
    assert requests.middle(COLUMN).tolist() == [0.1, 4.0, 0.1, 0.1, 4.0, 2.0]


def test_equal_to_a_loop_over_requests() -> None:
    rng = np.random.default_rng(0)
    keys, column = rng.integers(0, 40, 500), np.round(rng.random(500), 1)
    requests = Requests.of(keys.astype(str))
    for key in range(40):
        mine = column[keys == key]
        alone = Requests.one(len(mine))
        np.testing.assert_array_equal(requests.better(column)[keys == key], (mine > mine[:, None]).sum(axis=1))
        np.testing.assert_array_equal(alone.better(mine), (mine > mine[:, None]).sum(axis=1))
        assert (requests.middle(column)[keys == key] == np.sort(mine)[(len(mine) - 1) // 2]).all()
        np.testing.assert_allclose(requests.mean(column)[keys == key], mine.mean(), rtol=1e-12)


def test_no_candidates() -> None:
    for requests in (Requests.one(0), Requests.of([])):
        for result in (requests.better, requests.mean, requests.least, requests.middle):
            assert result(np.empty(0)).shape == (0,)
        assert requests.size.shape == (0,)


def test_there_is_one_key_per_candidate() -> None:
    with pytest.raises(FusionError, match=r"one key per candidate, got shape \[2, 1\]"):
        Requests.of([[1], [2]])
