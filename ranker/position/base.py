"""The interface of a correction for position bias: what the place of an item adds to its labels, in training alone.

A method takes the logits that are served, which know no position, to those of the labels that were logged at the rows'
positions, or weighs the labels. Losses are of the result; scores, and so requests, never need a position.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ranker.config.closed import Closed, ColumnName, Name
from ranker.encoding.layout import Layout
from ranker.funnels.base import Errors
from ranker.lazy_tensorflow import Layer, tf
from ranker.registry import Registry, require_known
from ranker.schema import Schema
from ranker.tasks import Task

Floats = NDArray[np.float64]

POSITION = "position"
"""Name of the array of logged positions [B] in training batches; -1 where the log has none."""
UNKNOWN, FIRST = 0, 1
"""Places: 0 for an unknown position, then from 1 for the first one."""
GAIN = 3.0
"""Factor of the trained numbers of a place: an optimiser of adaptive steps moves them three times as fast."""


@dataclass(frozen=True)
class PositionFacts:
    """Statistics of the training rows by place, from which a method starts; P + 1 places, the unknown one first.

    Attributes
    ----------
    rates
        By task, the mean label of each place [P + 1], smoothed toward that of all rows.
    examination
        Estimates, for a task and a number of boosting rounds, how likely each place [P + 1] is examined, relative to
        the first one. Called by methods that need it.
    """

    rates: Mapping[str, Floats]
    examination: Callable[[str, int], Floats]


class PositionOptions(Closed):
    """Options of all methods; each adds its ``method`` and parameters."""

    method: str = ""
    column: ColumnName = Field(description="Column of the log with the place where the item was shown: whole numbers.")
    first: int = Field(1, ge=0, le=1_000_000, description="Number of the first place, which the curve is relative to.")
    positions: int = Field(50, ge=2, le=10_000, description="Places of their own; all later ones share the last.")
    tasks: tuple[Name, ...] | None = Field(
        None, min_length=1, description="Tasks whose labels depend on the place; by default binary ones without given."
    )

    def encoded(self) -> dict[str, str | int]:
        """What encoded rows depend on; changing anything else encodes none anew."""
        return {"position": self.column, "first": self.first}

    def places(self, positions: NDArray[np.int32]) -> NDArray[np.int64]:
        """Places [N] of encoded positions [N]: 0 if unknown (-1), from 1 for the first; late ones share the last."""
        places = np.clip(positions.astype(np.int64) - self.first + 1, FIRST, self.positions)
        return np.where(positions < 0, UNKNOWN, places)

    def affected(self, tasks: Mapping[str, Task]) -> tuple[str, ...]:
        """The tasks to correct, in the schema's order."""
        if self.tasks is not None:
            return tuple(name for name in tasks if name in self.tasks)
        return tuple(name for name, task in tasks.items() if task.given is None and task.can_condition)

    def check(self, schema: Schema) -> None:
        """Raise ``ValueError``, with the option's name, for options that do not fit the schema."""
        for name in schema.features:
            if schema.column(name) == self.column:
                raise ValueError(
                    f"column: {self.column!r} is also the column of the feature {name!r}; requests "
                    "cannot know where an item will be shown, so that scores would be wrong: remove the feature"
                )
        for name, task in schema.tasks.items():
            if self.column in task.outcomes(name):
                raise ValueError(f"column: {self.column!r} is the label or mask of the task {name!r}")
        for name in self.tasks or ():
            require_known(name, list(schema.tasks), "tasks", "a task")
        affected = self.affected(schema.tasks)
        if not affected:
            raise ValueError("tasks: no task is binary and without given; name the tasks to correct")
        for name in affected:
            if reason := self.refused(schema.tasks[name]):
                raise ValueError(f"tasks: {name!r} {reason}")

    def refused(self, task: Task) -> str | None:
        """Why the method cannot correct a task, to be read after its name; ``None`` if it can."""
        raise NotImplementedError


