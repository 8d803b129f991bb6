"""Columns of a log -> weights of training rows in each task's loss."""

from collections.abc import Mapping

import numpy as np

from ranker.config.closed import formula
from ranker.encoding.columns import Column, Floats, Mask, require
from ranker.encoding.formulas import computed
from ranker.encoding.labels import Labels
from ranker.schema import Schema

LARGEST_WEIGHT = 1e12
"""Largest value of one formula; with larger weights, other rows would vanish in single precision."""


def encode_weights(schema: Schema, columns: Mapping[str, Column], labels: Labels) -> Floats | None:
    """Weights [N, T]; ``None`` if the schema has none, so that every known label counts once.

    A row's weight is ``sample_weight`` times the task's ``weight``, times the kind's factor for the label, such as
    ``positive_weight``. It is 0 where the label is unknown, regardless of the formulas. Raises ``ColumnError``
    for a weight that is null, negative or not finite.
    """
    tasks = list(schema.tasks.items())
    factors = [task.label_weights(labels.values[:, at]) for at, (_, task) in enumerate(tasks)]
    if all(factor is None for factor in factors) and not weight_columns(schema):
        return None
    weights = labels.known.astype(np.float64)
    if schema.sample_weight is not None:
        any_known = np.asarray(labels.known.any(axis=1))
        weights *= _weight(schema.sample_weight, columns, any_known, "sample_weight")[:, None]
    for at, ((name, task), factor) in enumerate(zip(tasks, factors, strict=True)):
        if task.weight is not None:
            weights[:, at] *= _weight(task.weight, columns, labels.known[:, at], f"tasks.{name}.weight")
        if factor is not None:
            weights[:, at] *= factor
    return weights


def weight_columns(schema: Schema) -> list[str]:
    """Distinct log columns that weights read."""
    texts = [schema.sample_weight, *(task.weight for task in schema.tasks.values())]
    return list(dict.fromkeys(name for text in texts if text is not None for name in formula(text).names))


def _weight(text: str, columns: Mapping[str, Column], needed: Mask, place: str) -> Floats:
    """Weights [N] of a formula; 0 where they are not needed."""
    values, _ = computed(text, columns)
    fits = (values >= 0) & (values <= LARGEST_WEIGHT)
    expected = f"a weight from 0 to {LARGEST_WEIGHT:.0e} ({place}); coalesce(column, 1) replaces a null"
    require(~needed | fits, values, text, expected)
    return np.where(needed, values, 0.0)
