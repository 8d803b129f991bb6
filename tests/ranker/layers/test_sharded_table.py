import numpy as np
import pytest
import tensorflow as tf

from ranker.encoding.layout import LayoutBuilder
from ranker.layers import Embedding
from ranker.layers.sharded_table import BLOCK, Partition, ShardedTable, draw, put_rows, rows_of, scatter_rows

ROWS = np.arange(22, dtype=np.float32).reshape(11, 2)


def sharded(rows=ROWS, size=4):
    return ShardedTable([tf.Variable(rows[start : start + size]) for start in range(0, len(rows), size)])


@pytest.mark.parametrize(
    ("servers", "shard_bytes", "shards"),
    [
        (4, 1, [3, 3, 3, 1]),
        (4, 80, [10]),  # 10 rows of 2 floats are 80 bytes
        (4, 79, [10]),
        (4, 40, [5, 5]),
        (4, 27, [5, 5]),
        (4, 20, [3, 3, 3, 1]),
        (1, 1, [10]),
        (40, 1, [1] * 10),
    ],
)
def test_a_table_has_a_shard_for_each_server_whose_bytes_are_worth_one(servers, shard_bytes, shards):
    assert Partition(servers, shard_bytes).shards(10, 2) == shards


def test_a_partition_among_no_server_or_by_no_bytes_is_refused():
    with pytest.raises(ValueError, match="servers must be at least 1, got 0"):
        Partition(0, 1)
    with pytest.raises(ValueError, match="shard_bytes must be at least 1, got 0"):
        Partition(1, 0)


def test_rows_are_found_in_their_shards_and_each_is_fetched_once():
    table = sharded()
    ids = tf.constant([[10, 0, 3], [4, 10, 10]])
    np.testing.assert_array_equal(table.gather(ids), ROWS[ids.numpy()])
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(table.gather(ids))
    gradients = tape.gradient(total, table.shards)
    assert all(isinstance(gradient, tf.IndexedSlices) for gradient in gradients)
    read = [(gradient.indices.numpy().tolist(), gradient.values.numpy()[:, 0].tolist()) for gradient in gradients]
    assert read == [([0, 3], [1, 1]), ([0], [1]), ([2], [3])]  # row 10, read three times, is one row of the gradient


def test_rows_are_read_and_written_across_shards():
    table = sharded()
    np.testing.assert_array_equal(rows_of(table, 3, 9), ROWS[3:9])
    put_rows(table, 3, -ROWS[3:9])
    scatter_rows(table, np.array([0, 9, 10]), np.full((3, 2), 7.0))
    expected = np.concatenate([[[7.0, 7.0]], ROWS[1:3], -ROWS[3:9], [[7.0, 7.0]] * 2])
    np.testing.assert_array_equal(rows_of(table, 0, 11), expected)
    assert table.shape == (11, 2)


def test_rows_do_not_depend_on_the_number_of_shards():
    rows = BLOCK + 3
    tables = [sharded(np.zeros((rows, 1), np.float32), size) for size in (rows, 1000)]
    for table in tables:
        draw(table, 0.5, (3, 1))
    first, second = (rows_of(table, 0, rows) for table in tables)
    np.testing.assert_array_equal(first, second)
    assert -0.5 <= first.min() < -0.49
    assert 0.49 < first.max() <= 0.5
    assert first[-1] != first[2]  # of the second block and of the first
    draw(tables[0], 0.5, (4, 1))
    assert (rows_of(tables[0], 0, rows) != first).mean() > 0.99


def test_an_embedding_in_shards_looks_up_what_a_whole_one_does():
    builder = LayoutBuilder()
    builder.table("item", 7, 2)
    builder.ids("context", "history", "item", length=3, pooling="mean")
    builder.ids("candidate", "item", "item")
    layout = builder.build()
    whole, parts = Embedding(layout, l2=0.1), Embedding(layout, l2=0.1, partition=Partition(3, 1))
    put_rows(parts.tables["2"], 0, whole.tables["2"].numpy())
    inputs = {"context_ids": tf.constant([[2, 6, 0], [5, 5, 1]]), "candidate_ids": tf.constant([[3], [6]])}
    for sides in zip(whole(inputs, training=True)[0], parts(inputs, training=True)[0], strict=True):
        np.testing.assert_array_equal(*sides)
    assert float(tf.add_n(whole.losses)) == pytest.approx(float(tf.add_n(parts.losses)))
    assert [v.shape[0] for v in parts.table_variables] == [3, 3, 1]
    assert {v.ref() for v in parts.table_variables} == {v.ref() for v in parts.trainable_variables}


def test_an_embedding_in_shards_is_drawn_from_its_seed_and_drawn_anew():
    builder = LayoutBuilder()
    builder.table("item", 7, 2)
    builder.ids("candidate", "item", "item")
    layout = builder.build()
    first, second, other = (Embedding(layout, partition=Partition(2, 1), seed=seed) for seed in (1, 1, 2))
    start = [rows_of(layer.tables["2"], 0, 7) for layer in (first, second, other)]
    np.testing.assert_array_equal(start[0], start[1])
    assert (start[0] != start[2]).all()
    first.reinitialise(2)
    np.testing.assert_array_equal(rows_of(first.tables["2"], 0, 7), start[2])
