import lightgbm
import numpy as np
import pytest

from ranker.trees import MOST_LEAVES, Trees, arrays_of, packed, unpacked

BY_HAND = {
    # x0 <= 0.5 ? (x1 <= 2 ? 1 : 10) : 100, a missing x0 to the right and a missing x1 to the left
    "feature": [0, 1],
    "threshold": [0.5, 2.0],
    "missing_left": [False, True],
    "left": [1, -1],
    "right": [-3, -2],
    "value": [1.0, 10.0, 100.0],
}
LEAF = {"feature": [], "threshold": [], "missing_left": [], "left": [], "right": [], "value": [0.25]}
NAN = float("nan")


def test_two_trees_by_hand():
    rows = np.array([[0.5, 2.0], [0.5, 2.1], [0.51, 0.0], [NAN, 0.0], [0.0, NAN], [-1e300, 1e300]])
    np.testing.assert_array_equal(Trees(2, [BY_HAND])(rows), [1, 10, 100, 100, 1, 10])
    np.testing.assert_array_equal(Trees(3, [BY_HAND, LEAF])(np.pad(rows, ((0, 0), (0, 1))))[:3], [1.25, 10.25, 100.25])
    assert Trees(2, [BY_HAND])(np.empty((0, 2))).shape == (0,)
    np.testing.assert_array_equal(Trees(2, [LEAF])(rows), [0.25] * 6)


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("leaves", [2, 7, 16, 32, MOST_LEAVES])
def test_scores_equal_lightgbms(leaves, missing):
    rng = np.random.default_rng(leaves)
    inputs = rng.normal(size=(3000, 4)).round(1)  # values that lie on thresholds
    label = np.sin(2 * inputs[:, 0]) + inputs[:, 1] * inputs[:, 2]
    if missing:
        inputs[rng.random(inputs.shape) < 0.2] = NAN
    options = {"num_leaves": leaves, "min_data_in_leaf": 5, "verbosity": -1, "num_threads": 1}
    booster = lightgbm.train(options, lightgbm.Dataset(inputs, label), 40)
    other = rng.normal(size=(500, 4)).round(1)
    other[rng.random(other.shape) < 0.1] = NAN  # also where none was missing in fitting
    for rows in (inputs, other):
        np.testing.assert_allclose(Trees(4, arrays_of(booster))(rows), booster.predict(rows), rtol=0, atol=1e-9)


def test_a_booster_without_splits_predicts_the_mean():
    booster = lightgbm.train({"verbosity": -1}, lightgbm.Dataset(np.zeros((200, 2)), np.full(200, 3.0)), 5)
    np.testing.assert_allclose(Trees(2, arrays_of(booster))(np.zeros((3, 2))), booster.predict(np.zeros((3, 2))))


def test_groups_of_trees_on_a_shared_context_row():
    rng = np.random.default_rng(3)
    inputs = rng.normal(size=(2000, 5)).astype(np.float32)
    options = {"num_leaves": 20, "verbosity": -1, "num_threads": 1}
    first = lightgbm.train(options, lightgbm.Dataset(inputs, inputs[:, 0] * inputs[:, 3]), 7)
    second = lightgbm.train(options, lightgbm.Dataset(inputs, inputs[:, 1] + inputs[:, 4]), 5)
    trees = Trees(5, [*arrays_of(first), *arrays_of(second)])
    rows = np.concatenate([np.repeat(inputs[:1, :2], 1500, axis=0), inputs[:1500, 2:]], axis=1)
    sums = trees.sums([7, 5], inputs[:1, :2], inputs[:1500, 2:])
    np.testing.assert_allclose(sums, np.column_stack([b.predict(rows) for b in (first, second)]), rtol=0, atol=1e-9)
    np.testing.assert_array_equal(sums, trees.sums([7, 5], rows))
    assert trees.sums([7, 5], inputs[:1, :2], inputs[:0, 2:]).shape == (0, 2)


@pytest.mark.parametrize("leaves", [3, 8, 40, MOST_LEAVES])
def test_a_shared_row_and_single_precision_send_rows_to_the_same_leaves(leaves):
    rng = np.random.default_rng(leaves)
    inputs = rng.normal(size=(3000, 6)).astype(np.float32)
    inputs[rng.random(inputs.shape) < 0.1] = NAN
    label = np.nan_to_num(inputs).sum(axis=1) + np.nan_to_num(inputs[:, 0] * inputs[:, 4])
    options = {"num_leaves": leaves, "min_data_in_leaf": 5, "verbosity": -1, "num_threads": 1}
    trees = Trees(6, arrays_of(lightgbm.train(options, lightgbm.Dataset(inputs, label), 30)))
    for context in inputs[:20, :3]:
        rows = np.concatenate([np.repeat(context[None], 600, axis=0), inputs[:600, 3:]], axis=1)
        by_row = [trees.sums([10, 20], row[None])[0] for row in rows[:30]]
        shared = trees.sums([10, 20], context[None], np.asfortranarray(inputs[:600, 3:]))
        np.testing.assert_allclose(shared[:30], by_row, rtol=0, atol=1e-12)
        np.testing.assert_allclose(shared, trees.sums([10, 20], rows.astype(np.float64)), rtol=0, atol=1e-12)


def test_single_precision_is_compared_with_thresholds_between_its_numbers():
    near = np.float32(0.1)
    thresholds = [float(near) - 1e-12, float(near) + 1e-12, 1e300, -1e300]
    found = [
        Trees(1, [BY_HAND | {"feature": [0, 0], "threshold": [threshold, -1e301]}])(np.full((2, 1), near))[0]
        for threshold in thresholds
    ]
    assert found == [100, 10, 10, 100]


def test_thresholds_below_all_numbers_of_single_precision_raise_no_warning():
    lowest = np.finfo(np.float32).min
    values = np.array([[-np.inf], [lowest], [0.0]], dtype=np.float32)
    for threshold, expected in [(lowest, [10, 10, 100]), (float(lowest) * (1 + 1e-9), [10, 100, 100])]:
        tree = BY_HAND | {"feature": [0, 0], "threshold": [float(threshold), -np.inf], "value": [10.0, 10.0, 100.0]}
        np.testing.assert_array_equal(Trees(1, [tree])(values), expected)


def test_trees_are_the_same_once_saved():
    arrays = packed([BY_HAND, LEAF, BY_HAND])
    assert unpacked(arrays) == [BY_HAND, LEAF, BY_HAND]
    assert unpacked(packed([])) == []
    with pytest.raises(ValueError, match="left: expected 4 entries, got 3"):
        unpacked({**arrays, "left": arrays["left"][:3]})
