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
    (sides,) = layer(inputs([2, 3, 0], 2, [1, 0], 9.0))
    np.testing.assert_array_equal(sides.context, [[5, 6]])  # mean of rows 2 and 3; 0 is padding
    np.testing.assert_array_equal(sides.candidate, [[4, 5, 10, 11, 9]])  # item row 2, tag row 4 + 1, the number
    np.testing.assert_array_equal(layer(inputs([0, 0, 0], 2, [1, 2], 9.0))[0].context, [[0, 0]])
    np.testing.assert_array_equal(layer(inputs([0, 0, 0], 2, [1, 2], 9.0))[0].candidate[:, 2:4], [[22, 24]])


def test_id_dropout_replaces_known_ids_in_training_only():
    layer = Embedding(layout(), dropout=0.99)
    given = inputs([2, 3, 0], 2, [2, 0], 1.0)
    (unknown,) = layer(inputs([1, 1, 0], 1, [1, 0], 1.0))
    drawn = [layer(given, training=True)[0] for _ in range(5)]
    assert any(np.allclose(side.candidate, unknown.candidate) for side in drawn)
    assert not np.allclose(layer(given)[0].candidate, unknown.candidate)


def test_the_penalty_is_the_mean_squared_norm_of_looked_up_embeddings():
    layer = Embedding(layout(), l2=0.5)
    layer.tables["2"].assign(tf.ones([7, 2]))
    layer(inputs([2, 3, 0], 2, [1, 0], 1.0), training=True)
    assert float(tf.add_n(layer.losses)) == pytest.approx(0.5 * 2 * (3 + 3))


def test_tables_are_initialised_from_the_seed():
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


def test_embedding_sets_are_stored_side_by_side():
    layer = Embedding(layout(), sets=2)
    layer.tables["2"].assign(np.arange(28, dtype=np.float32).reshape(7, 4))
    first, second = layer(inputs([2, 3, 0], 2, [1, 0], 9.0))
    np.testing.assert_array_equal(first.context, [[10, 11]])  # mean of (8, 9) and (12, 13)
    np.testing.assert_array_equal(second.context, [[12, 13]])
    np.testing.assert_array_equal(first.candidate, [[8, 9, 20, 21, 9]])
    np.testing.assert_array_equal(second.candidate, [[10, 11, 22, 23, 9]])


def test_zero_embedding_sets_are_rejected():
    with pytest.raises(ValueError, match="sets must be at least 1, got 0"):
        Embedding(layout(), sets=0)
    with pytest.raises(ValueError, match="members must divide the 3 sets, got 2"):
        Embedding(layout(), sets=3, members=2)


def attending(pooling, heads=1):
    builder = LayoutBuilder()
    builder.table("item", 4, 2)
    builder.ids("context", "history", "item", length=3, pooling=pooling, attends=True, heads=heads)
    builder.ids("candidate", "item", "item")
    builder.numbers("candidate", "price", 1)
    return Embedding(builder.build(), scale=1.0)


def candidates(history, items):
    return {
        "context_ids": tf.constant(history, tf.int32),
        "candidate_ids": tf.constant([[item] for item in items], tf.int32),
        "candidate_numbers": tf.ones([len(items), 1]),
    }


@pytest.mark.parametrize("pooling", ["din", "multi_head"])
def test_target_attention_is_part_of_the_candidate_and_reads_its_table(pooling):
    layer = attending(pooling)
    (split,) = layer(candidates([[2, 3, 0]], [1, 2, 3]))
    (joined,) = layer(candidates([[2, 3, 0]] * 3, [1, 2, 3]))
    assert split.context.shape == (1, 0)
    assert split.candidate.shape == (3, 2 + 1 + 2)
    assert len(layer.tables) == 1
    np.testing.assert_allclose(split.candidate, joined.candidate, atol=1e-6)
    assert np.ptp(split.candidate.numpy()[:, 3:], axis=0).min() > 1e-4  # candidates hear different things


@pytest.mark.parametrize("pooling", ["din", "multi_head"])
def test_padding_has_no_effect_and_an_empty_list_gives_zeros(pooling):
    layer = attending(pooling)
    (empty,) = layer(candidates([[0, 0, 0]], [1, 2]))
    np.testing.assert_array_equal(empty.candidate[:, 3:], np.zeros((2, 2)))
    before = layer(candidates([[2, 0, 0]], [1, 2]))[0].candidate.numpy()
    layer.tables["2"].assign(tf.tensor_scatter_nd_update(layer.tables["2"], [[0]], [[9.0, 9.0]]))
    np.testing.assert_allclose(layer(candidates([[2, 0, 0]], [1, 2]))[0].candidate, before)


@pytest.mark.parametrize("heads", [1, 2, 3])
def test_multi_head_attention_by_hand(heads):
    layer = attending("multi_head", heads)
    table = layer.tables["2"].numpy()
    (got,) = layer(candidates([[2, 3, 0]], [1]))
    pooling = layer.poolings[0]["history"]
    q, k, v = (pooling.kernels[part].numpy() for part in ("target", "key", "value"))
    size, mixed = pooling.size, []
    for head in range(heads):
        at = slice(head * size, (head + 1) * size)
        scores = np.exp([table[1] @ q[:, at] @ (table[i] @ k[:, at]) / size**0.5 for i in (2, 3)])
        mixed.append(sum(s * table[i] @ v[:, at] for s, i in zip(scores / scores.sum(), (2, 3), strict=True)))
    np.testing.assert_allclose(got.candidate[0, 3:], np.concatenate(mixed) @ pooling.out.numpy(), rtol=1e-4, atol=1e-6)


def test_din_by_hand():
    layer = attending("din")
    table = layer.tables["2"].numpy()
    (got,) = layer(candidates([[2, 3, 0]], [1]))
    unit = layer.poolings[0]["history"]
    kernels = {part: kernel.numpy() for part, kernel in unit.kernels.items()}

    def weight(key):
        hidden = key @ kernels["key"] + table[1] @ kernels["target"] + (key * table[1]) @ kernels["product"]
        return (1 / (1 + np.exp(-hidden)) @ unit.out.numpy())[0]

    expected = sum(weight(table[i]) * table[i] for i in (2, 3))
    np.testing.assert_allclose(got.candidate[0, 3:], expected, rtol=1e-4, atol=1e-6)


def test_pooling_weights_are_dense_variables():
    layer = attending("din")
    layer(candidates([[2, 3, 0]], [1]))
    assert {v.ref() for v in layer.dense_variables} == {v.ref() for v in layer.trainable_variables} - {
        v.ref() for v in layer.tables.values()
    }
