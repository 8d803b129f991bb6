import numpy as np

from training.simulator.history import Histories


def test_keeps_the_latest_clicks_in_order_by_hand() -> None:
    histories = Histories(users=3, length=3)
    users = np.array([2, 0, 2])
    items = np.array([[10, 11], [20, 21], [12, 13]])
    clicks = np.array([[1, 1], [0, 1], [0, 1]])
    assert histories.extend(users, items, clicks).to_pylist() == [[], [], [10, 11]]
    # User 2 has clicked 10, 11, 13 and now 14, 15: the latest three before each session.
    users = np.array([2, 1, 2, 0, 2])
    items = np.array([[14, 15], [30, 31], [16, 17], [22, 23], [18, 19]])
    clicks = np.array([[1, 1], [0, 0], [0, 0], [1, 0], [1, 1]])
    assert histories.extend(users, items, clicks).to_pylist() == [[10, 11, 13], [], [13, 14, 15], [21], [13, 14, 15]]
    users, items, clicks = np.array([0, 1, 2]), np.full((3, 2), 40), np.zeros((3, 2))
    assert histories.extend(users, items, clicks).to_pylist() == [[21, 22], [], [15, 18, 19]]


def test_no_sessions_change_nothing() -> None:
    histories = Histories(users=2, length=2)
    nothing = np.zeros((0, 3), dtype=np.int64)
    assert histories.extend(np.zeros(0, dtype=np.int64), nothing, nothing).to_pylist() == []
    one = np.array([[5]])
    assert histories.extend(np.array([1]), one, one).to_pylist() == [[]]
    assert histories.extend(np.array([1]), one, one).to_pylist() == [[5]]
