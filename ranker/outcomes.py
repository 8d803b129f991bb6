"""What the scores estimate of rows with known labels."""

from __future__ import annotations

from typing import Any

import numpy as np

from ranker.lazy_tensorflow import tf
from ranker.schema import Schema
from ranker.tasks import Task


def outcomes(schema: Schema, labels: Any) -> Any:
    """Labels [N, T], an array or a tensor, as the scores estimate them: of a class, its value.

    Of a task with ``given`` it is 0 where the condition fails, as the label is.
    """
    if all(type(task).outcome is Task.outcome for task in schema.tasks.values()):
        return labels
    places, columns = list(schema.tasks), []
    for place, task in enumerate(schema.tasks.values()):
        found = task.outcome(labels[:, place])
        columns.append(found * labels[:, places.index(task.given)] if task.given is not None else found)
    return np.stack(columns, axis=1) if isinstance(labels, np.ndarray) else tf.stack(columns, axis=1)
