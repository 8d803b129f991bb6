"""Packed ids -> embedded inputs, with one table for all features of one width."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import groupby
from typing import Any

import tensorflow as tf

from ranker.encoding.layout import IdField, Layout, SideLayout
from ranker.layers.dropout import IdDropout
from ranker.layers.sides import Sides


class Embedding(tf.keras.layers.Layer):
    """Look up the ids of both sides and put the numbers beside them.

    Features of one width share one table, each in its own rows, so a side needs one lookup a width. Lists are
    pooled over ids other than 0. ``dropout`` is the share of ids replaced by the unknown id while training; ``l2``
    times the squared norm of the embeddings that a row looks up, averaged over the batch, is added as a loss.
    """

    def __init__(
        self, layout: Layout, dropout: float = 0.0, l2: float = 0.0, scale: float = 0.05, name: str = "embedding"
    ) -> None:
        super().__init__(name=name)
        if l2 < 0:
            raise ValueError(f"l2 must be at least 0, got {l2}")
        self.layout = layout
        self.l2 = l2
        self.scale = scale
        self.tables = {
            str(width): self.add_weight(
                name=f"table_{width}",
                shape=(rows, width),
                initializer=tf.keras.initializers.RandomUniform(-scale, scale),
            )
            for width, rows in layout.tables.items()
        }
        self._read: Mapping[str, tf.Tensor] = self.tables
        self.dropouts = {side: IdDropout(dropout, name=f"id_dropout_{side}") for side in ("context", "candidate")}

    def call(self, inputs: Mapping[str, tf.Tensor], training: bool = False) -> Sides:
        """Packed arrays by name (``context_ids``, ``context_numbers``, ...) to embedded sides."""
        return Sides(*(self._side(side, layout, inputs, training) for side, layout in self.layout.sides()))

    def _side(self, side: str, layout: SideLayout, inputs: Mapping[str, tf.Tensor], training: bool) -> tf.Tensor:
        """Embeddings of single ids and pooled lists, by width, then the numbers: [B, D]."""
        parts = []
        ids: Any = self.dropouts[side](inputs[f"{side}_ids"], training=training) if layout.ids else None
        for width, fields in _by_width(layout):
            start, end = fields[0].start, fields[-1].start + fields[-1].length
            offsets = [field.offset for field in fields for _ in range(field.length)]
            rows = tf.gather(self._read[str(width)], ids[:, start:end] + tf.constant(offsets, ids.dtype))
            if training and self.l2:
                self.add_loss(self.l2 * tf.reduce_sum(rows**2) / tf.cast(tf.shape(rows)[0], rows.dtype))
            single = sum(1 for field in fields if field.pooling is None)
            if single:
                parts.append(tf.reshape(rows[:, :single], [-1, single * width]))
            for field in fields[single:]:
                at = slice(field.start - start, field.start - start + field.length)
                mask = tf.cast(ids[:, field.start : field.start + field.length] > 0, rows.dtype)
                parts.append(POOLINGS[field.pooling or "mean"](rows[:, at], mask[:, :, None]))
        if layout.numbers:
            parts.append(inputs[f"{side}_numbers"])
        return tf.concat(parts, axis=1) if parts else tf.zeros([1, 0])

    @contextmanager
    def reading(self, tables: Mapping[str, tf.Tensor]) -> Iterator[None]:
        """Look ids up in other tables of the same shapes while the block runs."""
        self._read = tables
        try:
            yield
        finally:
            self._read = self.tables

    def reinitialise(self, seed: int) -> None:
        """Draw every table afresh. Fan et al., "Multi-Epoch Learning for Deep CTR Models", 2023 (MEDA)."""
        for width, table in self.tables.items():
            drawn = tf.random.stateless_uniform(
                table.shape, seed=[seed, int(width)], minval=-self.scale, maxval=self.scale
            )
            table.assign(drawn)


def _by_width(side: SideLayout) -> list[tuple[int, list[IdField]]]:
    return [(width, list(fields)) for width, fields in groupby(side.ids, key=lambda field: field.dimension)]


def _sum(rows: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(rows * mask, axis=1)


def _mean(rows: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    return _sum(rows, mask) / tf.maximum(tf.reduce_sum(mask, axis=1), 1.0)


POOLINGS = {"sum": _sum, "mean": _mean}
