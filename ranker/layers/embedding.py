"""Packed ids -> embedded inputs, with one table for all features of the same width."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import Any, NamedTuple

from ranker import replicas
from ranker.encoding.layout import IdField, Layout, Side, SideLayout
from ranker.encoding.table_regions import TablesInside
from ranker.layers.dropout import IdDropout
from ranker.layers.number_embedding import NumberEmbeddings
from ranker.layers.pooling import POOLINGS
from ranker.layers.sharded_table import Partition, ShardedTable, Table, draw, gathered, parts_of
from ranker.layers.sides import Sides
from ranker.lazy_tensorflow import Layer, tf


class Embedding(Layer):
    """Look up the ids of both sides and concatenate the numeric inputs.

    Features of the same width share a table, each in its own rows, so each side needs one lookup per width. Lists are
    pooled over ids other than 0. ``dropout`` is the fraction of ids replaced by the unknown id in training. The loss
    gets ``l2`` times the squared norm of the embeddings that an example looks up, averaged over the batch. With
    several ``sets``, each id has that number of embeddings, stored side by side in one row of the table. The sets are
    of successive ``members`` of an ensemble, as many of each, and every member embeds numbers by variables of its own.

    With a ``partition`` each table is a :class:`ShardedTable`, whose rows are drawn from ``seed`` where they lie.
    """

    def __init__(
        self,
        layout: Layout,
        dropout: float = 0.0,
        l2: float = 0.0,
        scale: float = 0.05,
        sets: int = 1,
        members: int = 1,
        partition: Partition | None = None,
        seed: int = 0,
        name: str = "embedding",
    ) -> None:
        super().__init__(name=name)
        if l2 < 0:
            raise ValueError(f"l2 must be at least 0, got {l2}")
        if sets < 1:
            raise ValueError(f"sets must be at least 1, got {sets}")
        if members < 1 or sets % members:
            raise ValueError(f"members must divide the {sets} sets, got {members}")
        self.layout = layout
        self.l2, self.scale, self.sets = l2, scale, sets
        self.tables: Mapping[str, Table] = {
            str(width): self._whole(width, rows) if partition is None else self._sharded(width, rows, partition, seed)
            for width, rows in layout.tables.items()
        }
        self._read: Mapping[str, Table | tf.Tensor] = self.tables
        self._inside = TablesInside(layout)
        self.numbers, *self.further_numbers = [
            {side: NumberEmbeddings(fields.numbers, name=f"numbers_{side}{end}") for side, fields in layout.sides()}
            for end in ("", *(f"_{member}" for member in range(1, members)))
        ]
        self.dropouts = {side: IdDropout(dropout, name=f"id_dropout_{side}") for side in ("context", "candidate")}
        self.poolings = [
            {
                field.feature: POOLINGS[field.pooling](field, name=f"pool_{field.feature}_{i}")
                for _, side in layout.sides()
                for field in side.ids
                if field.pooling is not None
            }
            for i in range(sets)
        ]

    def _whole(self, width: int, rows: int) -> tf.Variable:
        start = tf.keras.initializers.RandomUniform(-self.scale, self.scale)
        return self.add_weight(name=f"table_{width}", shape=(rows, width * self.sets), initializer=start)

    def _sharded(self, width: int, rows: int, partition: Partition, seed: int) -> ShardedTable:
        across = width * self.sets
        table = ShardedTable(
            [
                self.add_weight(name=f"table_{width}_shard_{number}", shape=(size, across), initializer="zeros")
                for number, size in enumerate(partition.shards(rows, across))
            ]
        )
        draw(table, self.scale, (seed, width))
        return table

    @property
    def table_variables(self) -> list[tf.Variable]:
        """The variables of all tables, shard by shard."""
        return [part for table in self.tables.values() for part in parts_of(table)]

    @property
    def dense_variables(self) -> list[tf.Variable]:
        """Variables of the pooling layers and of embedded numbers; all other variables are tables."""
        parts: list[Mapping[Any, Any]] = [*self.poolings, *self.member_numbers]
        layers: list[Any] = [layer for part in parts for layer in part.values()]
        return [variable for layer in layers for variable in layer.weights]

    @property
    def member_numbers(self) -> list[dict[Side, NumberEmbeddings]]:
        """The embeddings of numbers of each member, by side."""
        return [self.numbers, *self.further_numbers]

    def call(self, inputs: Mapping[str, tf.Tensor], training: bool = False) -> list[Sides]:
        """Map packed arrays by name (``context_ids``, ``context_numbers``, ...) to embedded sides, one pair per set."""
        read = {side: self._rows(side, layout, inputs, training) for side, layout in self.layout.sides()}
        numbers = [
            {
                side: [layers[side](inputs[f"{side}_numbers"])] if layout.numbers else []
                for side, layout in self.layout.sides()
            }
            for layers in self.member_numbers
        ]
        own = self.sets // len(numbers)
        embedded = []
        for i, poolings in enumerate(self.poolings):
            parts = {
                side: [*self._own(layout, read[side], poolings, i), *numbers[i // own][side]]
                for side, layout in self.layout.sides()
            }
            candidate = parts["candidate"] + self._attended(read, poolings, i)
            embedded.append(Sides(_joined(parts["context"]), _joined(candidate)))
        return embedded

    def _rows(
        self, side: Side, layout: SideLayout, inputs: Mapping[str, tf.Tensor], training: bool
    ) -> dict[str, _Rows]:
        """Look up each field's embeddings, [B, L, D] per set, and its mask of non-missing ids [B, L, 1]."""
        looked_up: dict[str, _Rows] = {}
        ids: Any = self.dropouts[side](inputs[f"{side}_ids"], training=training) if layout.ids else None
        for width, fields in _by_width(layout):
            start = fields[0].start
            parts = list(self._parts(side, width, fields, ids, inputs))
            rows = tf.concat(parts, axis=1) if len(parts) > 1 else parts[0]
            if training and self.l2:
                examples = replicas.total(tf.cast(tf.shape(rows)[0], rows.dtype))
                self.add_loss(self.l2 * tf.reduce_sum(rows**2) / examples)
            sets = tf.split(rows, self.sets, axis=2) if self.sets > 1 else [rows]
            single = sum(1 for field in fields if field.pooling is None)
            if single:
                looked_up[_singles(width)] = _Rows([part[:, :single] for part in sets], None)
            for field in fields[single:]:
                at = slice(field.start - start, field.start - start + field.length)
                mask = tf.cast(ids[:, field.start : field.start + field.length] > 0, rows.dtype)
                looked_up[field.feature] = _Rows([part[:, at] for part in sets], mask[:, :, None])
        return looked_up

    def _parts(
        self, side: Side, width: int, fields: Sequence[IdField], ids: tf.Tensor, inputs: Mapping[str, tf.Tensor]
    ) -> Iterator[tf.Tensor]:
        """Embeddings [B, L, D * sets] of runs of fields: one look-up in the table, or rows that are an input."""
        for name, run in groupby(fields, key=lambda field: self._inside.inputs.get((side, field.feature))):
            if name is not None:
                yield tf.reshape(inputs[name], [-1, next(run).length, width * self.sets])
                continue
            among = list(run)
            start, end = among[0].start, among[-1].start + among[-1].length
            offsets = [self._inside.offsets[side, field.feature] for field in among for _ in range(field.length)]
            yield gathered(self._read[str(width)], ids[:, start:end] + tf.constant(offsets, ids.dtype))

    def _own(
        self, layout: SideLayout, rows: Mapping[str, _Rows], poolings: Mapping[str, tf.keras.layers.Layer], i: int
    ) -> Iterator[tf.Tensor]:
        """Embeddings of single ids and of pooled lists [B, .], by width."""
        for width, fields in _by_width(layout):
            single = sum(1 for field in fields if field.pooling is None)
            if single:
                yield tf.reshape(rows[_singles(width)].sets[i], [-1, single * width])
            for field in fields[single:]:
                if field.target is None:
                    yield poolings[field.feature](rows[field.feature].sets[i], rows[field.feature].mask)

    def _attended(
        self, rows: Mapping[Side, Mapping[str, _Rows]], poolings: Mapping[str, tf.keras.layers.Layer], i: int
    ) -> list[tf.Tensor]:
        """Lists pooled by attention to the candidate, [B, D] each."""
        attended = []
        for field in self.layout.attending():
            side: Side = "context" if field in self.layout.context.ids else "candidate"
            own = [f for f in self.layout.candidate.ids if f.dimension == field.dimension and f.pooling is None]
            place = next(i for i, f in enumerate(own) if f.feature == field.target)
            target = rows["candidate"][_singles(field.dimension)].sets[i][:, place]
            attended.append(
                poolings[field.feature](rows[side][field.feature].sets[i], rows[side][field.feature].mask, target)
            )
        return attended

    @contextmanager
    def reading(self, tables: Mapping[str, tf.Tensor], inside: TablesInside | None = None) -> Iterator[None]:
        """Look up ids in other tables inside the ``with`` block.

        ``tables`` have the same shapes, or with ``inside`` only the rows that are inside; the rows of the other fields
        are then inputs.
        """
        before, self._read = self._inside, tables
        self._inside = inside or before
        try:
            yield
        finally:
            self._read, self._inside = self.tables, before

    def reinitialise(self, seed: int) -> None:
        """Reinitialise every table. Fan et al., "Multi-Epoch Learning for Deep CTR Models", 2023 (MEDA)."""
        for width, table in self.tables.items():
            if isinstance(table, ShardedTable):
                draw(table, self.scale, (seed, int(width)))
                continue
            drawn = tf.random.stateless_uniform(
                table.shape, seed=[seed, int(width)], minval=-self.scale, maxval=self.scale
            )
            table.assign(drawn)


class _Rows(NamedTuple):
    sets: list[tf.Tensor]
    mask: tf.Tensor | None


def _singles(width: int) -> str:
    return f"single ids of width {width}"  # feature names have no spaces


def _joined(parts: list[tf.Tensor]) -> tf.Tensor:
    return tf.concat(parts, axis=1) if parts else tf.zeros([1, 0])


def _by_width(side: SideLayout) -> list[tuple[int, list[IdField]]]:
    return [(width, list(fields)) for width, fields in groupby(side.ids, key=lambda field: field.dimension)]