class PositionMethod(Layer):
    """Base of the methods. ``tasks`` are those of the schema; ``layout`` is that of the packed arrays of a batch."""

    Options: ClassVar[type[PositionOptions]]
    shows_odds: ClassVar[bool] = False
    """Whether a place multiplies the odds by a number that is the same for all rows alike."""

    def __init__(self, options: PositionOptions, tasks: Mapping[str, Task], layout: Layout) -> None:
        super().__init__(name="position")
        del layout
        self.options = options
        self.kinds = dict(tasks)
        self.affected = options.affected(tasks)
        self.indices = {name: list(tasks).index(name) for name in self.affected}

    def start(self, facts: PositionFacts) -> None:
        """Set initial values of a new training."""
        raise NotImplementedError

    def variables_of(self, task: str) -> list[tf.Variable]:
        """The trainable variables of one task; none of one that is not affected."""
        del task
        return []

    def places(self, positions: tf.Tensor) -> tf.Tensor:
        """Places [B] of logged positions [B]: 0 if unknown, from 1 for the first; late ones share the last."""
        places = tf.clip_by_value(positions - self.options.first + 1, FIRST, self.options.positions)
        return tf.where(positions < 0, UNKNOWN, places)

    def seen(
        self, logits: Sequence[tf.Tensor], places: tf.Tensor, batch: Mapping[str, tf.Tensor], training: bool = False
    ) -> list[tf.Tensor]:
        """Logits of the labels logged at ``places`` [B], from those served and the batch's packed arrays.

        Each is [B], or [B, K] of a task with several; heads beyond the tasks' stay as they are.
        """
        found = list(logits)
        for name, index in self.indices.items():
            found[index] = self.seen_of(name, logits[index], places, batch, training)
        return found

    def seen_of(
        self, task: str, logit: tf.Tensor, places: tf.Tensor, batch: Mapping[str, tf.Tensor], training: bool
    ) -> tf.Tensor:
        """As :meth:`seen`, for one affected task's logit [B]."""
        raise NotImplementedError

    def trained(
        self,
        logits: Sequence[tf.Tensor],
        batch: Mapping[str, tf.Tensor],
        weights: tf.Tensor,
        errors: Errors,
        training: bool = False,
    ) -> tuple[list[tf.Tensor], Errors]:
        """The logits and the errors that the funnel makes losses of; ``weights`` [B, T] are those of the rows."""
        places = self.places(batch[POSITION])
        return self.seen(logits, places, batch, training), self.corrected(logits, places, batch, weights, errors)

    def corrected(
        self,
        logits: Sequence[tf.Tensor],
        places: tf.Tensor,
        batch: Mapping[str, tf.Tensor],
        weights: tf.Tensor,
        errors: Errors,
    ) -> Errors:
        """The errors of a method that weighs labels; by default they are those of the tasks."""
        del logits, places, batch, weights
        return errors

    def average_in(self, other: PositionMethod, number: int) -> None:
        """Make the variables the means of those of ``number`` others, which they are now, and of one more."""
        for variable, value in zip(self.variables, other.variables, strict=True):
            if variable.dtype.is_floating:
                variable.assign((variable * number + value) / (number + 1) if number else value)


def needs_clicks(task: Task) -> str | None:
    """Why a method of examination and click cannot correct a task; ``None`` if it can."""
    if not task.can_condition:
        return f"is of kind {task.kind}; this method needs binary tasks: use method: additive, or name other tasks"
    if task.given is not None:
        return f"is given {task.given!r}, whose examination it has already; name tasks without given"
    factors = task.label_weights(np.array([0.0, 1.0]))
    if factors is not None:
        return "has a positive_weight, which changes the odds that this method multiplies; use method: additive"
    return None


def log_odds(rates: Floats, least: float = 1e-4) -> Floats:
    """Log odds of probabilities, at least ``least`` away from 0 and 1."""
    safe = np.clip(rates, least, 1.0 - least)
    return np.asarray(np.log(safe) - np.log1p(-safe))


POSITION_METHODS: Registry[type[PositionMethod]] = Registry("position method")
