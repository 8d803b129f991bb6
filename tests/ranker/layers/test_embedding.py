import numpy as np
import pytest
import tensorflow as tf

from ranker.encoding.layout import LayoutBuilder
from ranker.layers import Embedding


def layout():
    builder = LayoutBuilder()
    builder.table("item", 4, 2)
    builder.table("tag", 3, 2)
    builder.ids("context", "history", "item", length=3, pooling="mean")
    builder.ids("candidate", "item", "item")
    builder.ids("candidate", "tags", "tag", length=2, pooling="sum")
    builder.numbers("candidate", "price", 1)
    return builder.build()


def inputs(history, item, tags, price):
    ids = np.array([[item, *tags]], dtype=np.int32)
    return {
        "context_ids": tf.constant([history], tf.int32),
        "candidate_ids": tf.constant(ids),
        "candidate_numbers": tf.constant([[price]]),
    }


def test_lookups_pooling_and_shared_tables_by_hand():
    layer = Embedding(layout())
    layer.tables["2"].assign(np.arange(14, dtype=np.float32).reshape(7, 2))  # item: rows 0-3, tag: rows 4-6
    sides = layer(inputs([2, 3, 0], 2, [1, 0], 9.0))
    np.testing.assert_array_equal(sides.context, [[5, 6]])  # mean of rows 2 and 3; 0 is padding
    np.testing.assert_array_equal(sides.candidate, [[4, 5, 10, 11, 9]])  # item row 2, tag row 4 + 1, the number
    np.testing.assert_array_equal(layer(inputs([0, 0, 0], 2, [1, 2], 9.0)).context, [[0, 0]])
    np.testing.assert_array_equal(layer(inputs([0, 0, 0], 2, [1, 2], 9.0)).candidate[:, 2:4], [[22, 24]])


def test_id_dropout_replaces_known_ids_in_training_only():
    layer = Embedding(layout(), dropout=0.99)
    given = inputs([2, 3, 0], 2, [2, 0], 1.0)
    unknown = layer(inputs([1, 1, 0], 1, [1, 0], 1.0))
    drawn = [layer(given, training=True) for _ in range(5)]
    assert any(np.allclose(side.candidate, unknown.candidate) for side in drawn)
    assert not np.allclose(layer(given).candidate, unknown.candidate)


def test_the_penalty_is_the_mean_squared_norm_of_what_rows_look_up():
    layer = Embedding(layout(), l2=0.5)
    layer.tables["2"].assign(tf.ones([7, 2]))
    layer(inputs([2, 3, 0], 2, [1, 0], 1.0), training=True)
    assert float(tf.add_n(layer.losses)) == pytest.approx(0.5 * 2 * (3 + 3))


def test_tables_are_drawn_afresh_by_the_seed():
    layer = Embedding(layout())
    tables = []
    for seed in (1, 2, 1):
        layer.reinitialise(seed)
        tables.append(layer.tables["2"].numpy())
    np.testing.assert_array_equal(tables[0], tables[2])
    assert not np.allclose(tables[0], tables[1])


def test_a_negative_penalty_is_refused():
    with pytest.raises(ValueError, match="l2 must be at least 0, got -1"):
        Embedding(layout(), l2=-1)
