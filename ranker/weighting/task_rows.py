"""Per-task gradients of embedding tables, restricted to the rows a batch read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ranker import replicas
from ranker.lazy_tensorflow import tf


class TaskRows(NamedTuple):
    """Per-task gradients of the U rows of a table that any task reached."""

    rows: tf.Tensor
    values: tf.Tensor
    """Gradients [T, U, ...]."""
    table: tf.Variable

    def mixed(self, weights: tf.Tensor) -> tf.IndexedSlices:
        """Sum of the tasks' gradients with weights [T]; each row occurs once."""
        values = tf.einsum("t,t...->...", tf.cast(weights, self.values.dtype), self.values)
        return tf.IndexedSlices(values, self.rows, tf.constant(self.table.shape.as_list()))  # without reading the table

    def summed(self) -> TaskRows:
        """The sums over replicas of the tasks' gradients, for the rows that any replica has."""
        if replicas.count() == 1:
            return self
        tasks, values = self.values.shape[0], tf.experimental.numpy.moveaxis(self.values, 0, 1)  # [U, T, ...]
        flat = tf.reshape(values, [-1, tasks * self.table.shape[1:].num_elements()])
        found = replicas.distinct(replicas.summed(tf.IndexedSlices(flat, self.rows, tf.shape(flat))))
        values = tf.reshape(found.values, [-1, tasks, *self.table.shape[1:]])
        return TaskRows(found.indices, tf.experimental.numpy.moveaxis(values, 1, 0), self.table)


def by_task_rows(gradients: Sequence[tf.IndexedSlices | tf.Tensor | None], table: tf.Variable) -> TaskRows:
    """Per-task rows of T gradients, ``None`` for a task that does not reach the table; repeated rows are summed."""
    slices = [_slices(gradient, table) for gradient in gradients]
    every, places = tf.unique(tf.concat([part.indices for part in slices], axis=0))
    count, summed = tf.size(every), []
    sizes = [tf.size(part.indices) for part in slices]
    for part, place in zip(slices, tf.split(places, sizes), strict=True):
        summed.append(tf.math.unsorted_segment_sum(part.values, place, count))
    return TaskRows(every, tf.stack(summed), table)


def _slices(gradient: tf.IndexedSlices | tf.Tensor | None, table: tf.Variable) -> tf.IndexedSlices:
    if gradient is None:
        return tf.IndexedSlices(tf.zeros([0, *table.shape[1:]], table.dtype), tf.zeros([0], tf.int32))
    if isinstance(gradient, tf.IndexedSlices):
        return tf.IndexedSlices(gradient.values, tf.cast(gradient.indices, tf.int32))
    return tf.IndexedSlices(gradient, tf.range(table.shape[0]))  # dense, as from a norm penalty
