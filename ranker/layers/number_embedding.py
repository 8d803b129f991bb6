"""Embeds numbers in the graph: piecewise linear and periodic.

Gorishniy, Rubachev and Babenko, "On Embeddings for Numerical Features in Tabular Deep Learning", NeurIPS 2022.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby

from ranker.encoding.layout import NumberField, Periodic, Piecewise
from ranker.lazy_tensorflow import Layer, tf


class PeriodicEmbedding(Layer):
    """``relu(W [sin(2 pi c x), cos(2 pi c x)] + b)`` with trainable frequencies c, drawn from N(0, sigma^2).

    The numbers of one field have frequencies, weights and biases of their own.
    """

    def __init__(self, numbers: int, options: Periodic, name: str) -> None:
        super().__init__(name=name)
        count, width = options.frequencies, options.dimension
        limit = 1.0 / math.sqrt(2 * count)
        self.frequencies = self.add_weight(
            name="frequencies",
            shape=(numbers, count),
            initializer=tf.keras.initializers.RandomNormal(stddev=options.sigma),
        )
        self.kernel = self.add_weight(
            name="kernel",
            shape=(numbers, 2 * count, width),
            initializer=tf.keras.initializers.RandomUniform(-limit, limit),
        )
        self.bias = self.add_weight(name="bias", shape=(numbers, width), initializer="zeros")

    def call(self, numbers: tf.Tensor) -> tf.Tensor:
        """Map numbers [B, F] to [B, F D]."""
        angles = 2 * math.pi * self.frequencies * numbers[:, :, None]
        waves = tf.concat([tf.sin(angles), tf.cos(angles)], axis=2)
        mixed = tf.matmul(waves[:, :, None, :], self.kernel)[:, :, 0, :] + self.bias
        return tf.reshape(tf.nn.relu(mixed), [-1, self.bias.shape[0] * self.bias.shape[1]])


class NumberEmbeddings(Layer):
    """The numbers of one side, in the order of the fields: embedded, unchanged, or left out if a field has width 0."""

    def __init__(self, fields: Sequence[NumberField], name: str) -> None:
        super().__init__(name=name)
        self.fields = tuple(fields)
        self.periodic = {
            field.feature: PeriodicEmbedding(field.length - field.flags, field.embedding, name=field.feature)
            for field in fields
            if isinstance(field.embedding, Periodic)
        }

    def call(self, numbers: tf.Tensor) -> tf.Tensor:
        """Map numbers [B, K] to [B, W]."""
        if all(field.width == field.length and field.embedding is None for field in self.fields):
            return numbers
        parts = []
        for (embedding, owner), run in groupby(_columns(self.fields), key=lambda column: column[:2]):
            columns = [place for *_, place in run]
            part = numbers[:, columns[0] : columns[-1] + 1]
            if isinstance(embedding, Piecewise):
                part = piecewise(part, embedding.bins)
            elif owner is not None:
                part = self.periodic[owner](part)
            parts.append(part)
        return tf.concat(parts, axis=1) if parts else numbers[:, :0]


def piecewise(places: tf.Tensor, bins: int) -> tf.Tensor:
    """Piecewise linear encodings [B, F bins] of places [B, F] among the edges of bins."""
    filled = tf.clip_by_value(places[:, :, None] - tf.range(bins, dtype=places.dtype), 0.0, 1.0)
    return tf.reshape(filled, [-1, places.shape[1] * bins])


def _columns(fields: Sequence[NumberField]) -> list[tuple[Piecewise | Periodic | None, str | None, int]]:
    """The embedding of each column, the feature whose variables it has, and its place."""
    columns: list[tuple[Piecewise | Periodic | None, str | None, int]] = []
    for field in fields:
        if field.width == 0:
            continue
        embedded = field.length - field.flags if field.embedding is not None else 0
        for place in range(field.length):
            embedding = field.embedding if place < embedded else None
            owner = field.feature if isinstance(embedding, Periodic) else None
            columns.append((embedding, owner, field.start + place))
    return columns
