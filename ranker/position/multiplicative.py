"""Examination times relevance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from ranker.encoding.layout import Layout
from ranker.funnels.entire_space import product_logit
from ranker.lazy_tensorflow import tf
from ranker.position.base import (
    FIRST,
    GAIN,
    POSITION_METHODS,
    PositionFacts,
    PositionMethod,
    PositionOptions,
    log_odds,
    needs_clicks,
)
from ranker.tasks import Task


@POSITION_METHODS.register("multiplicative")
class Multiplicative(PositionMethod):
    """A label is 1 if the item was examined and relevant: ``p(1 | x, k) = e_k sigmoid(z(x))``, learnt together.

    Examination hypothesis: Craswell et al., WSDM 2008; both factors trained in one model: PAL, Guo et al., RecSys 2019.
    Scores are ``sigmoid(z)``, the probability at the first place, whose ``e`` is fixed at 1; others are in (0, 1).
    """

    class Options(PositionOptions):
        """No further options."""

        method: Literal["multiplicative"] = "multiplicative"

        def refused(self, task: Task) -> str | None:
            """Only unconditional clicks are examination times relevance."""
            return needs_clicks(task)

    def __init__(self, options: PositionOptions, tasks: Mapping[str, Task], layout: Layout) -> None:
        super().__init__(options, tasks, layout)
        self.tables = {
            name: self.add_weight(name=f"examination_{name}", shape=(options.positions + 1,), initializer="zeros")
            for name in self.affected
        }

    def start(self, facts: PositionFacts) -> None:
        """Begin with the rates of places relative to the first one's, as if all places had equally relevant items."""
        for name, table in self.tables.items():
            rates = facts.rates[name]
            table.assign(log_odds(rates / max(rates[FIRST], 1e-9), 0.02) / GAIN)

    def variables_of(self, task: str) -> list[tf.Variable]:
        """The task's table, in which the entry of the first place is never read."""
        return [self.tables[task]] if task in self.tables else []

    def seen_of(
        self, task: str, logit: tf.Tensor, places: tf.Tensor, batch: Mapping[str, tf.Tensor], training: bool
    ) -> tf.Tensor:
        """The logit [B] of the product, computed in log space; the own logit at the first place."""
        del batch, training
        return examined(logit, GAIN * tf.gather(self.tables[task], places), places)


def examined(logit: tf.Tensor, odds: tf.Tensor, places: tf.Tensor) -> tf.Tensor:
    """The logit [B] of ``sigmoid(odds) sigmoid(logit)``; the logit itself at the first place, examined for certain."""
    return tf.where(places == FIRST, logit, product_logit([logit, odds]))
