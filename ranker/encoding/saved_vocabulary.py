"""Vocabularies <-> JSON data and arrays, to save them without pickling."""

from collections.abc import Mapping
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from ranker.encoding.declared import IdType
from ranker.encoding.index import Index, TextIndex
from ranker.encoding.text import WORD, Text
from ranker.encoding.value_types import ValueType
from ranker.encoding.vocabulary import Coder, HashedVocabulary, TextHash, Vocabulary

INDEXED = 1 << 17
"""Number of values from which a vocabulary is saved with its index, so that no process builds one in its own memory."""


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
        return unpacked(name, state["kind"], arrays, declared)
    # Artifacts without a hash name were trained with this one.
    hashed_by = state.get("hash", "crc32")
    if hashed_by not in get_args(TextHash):
        raise ValueError(f"feature {name!r} uses the hash {hashed_by!r}, which this version of ranker does not support")
    return HashedVocabulary(state["buckets"], state["kind"], declared, hashed_by)


def packed(name: str, vocabulary: Vocabulary) -> dict[str, NDArray[Any]]:
    """Convert a vocabulary to arrays whose names begin with ``name``."""
    arrays: dict[str, NDArray[Any]] = {}
    indexed = vocabulary.size >= INDEXED
    values = None if vocabulary.kind in (None, "string") else vocabulary.values()
    if values is not None:
        arrays[f"{name}.values"] = np.asarray(values)
    else:
        text = vocabulary.text()
        data = text.data
        if indexed and len(data) < text.offsets[-1] + WORD:  # so that words can be read to the end
            data = np.concatenate([data, np.zeros(WORD, dtype=np.uint8)])
        arrays |= {f"{name}.text": data, f"{name}.lengths": text.lengths}
        if indexed:
            arrays[f"{name}.offsets"] = text.offsets
    if indexed:
        arrays |= {f"{name}.index.{part}": array for part, array in vocabulary.saved_index().arrays.items()}
    return arrays


def unpacked(
    name: str, kind: ValueType | None, arrays: Mapping[str, NDArray[Any]], declared: IdType | None = None
) -> Vocabulary:
    """Rebuild a vocabulary from the arrays of :func:`packed`."""
    prefix = f"{name}.index."
    index = {key.removeprefix(prefix): array for key, array in arrays.items() if key.startswith(prefix)}
    if kind in ("integer", "unsigned"):
        return Vocabulary(kind, arrays[f"{name}.values"], declared, Index(index) if index else None)
    data, lengths = arrays[f"{name}.text"], arrays[f"{name}.lengths"]
    if index:
        text = Text.stored(data, lengths, arrays[f"{name}.offsets"])
        return Vocabulary(kind, text, declared, TextIndex(text, index))
    whole, ends = data.tobytes(), np.cumsum(lengths).tolist()
    bounds = zip([0, *ends], ends, strict=False)
    return Vocabulary(kind, [whole[start:end].decode("utf-8", "surrogatepass") for start, end in bounds], declared)
