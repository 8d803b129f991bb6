import numpy as np
import pytest

from ranker.encoding import Packed
from ranker.encoding.layout import LayoutBuilder
from ranker.encoding.tree_scores import Booster, TreeColumns, TreeScores

STUMP = {"threshold": [0.5], "missing_left": [True], "left": [-1], "right": [-2], "value": [-1.0, 3.0]}


def layout():
    builder = LayoutBuilder()
    for name, side in (("user", "context"), ("item", "candidate")):
        builder.table(name, 9, 4)
        builder.ids(side, name, name)
        builder.numbers(side, f"{name}_number", 2)
    builder.ids("context", "history", "item", length=3, pooling="mean")
    builder.tree_score("click", 0.0, 1.0)
    return builder.build()


ROWS = Packed(
    np.array([[2, 5, 0, 7]], dtype=np.int32),
    np.array([[0.5, -1.0]], dtype=np.float32),
    np.array([[3], [0]], dtype=np.int32),
    np.array([[1.0, 2.0, 9.0], [0.0, 4.0, 9.0]], dtype=np.float32),
)


def test_trees_read_numbers_ids_and_lengths_of_lists_but_no_scores():
    columns = TreeColumns(layout())
    names = ("user_number[0]", "user_number[1]", "user", "length(history)", "item_number[0]", "item_number[1]", "item")
    assert columns.names == names
    context, candidates = columns.of(ROWS)
    np.testing.assert_array_equal(context, [[0.5, -1.0, 2.0, 2.0]])
    np.testing.assert_array_equal(candidates, [[1.0, 2.0, 3.0], [0.0, 4.0, 0.0]])


def test_scores_and_inputs_by_hand():
    on_item, on_user = STUMP | {"feature": [4]}, STUMP | {"feature": [2]}
    boosters = {"like": Booster((on_user,), 1.0, 0.5), "click": Booster((on_item, on_user))}
    trees, columns = TreeScores(7, boosters), TreeColumns(layout())
    np.testing.assert_array_equal(trees.scores(columns, ROWS), [[3.0, 6.0], [3.0, 2.0]])
    np.testing.assert_array_equal(trees.inputs(columns, ROWS), [[1.0, 6.0], [1.0, 2.0]])


def test_restored_from_plain_data_and_arrays():
    trees = TreeScores(7, {"click": Booster((STUMP | {"feature": [4]},), 1.0, 0.5)})
    state, arrays = trees.state()
    again = TreeScores.restored(state, arrays)
    assert again.boosters["click"].trees == (STUMP | {"feature": [4]},)
    np.testing.assert_array_equal(again.inputs(TreeColumns(layout()), ROWS), [[1.0], [-1.0]])
    with pytest.raises(KeyError):
        TreeScores.restored(state, {})
