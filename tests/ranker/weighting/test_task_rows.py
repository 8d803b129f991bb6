import numpy as np
import tensorflow as tf

from ranker.weighting.task_rows import by_task_rows


def test_rows_of_tasks_that_read_different_ids():
    table = tf.Variable(tf.zeros([10, 2]))
    first = tf.IndexedSlices(tf.constant([[1.0, 0], [2, 0], [4, 4]]), tf.constant([7, 3, 7]))
    second = tf.IndexedSlices(tf.constant([[0.0, 5]]), tf.constant([3], tf.int64))
    rows = by_task_rows([first, None, second], table)
    whole = np.zeros((3, 10, 2))
    whole[:, rows.rows.numpy()] = rows.values
    expected = np.zeros((3, 10, 2))
    expected[0, 7], expected[0, 3], expected[2, 3] = [5, 4], [2, 0], [0, 5]
    np.testing.assert_array_equal(whole, expected)
    assert rows.values.shape == (3, 2, 2)
    mixed = rows.mixed(tf.constant([1.0, 1.0, 2.0]))
    np.testing.assert_array_equal(tf.convert_to_tensor(mixed), expected[0] + 2 * expected[2])


def test_a_gradient_of_the_whole_table():
    table = tf.Variable(tf.zeros([3, 1]))
    rows = by_task_rows([tf.constant([[1.0], [2], [3]])], table)
    np.testing.assert_array_equal(tf.convert_to_tensor(rows.mixed(tf.constant([2.0]))), [[2], [4], [6]])
