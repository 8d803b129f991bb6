"""A fitted encoder <-> JSON data and arrays, to save it without pickling."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ranker.encoding.encoder import Encoder
from ranker.encoding.kinds.base import FEATURE_KINDS, Arrays, Encoding
from ranker.encoding.layout import Key, key_name
from ranker.encoding.plain_times import PlainTimes
from ranker.encoding.saved_vocabulary import INDEXED, packed, unpacked
from ranker.encoding.statistics import Combination, Statistics, Sums
from ranker.encoding.times import Times
from ranker.encoding.tree_scores import TreeScores
from ranker.encoding.within_list import ListSizes
from ranker.schema import Schema
from ranker.task_state import TaskState


def to_state(encoder: Encoder) -> tuple[dict[str, Any], Arrays]:
    """Return everything :func:`from_state` needs besides the schema."""
    sections: dict[str, Any] = {kind.state_section: {} for kind in FEATURE_KINDS.values() if kind.state_section}
    arrays: Arrays = {}
    inputs = encoder.schema.inputs
    for name, encoding in encoder.encodings.items():
        section = inputs[name].state_section
        if section is not None:
            sections[section][name], own = encoding.state(name)
            arrays.update(own)
    for key, combination in encoder.combinations.items():
        for position, pairs in enumerate(combination.pairs):
            arrays.update(packed(f"{key_name(key)}.{position}", pairs))
    statistics = []
    for key, fitted in encoder.statistics.items():
        name, of_key = (
            key_name(key),
            {"key": list(key), "smoothing": fitted.smoothing, "binary": fitted.binary.tolist()},
        )
        statistics.append({**of_key, **({"recent": len(fitted.recent)} if fitted.recent else {})})
        for span, place in ((fitted, name), *((r, f"{name}.{_RECENT}{i}") for i, r in enumerate(fitted.recent))):
            for part, array in [*span.totals._asdict().items(), *((p, getattr(span, p)) for p in _VECTORS)]:
                arrays[f"{place}.{part}"] = array
            if span.edges is not None:
                arrays[f"{place}.edges"] = span.edges
        if len(fitted.totals.counts) >= INDEXED:
            arrays[f"{name}.inputs"] = fitted.inputs
    trees, of_trees = encoder.trees.state() if encoder.trees else ({}, {})
    arrays.update(of_trees)
    for task, of_task in encoder.tasks.items():
        arrays.update({f"{_TASK}({task}).{part}": array for part, array in of_task.arrays.items()})
    return {
        **sections,
        "statistics": statistics,
        "times": encoder.times.dated,
        "plain_times": {name: plain.state() for name, plain in encoder.times.plain.items()},
        **({} if encoder.list_sizes is None else {"list_sizes": encoder.list_sizes._asdict()}),
        **({"trees": trees} if trees else {}),
        **({"tasks": {name: list(of_task.arrays) for name, of_task in encoder.tasks.items()}} if encoder.tasks else {}),
    }, arrays


_VECTORS = ("priors", "shift", "scale")
_TASK = "task"
_RECENT = "recent"
"""Arrays of spans of past days are named by this and their place."""


def from_state(schema: Schema, state: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Encoder:
    """Rebuild an encoder from :func:`to_state`. Raises ``KeyError`` if a part is missing."""
    encodings: dict[str, Encoding] = {}
    for name, feature in schema.by_source():
        saved = state[feature.state_section][name] if feature.state_section else None
        encodings[name] = feature.restored(name, saved, arrays, encodings)
    combinations: dict[Key, Combination] = {}
    statistics: dict[Key, Statistics] = {}
    for saved in state["statistics"]:
        key: Key = tuple(saved["key"])
        name = key_name(key)
        pairs = [unpacked(f"{name}.{i}", "integer", arrays) for i in range(len(key) - 1)]
        combinations[key] = Combination(pairs)
        recent = tuple(_statistics(saved, f"{name}.{_RECENT}{i}", arrays) for i in range(saved.get("recent", 0)))
        statistics[key] = replace(_statistics(saved, name, arrays), saved=arrays.get(f"{name}.inputs"), recent=recent)
    plain = {name: PlainTimes(**saved) for name, saved in state.get("plain_times", {}).items()}
    sizes = ListSizes(**state["list_sizes"]) if "list_sizes" in state else None
    trees = TreeScores.restored(state["trees"], arrays) if state.get("trees") else None
    tasks = {
        name: TaskState({part: arrays[f"{_TASK}({name}).{part}"] for part in parts})
        for name, parts in state.get("tasks", {}).items()
    }
    return Encoder(schema, encodings, combinations, statistics, Times(state.get("times"), plain), sizes, trees, tasks)


def _statistics(saved: Mapping[str, Any], name: str, arrays: Mapping[str, NDArray[Any]]) -> Statistics:
    """The statistics of all days, or of a span of past days, whose arrays begin with ``name``."""
    return Statistics(
        totals=Sums(*(arrays[f"{name}.{part}"] for part in Sums._fields)),
        binary=np.array(saved["binary"], dtype=bool),
        smoothing=saved["smoothing"],
        priors=arrays[f"{name}.priors"],
        shift=arrays[f"{name}.shift"],
        scale=arrays[f"{name}.scale"],
        edges=arrays.get(f"{name}.edges"),
    )
