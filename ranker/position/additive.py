"""A shallow tower of position beside the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

from pydantic import Field

from ranker.encoding.layout import Layout, Side
from ranker.encoding.table_regions import TableRegion, table_regions
from ranker.layers import Tower
from ranker.layers.dropout import Draws
from ranker.lazy_tensorflow import Layer, tf
from ranker.position.base import (
    FIRST,
    GAIN,
    POSITION_METHODS,
    UNKNOWN,
    PositionFacts,
    PositionMethod,
    PositionOptions,
    log_odds,
)
from ranker.registry import require_known
from ranker.schema import Schema
from ranker.task_logits import shifted
from ranker.tasks import Task

WIDTH, UNITS = 4, 8
"""Columns of the embeddings, and hidden units, of the part of the tower that reads context."""
CONTEXT = "/of."
"""Part of the name of an embedding of a context feature, before the feature's; its rows are the feature's values."""


@POSITION_METHODS.register("additive")
class Additive(PositionMethod):
    """A tower of the position, and of some context, whose logit is added to the task's. Zhao et al., RecSys 2019.

    ``dropout`` makes a part of the rows' positions unknown, for which the tower gives 0, so that scores are those of
    an unknown position. Without it the tower gives 0 at the first place, and scores are those at the first place.
    """

    class Options(PositionOptions):
        """Context of the tower, and dropout of positions."""

        method: Literal["additive"] = "additive"
        context: tuple[str, ...] = Field((), description="Categorical features that the effect depends on too: device.")
        dropout: float = Field(0.1, ge=0, lt=1, description="Fraction of positions made unknown in training.")

        def check(self, schema: Schema) -> None:
            """Raise ``ValueError`` for context that is no categorical feature, too."""
            super().check(schema)
            able = [name for name, feature in schema.features.items() if feature.identifies]
            for name in self.context:
                require_known(name, able, "context", "a categorical feature")
                if self.context.count(name) > 1:
                    raise ValueError(f"context: {name!r} is listed twice")

        def refused(self, task: Task) -> str | None:
            """A shift of one logit is the same for every kind of task; of several it is not."""
            if task.logits == 1:
                return None
            return f"is of kind {task.kind} and has {task.logits} logits; a position shifts one: name other tasks"

    options: Options
    shows_odds: ClassVar[bool] = True

    def __init__(self, options: PositionOptions, tasks: Mapping[str, Task], layout: Layout) -> None:
        super().__init__(options, tasks, layout)
        regions = [(name, side, start, region) for name, (side, start, region) in self._context(layout).items()]
        self.fields = [(side, start) for _, side, start, _ in regions]
        rows = {name: region.rows for name, _, _, region in regions}
        self.towers = {name: _Shift(name, self.options.positions + 1, rows) for name in self.affected}
        self.dropout = _Forgotten(self.options.dropout, name="position_dropout")
        self.dropout.build(None)

    @property
    def reference(self) -> int:
        """The place at which the tower gives 0, and which scores are of."""
        return UNKNOWN if self.options.dropout else FIRST

    def start(self, facts: PositionFacts) -> None:
        """Begin with the log odds of the places' rates, as if all places had equally relevant items."""
        for name, tower in self.towers.items():
            if self.kinds[name].probability:
                odds = log_odds(facts.rates[name])
                tower.table.assign((odds - odds[self.reference]) / GAIN)

    def variables_of(self, task: str) -> list[tf.Variable]:
        """Those of the task's tower."""
        return list(self.towers[task].trainable_variables) if task in self.towers else []

    def seen(
        self, logits: Sequence[tf.Tensor], places: tf.Tensor, batch: Mapping[str, tf.Tensor], training: bool = False
    ) -> list[tf.Tensor]:
        """Logits with the towers'; a position is forgotten for all tasks alike."""
        return super().seen(logits, self.dropout(places, training=training), batch, training)

    def seen_of(
        self, task: str, logit: tf.Tensor, places: tf.Tensor, batch: Mapping[str, tf.Tensor], training: bool
    ) -> tf.Tensor:
        """The logit [B] and the tower's; a number after the logit [B, 2] stays as it is."""
        del training
        context = [batch[f"{side}_ids"][:, start] for side, start in self.fields]
        tower = self.towers[task]
        shift = tower(places, context) - tower(tf.fill(tf.shape(places), self.reference), context)
        return shifted(logit, shift)

    def _context(self, layout: Layout) -> dict[str, tuple[Side, int, TableRegion]]:
        """Side, column and table region of each context feature."""
        found = {
            field.feature: (side, field.start, region)
            for region in table_regions(layout)
            for side, field in region.fields
            if field.pooling is None
        }
        return {name: found[name] for name in self.options.context}


class _Shift(Layer):
    """A number for each place, and with context a small network of both."""

    def __init__(self, task: str, places: int, context: Mapping[str, int]) -> None:
        super().__init__(name=f"position_{task}")
        self.table = self.add_weight(name="places", shape=(places,), initializer="zeros")
        sizes = {"place": places, **{f"{CONTEXT[1:]}{name}": rows for name, rows in context.items()}} if context else {}
        self.embeddings = {
            name: self.add_weight(name=name, shape=(rows, WIDTH), initializer="uniform") for name, rows in sizes.items()
        }
        self.tower = Tower((UNITS,), name="tower") if context else None
        if self.tower is not None:
            self.tower(tf.zeros((1, WIDTH * len(sizes))))

    def call(self, places: tf.Tensor, context: Sequence[tf.Tensor] = ()) -> tf.Tensor:
        """Shifts [B] of places [B] and the context's ids, each [B]."""
        shift = GAIN * tf.gather(self.table, places)
        if self.tower is None:
            return shift
        ids = zip(self.embeddings.values(), (places, *context), strict=True)
        return shift + self.tower(tf.concat([tf.gather(table, at) for table, at in ids], axis=1))[:, 0]


class _Forgotten(Draws):
    """Makes a fraction of places unknown in training."""

    def call(self, places: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Places [B]."""
        if not training or self.rate == 0:
            return places
        drawn = tf.random.stateless_uniform(tf.shape(places), seed=self.next_seed()) < self.rate
        return tf.where(drawn, UNKNOWN, places)
