"""Fits the tasks that need it on the labels of encoded training rows."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ranker.encoding import Encoder
from ranker.encoding.kinds.numeric import NumericEncoding
from ranker.funnels import Funnel, FunnelOptions
from ranker.schema import Schema
from ranker.task_state import TaskState
from training.data.batches import EncodedRows
from training.data.earlier import Earlier

SAMPLE = 1_000_000
"""Number of rows that tasks are fitted on; of more, a random sample."""


def task_states(
    schema: Schema, encoder: Encoder, rows: EncodedRows, seed: int, earlier: Earlier | None, refit_scales: bool
) -> dict[str, TaskState]:
    """State of each task that is fitted on labels.

    As with scales of features, the state of an ``earlier`` artifact is kept, unless ``refit_scales`` asks for a new
    one: its model has learnt scores by it. A task that changed since, or whose feature has another scale, is fitted.
    """
    wanted = [name for name, task in schema.tasks.items() if task.is_fitted]
    kept: dict[str, TaskState] = {}
    if earlier is not None and not refit_scales:
        kept = {
            name: earlier.artifact.encoder.tasks[name] for name in wanted if _carries(name, schema, encoder, earlier)
        }
    fitted = _fitted(schema, encoder, rows, seed, [name for name in wanted if name not in kept])
    return {name: kept[name] if name in kept else fitted[name] for name in wanted}


def _carries(name: str, schema: Schema, encoder: Encoder, earlier: Earlier) -> bool:
    """Whether an earlier state of a task is in the units of now."""
    before = earlier.artifact
    if name not in before.encoder.tasks or before.schema.tasks[name] != schema.tasks[name]:
        return False
    feature = schema.tasks[name].reads
    return feature is None or _scale(before.encoder, feature) == _scale(encoder, feature)


def _scale(encoder: Encoder, feature: str) -> NumericEncoding | None:
    """A feature's encoding, without its missing flag, which may be added later."""
    encoding = encoder.encodings.get(feature)
    return replace(encoding, has_missing=False) if isinstance(encoding, NumericEncoding) else None


def _fitted(
    schema: Schema, encoder: Encoder, rows: EncodedRows, seed: int, names: list[str]
) -> Mapping[str, TaskState]:
    if not names:
        return {}
    funnel, random, places = Funnel(schema, FunnelOptions()), np.random.default_rng(seed), list(schema.tasks)
    parts: dict[str, list[NDArray[np.float64]]] = {name: [np.empty((3, 0))] for name in names}
    for chunk in _sampled(rows, random):
        known = chunk["known"].astype(np.float64)
        weights = known * chunk["weights"] if "weights" in chunk else known
        for name in names:
            place, feature = places.index(name), schema.tasks[name].reads
            counted = np.asarray(funnel.within_parent(chunk["labels"], weights, place), dtype=np.float64)
            numbers = np.zeros(len(counted))
            if feature is not None:
                side, column = encoder.layout.number(feature)
                numbers = chunk[f"{side}_numbers"][:, column].astype(np.float64)
            columns = np.stack([chunk["labels"][:, place].astype(np.float64), numbers, counted])
            parts[name].append(columns[:, counted > 0])
    return {name: schema.tasks[name].fit(*np.concatenate(parts[name], axis=1)) for name in names}


def _sampled(rows: EncodedRows, random: np.random.Generator) -> Iterator[Mapping[str, NDArray[np.float32]]]:
    for chunk in rows.chunks():
        if len(rows) > SAMPLE:
            chosen = random.random(len(chunk["labels"])) < SAMPLE / len(rows)
            chunk = {name: array[chosen] for name, array in chunk.items()}
        yield chunk
