"""Tasks that are fitted on labels: their state, which the layout holds, and the numbers that they read."""

from __future__ import annotations

from collections.abc import Mapping

from ranker.encoding.layout import Layout
from ranker.lazy_tensorflow import tf
from ranker.schema import Schema


def fitted_schema(schema: Schema, layout: Layout) -> Schema:
    """The schema with tasks that have their state from the layout, as losses and scores need them."""
    if not any(task.is_fitted for task in schema.tasks.values()):
        return schema
    tasks = {
        name: task.with_state(layout.tasks[name]) if name in layout.tasks else task
        for name, task in schema.tasks.items()
    }
    return schema.model_copy(update={"tasks": tasks})


def numbers_read(schema: Schema, layout: Layout, inputs: Mapping[str, tf.Tensor]) -> dict[int, tf.Tensor]:
    """By place of a task, the packed number [B] that its kind reads; [1] of a context that all rows share."""
    found = {}
    for place, task in enumerate(schema.tasks.values()):
        if task.reads is not None:
            side, column = layout.number(task.reads)
            found[place] = inputs[f"{side}_numbers"][:, column]
    return found
