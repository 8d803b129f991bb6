"""A fitted encoder <-> plain JSON data and arrays, so that it can be saved without pickling."""

from collections.abc import Mapping
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from ranker.encoding.encoder import Encoder
from ranker.encoding.layout import lay_out
from ranker.encoding.numeric import NumericEncoding
from ranker.encoding.plain_times import PlainTimes
from ranker.encoding.statistics import Combination, Key, Statistics, Sums, key_name
from ranker.encoding.times import Times
from ranker.encoding.vocabulary import Coder, HashedVocabulary, TextHash, ValueType, Vocabulary
from ranker.schema import Categorical, Multi, Schema

Arrays = dict[str, NDArray[Any]]


def to_state(encoder: Encoder) -> tuple[dict[str, Any], Arrays]:
    """Return everything :func:`from_state` needs beside the schema."""
    arrays: Arrays = {}
    coders: dict[str, Any] = {}
    for name, coder in encoder.coders.items():
        arrays[f"{name}.ids"] = encoder.ids[name]
        if isinstance(coder, HashedVocabulary):
            coders[name] = {"kind": coder.kind, "buckets": coder.buckets, "hash": coder.hashed_by}
        else:
            assert isinstance(coder, Vocabulary)
            coders[name] = {"kind": coder.kind}
            arrays.update(_pack(name, coder))
    for key, combination in encoder.combinations.items():
        for position, pairs in enumerate(combination.pairs):
            arrays.update(_pack(f"{key_name(key)}.{position}", pairs))
    statistics = []
    for key, fitted in encoder.statistics.items():
        name = key_name(key)
        statistics.append({"key": list(key), "smoothing": fitted.smoothing, "binary": fitted.binary.tolist()})
        for part, array in [*fitted.totals._asdict().items(), *((p, getattr(fitted, p)) for p in _VECTORS)]:
            arrays[f"{name}.{part}"] = array
    numerics = {
        name: {"mean": n.mean, "deviation": n.deviation, "has_missing": n.has_missing, "edges": list(n.edges)}
        for name, n in encoder.numerics.items()
    }
    return {
        "coders": coders,
        "numerics": numerics,
        "statistics": statistics,
        "times": encoder.times.dated,
        "plain_times": {name: plain.state() for name, plain in encoder.times.plain.items()},
    }, arrays


_VECTORS = ("priors", "shift", "scale")


def from_state(schema: Schema, state: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Encoder:
    """Rebuild the encoder that :func:`to_state` took apart. Raises ``KeyError`` where something is missing."""
    coders = {name: _coder(schema, name, saved, arrays) for name, saved in state["coders"].items()}
    ids = {name: arrays[f"{name}.ids"] for name in coders}
    numerics = {
        name: NumericEncoding(saved["mean"], saved["deviation"], saved["has_missing"], tuple(saved["edges"]))
        for name, saved in state["numerics"].items()
    }
    combinations: dict[Key, Combination] = {}
    statistics: dict[Key, Statistics] = {}
    for saved in state["statistics"]:
        key: Key = tuple(saved["key"])
        name = key_name(key)
        pairs = [Vocabulary("integer", _unpack(f"{name}.{i}", "integer", arrays)) for i in range(len(key) - 1)]
        combinations[key] = Combination(pairs)
        statistics[key] = Statistics(
            totals=Sums(*(arrays[f"{name}.{part}"] for part in Sums._fields)),
            binary=np.array(saved["binary"], dtype=bool),
            smoothing=saved["smoothing"],
            **{part: arrays[f"{name}.{part}"] for part in _VECTORS},
        )
    tables = {name: int(table.max()) + 1 for name, table in ids.items()}
    labels = {key: len(fitted.priors) for key, fitted in statistics.items()}
    layout = lay_out(schema, tables, numerics, labels)
    plain = {name: PlainTimes(**saved) for name, saved in state.get("plain_times", {}).items()}
    times = Times(state.get("times"), plain)
    return Encoder(schema, coders, ids, numerics, combinations, statistics, layout, times)


def _coder(schema: Schema, name: str, saved: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Coder:
    feature = schema.features[name]
    declared = feature.type if isinstance(feature, Categorical | Multi) else None
    if "buckets" not in saved:
        return Vocabulary(saved["kind"], _unpack(name, saved["kind"], arrays), declared)
    # Artifacts that do not name their hash were trained with this one.
    hashed_by = saved.get("hash", "crc32")
    if hashed_by not in get_args(TextHash):
        raise ValueError(f"feature {name!r} is hashed by {hashed_by!r}, which this version of ranker does not know")
    return HashedVocabulary(saved["buckets"], saved["kind"], declared, hashed_by)


def _pack(name: str, vocabulary: Vocabulary) -> Arrays:
    values = vocabulary.values()
    if not isinstance(values, list):
        return {f"{name}.values": values}
    encoded = [value.encode("utf-8", "surrogatepass") for value in values]
    return {
        f"{name}.text": np.frombuffer(b"".join(encoded), dtype=np.uint8),
        f"{name}.lengths": np.array([len(value) for value in encoded], dtype=np.int64),
    }


def _unpack(name: str, kind: ValueType | None, arrays: Mapping[str, NDArray[Any]]) -> Any:
    if kind in ("integer", "unsigned"):
        return arrays[f"{name}.values"]
    text = arrays[f"{name}.text"].tobytes()
    ends = np.cumsum(arrays[f"{name}.lengths"]).tolist()
    return [text[start:end].decode("utf-8", "surrogatepass") for start, end in zip([0, *ends], ends, strict=False)]
