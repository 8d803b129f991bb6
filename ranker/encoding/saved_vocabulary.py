"""Vocabularies <-> plain JSON data and arrays, so that they can be saved without pickling."""

from collections.abc import Mapping
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from ranker.encoding.declared import IdType
from ranker.encoding.value_types import ValueType
from ranker.encoding.vocabulary import Coder, HashedVocabulary, TextHash, Vocabulary


def coder_state(name: str, coder: Coder) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return everything that :func:`restored_coder` needs beside the declared type."""
    if isinstance(coder, HashedVocabulary):
        return {"kind": coder.kind, "buckets": coder.buckets, "hash": coder.hashed_by}, {}
    assert isinstance(coder, Vocabulary)
    return {"kind": coder.kind}, packed(name, coder)


def restored_coder(
    name: str, state: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], declared: IdType | None
) -> Coder:
    """Rebuild what :func:`coder_state` took apart. Raises ``KeyError`` for a missing part."""
    if "buckets" not in state:
        return Vocabulary(state["kind"], unpacked(name, state["kind"], arrays), declared)
    # Artifacts that do not name their hash were trained with this one.
    hashed_by = state.get("hash", "crc32")
    if hashed_by not in get_args(TextHash):
        raise ValueError(f"feature {name!r} is hashed by {hashed_by!r}, which this version of ranker does not know")
    return HashedVocabulary(state["buckets"], state["kind"], declared, hashed_by)


def packed(name: str, vocabulary: Vocabulary) -> dict[str, NDArray[Any]]:
    """Values of a vocabulary as arrays whose names begin with ``name``."""
    values = vocabulary.values()
    if not isinstance(values, list):
        return {f"{name}.values": values}
    encoded = [value.encode("utf-8", "surrogatepass") for value in values]
    return {
        f"{name}.text": np.frombuffer(b"".join(encoded), dtype=np.uint8),
        f"{name}.lengths": np.array([len(value) for value in encoded], dtype=np.int64),
    }


def unpacked(name: str, kind: ValueType | None, arrays: Mapping[str, NDArray[Any]]) -> Any:
    """Values that :func:`packed` turned into arrays."""
    if kind in ("integer", "unsigned"):
        return arrays[f"{name}.values"]
    text = arrays[f"{name}.text"].tobytes()
    ends = np.cumsum(arrays[f"{name}.lengths"]).tolist()
    return [text[start:end].decode("utf-8", "surrogatepass") for start, end in zip([0, *ends], ends, strict=False)]
