"""A fitted encoder <-> JSON data and arrays, to save it without pickling."""

from collections.abc import Mapping
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
from ranker.schema import Schema


def to_state(encoder: Encoder) -> tuple[dict[str, Any], Arrays]:
    """Return everything :func:`from_state` needs besides the schema."""
    sections: dict[str, Any] = {kind.state_section: {} for kind in FEATURE_KINDS.values() if kind.state_section}
    arrays: Arrays = {}
    for name, encoding in encoder.encodings.items():
        section = encoder.schema.features[name].state_section
        if section is not None:
            sections[section][name], own = encoding.state(name)
            arrays.update(own)
    for key, combination in encoder.combinations.items():
        for position, pairs in enumerate(combination.pairs):
            arrays.update(packed(f"{key_name(key)}.{position}", pairs))
    statistics = []
    for key, fitted in encoder.statistics.items():
        name = key_name(key)
        statistics.append({"key": list(key), "smoothing": fitted.smoothing, "binary": fitted.binary.tolist()})
        for part, array in [*fitted.totals._asdict().items(), *((p, getattr(fitted, p)) for p in _VECTORS)]:
            arrays[f"{name}.{part}"] = array
        if len(fitted.totals.counts) >= INDEXED:
            arrays[f"{name}.inputs"] = fitted.inputs
    trees, of_trees = encoder.trees.state() if encoder.trees else ({}, {})
    arrays.update(of_trees)
    return {
        **sections,
        "statistics": statistics,
        "times": encoder.times.dated,
        "plain_times": {name: plain.state() for name, plain in encoder.times.plain.items()},
        **({"trees": trees} if trees else {}),
    }, arrays


_VECTORS = ("priors", "shift", "scale")


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
        statistics[key] = Statistics(
            totals=Sums(*(arrays[f"{name}.{part}"] for part in Sums._fields)),
            binary=np.array(saved["binary"], dtype=bool),
            smoothing=saved["smoothing"],
            **{part: arrays[f"{name}.{part}"] for part in _VECTORS},
            saved=arrays.get(f"{name}.inputs"),
        )
    plain = {name: PlainTimes(**saved) for name, saved in state.get("plain_times", {}).items()}
    trees = TreeScores.restored(state["trees"], arrays) if state.get("trees") else None
    return Encoder(schema, encodings, combinations, statistics, Times(state.get("times"), plain), trees)
