import numpy as np
import pytest

from ranker.encoding.row_moves import RowMoves, moved


def test_rows_with_equal_keys_move_and_the_others_are_fresh():
    moves = RowMoves.between(["missing", "a", "b", "c"], ["missing", "c", "new", "a"])
    old, fresh = np.arange(8.0).reshape(4, 2), -np.ones((4, 2))
    assert moved(old, fresh, [moves, RowMoves.identity(2)]).tolist() == [[0, 1], [6, 7], [-1, -1], [2, 3]]
    assert (fresh == -1).all()


def test_columns_move_with_rows():
    rows, columns = RowMoves.between("ab", "ba"), RowMoves.between("xy", "yzx")
    assert moved(np.array([[1, 2], [3, 4]]), np.zeros((2, 3)), [rows, columns]).tolist() == [[4, 0, 3], [2, 0, 1]]


def test_parts_of_a_table_move_to_their_new_places():
    parts = [(0, 3, RowMoves.identity(2)), (5, 0, RowMoves.between("abc", "c"))]
    joined = RowMoves.joined(parts)
    assert dict(zip(joined.targets.tolist(), joined.sources.tolist(), strict=True)) == {3: 0, 4: 1, 0: 7}
    assert len(RowMoves.joined([]).targets) == 0


def test_only_a_table_whose_rows_all_stay_is_unchanged():
    assert RowMoves.identity(3).is_identity(3, 3)
    assert not RowMoves.identity(3).is_identity(3, 4)
    assert not RowMoves.between("ab", "ba").is_identity(2, 2)


def test_a_new_row_comes_from_one_old_row():
    with pytest.raises(ValueError, match="targets must be distinct"):
        RowMoves(np.array([0, 1]), np.array([2, 2]))
    with pytest.raises(ValueError, match="one length, got 1, 2"):
        RowMoves(np.array([0]), np.array([1, 2]))
