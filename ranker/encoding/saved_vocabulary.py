"""Vocabularies <-> JSON data and arrays, to save them without pickling."""

from collections.abc import Mapping
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from ranker.encoding.declared import IdType
from ranker.encoding.value_types import ValueType
from ranker.encoding.vocabulary import Coder, HashedVocabulary, TextHash, Vocabulary


def coder_state(name: str, coder: Coder) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return everything :func:`restored_coder` needs besides the declared type."""
    if isinstance(coder, HashedVocabulary):
        return {"kind": coder.kind, "buckets": coder.buckets, "hash": coder.hashed_by}, {}
    assert isinstance(coder, Vocabulary)
    return {"kind": coder.kind}, packed(name, coder)


def restored_coder(
    name: str, state: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], declared: IdType | None
) -> Coder:
    """Rebuild a coder from :func:`coder_state`. Raises ``KeyError`` for a missing part."""
    if "buckets" not in state:
        return Vocabulary(state["kind"], unpacked(name, state["kind"], arrays), declared)
    # Artifacts without a hash name were trained with this one.
    hashed_by = state.get("hash", "crc32")
    if hashed_by not in get_args(TextHash):
        raise ValueError(f"feature {name!r} uses the hash {hashed_by!r}, which this version of ranker does not support")
    return HashedVocabulary(state["buckets"], state["kind"], declared, hashed_by)


def packed(name: str, vocabulary: Vocabulary) -> dict[str, NDArray[Any]]:
    """Convert a vocabulary to arrays whose names begin with ``name``."""
    values = vocabulary.values()
    if not isinstance(values, list):
        return {f"{name}.values": values}
    encoded = [value.encode("utf-8", "surrogatepass") for value in values]
    return {
        f"{name}.text": np.frombuffer(b"".join(encoded), dtype=np.uint8),
        f"{name}.lengths": np.array([len(value) for value in encoded], dtype=np.int64),
    }


def unpacked(name: str, kind: ValueType | None, arrays: Mapping[str, NDArray[Any]]) -> Any:
    """Values of a vocabulary from the arrays of :func:`packed`."""
    if kind in ("integer", "unsigned"):
        return arrays[f"{name}.values"]
    text = arrays[f"{name}.text"].tobytes()
    ends = np.cumsum(arrays[f"{name}.lengths"]).tolist()
    return [text[start:end].decode("utf-8", "surrogatepass") for start, end in zip([0, *ends], ends, strict=False)]
