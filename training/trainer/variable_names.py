"""Stable names of a model's variables, by which a later model takes their values over."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import tensorflow as tf

from ranker.encoding import Encoder
from ranker.layers.sharded_table import Table, parts_of
from ranker.model import RankingModel
from training.data.earlier import InputColumns

TABLES = "embedding/tables"
"""Names of the embedding tables begin with this, and end with the width."""
WEIGHTING, HEADS, TRUNK, POSITION = "weighting", "heads", "trunk", "position"
MOVING = ("/moving_mean", "/moving_variance")
"""Ends of the names of a batch normalisation's statistics, which a served model needs as much as its weights."""


def named_variables(model: RankingModel) -> dict[str, Table]:
    """The trainable variables and moving statistics by path: layers by their own names, heads by their tasks' names.

    A table in shards is one entry, as if it were a variable.

    A layer of a list that was given no name of its own is named by its place in the list; interactions of several
    embedding sets are named by these.
    """
    heads = dict(zip(model.architecture.tasks, model.architecture.heads, strict=True))
    interactions: dict[str, Any] = {"interactions": model.interactions}
    if len(model.interactions) > 1:
        by_set = zip(set_names(model), model.interactions, strict=True)
        interactions = {f"interactions/{name}": layer for name, layer in by_set}
    parts: dict[str, Any] = {
        "embedding": model.embedding,
        **interactions,
        TRUNK: model.architecture.trunk,
        **{f"{HEADS}/{task}": head for task, head in heads.items()},
        WEIGHTING: model.weighting,
        **({POSITION: model.position} if model.position is not None else {}),
    }
    trainable = {v.ref() for v in (*model.trainable_variables, *model.weighting.trainable_variables)}
    tables = {f"{TABLES}/{width}": table for width, table in model.embedding.tables.items()}
    named = {part.ref(): name for name, table in tables.items() for part in parts_of(table)}
    for path, part in parts.items():
        for name, variable in _variables(part, path, set()):
            if variable.ref() in trainable or name.endswith(MOVING):
                named.setdefault(variable.ref(), name)
    others = {name: ref.deref() for ref, name in named.items() if name not in tables}
    assert trainable <= named.keys(), "every variable belongs to a part"
    assert len(others) + len(model.embedding.table_variables) == len(named), "names differ"
    return {**tables, **others}


def _variables(part: Any, path: str, seen: set[int]) -> Iterator[tuple[str, tf.Variable]]:
    if isinstance(part, tf.Variable):
        yield path, part
        return
    if id(part) in seen or not hasattr(part, "_trackable_children"):
        return
    seen.add(id(part))
    for key, child in _named_children(part):
        yield from _variables(child, f"{path}/{key}", seen)


def _named_children(part: Any) -> list[tuple[str, Any]]:
    """The parts of a part, by attribute, key, or in a list by their own names if each has one of its own.

    A list of lists, such as the experts of each task, is taken as one list.
    """
    children: Mapping[str, Any] = part._trackable_children()
    if not children or not all(key.isdigit() for key in children):
        return list(children.items())
    inner = [_named_children(child) if isinstance(child, Sequence) else [("", child)] for child in children.values()]
    named = [(_own_name(child), child) for group in inner for _, child in group]
    names = [name for name, _ in named]
    if None in names or len(set(names)) < len(names):
        return list(children.items())
    return [(str(name), child) for name, child in named]


def _own_name(part: Any) -> str | None:
    """The name that a layer was given; ``None`` if Keras made it up by counting."""
    if not isinstance(part, tf.keras.layers.Layer):
        return None
    usual = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", type(part).__name__).lower().lstrip("_")
    return None if re.fullmatch(rf"{usual}(_\d+)?", part.name) else str(part.name)


def set_names(model: RankingModel) -> tuple[str, ...]:
    """The embedding sets: a single one, or the shared one and one per task; else they are numbered."""
    tasks = model.architecture.tasks
    if model.embedding.sets == 1 + len(tasks):
        return ("shared", *(f"task:{task}" for task in tasks))
    return tuple(map(str, range(model.embedding.sets)))


def input_columns(encoder: Encoder) -> InputColumns:
    """What each column of both sides is, once embedded: feature and place, or a label of label statistics."""
    statistics = encoder.schema.label_statistics
    labels = list((statistics.labels if statistics else None) or encoder.schema.tasks)
    spans = statistics.recent_spans if statistics else ()
    inputs = ["count", *labels]
    of_key = [*inputs, *(f"{part}, {span.name}" for span in spans for part in inputs)]
    if statistics and statistics.fitted_bins is not None:
        bins = [f"bin {place} of {statistics.fitted_bins}" for place in range(statistics.fitted_bins)]
        of_key = [f"{part}, {place}" for part in of_key for place in bins]
    of_statistics = {field.feature for _, side in encoder.layout.sides() for field in side.statistics}
    sides = []
    for places in encoder.layout.places():
        columns: list[str] = []
        for name, (_, width) in places.items():
            parts = of_key if name in of_statistics else [str(place) for place in range(width)]
            columns += [f"{name}[{part}]" for part in parts]
        sides.append(tuple(columns))
    return InputColumns(context=sides[0], candidate=sides[1])
