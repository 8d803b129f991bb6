"""Hashes of ids, by which events find what was shown.

Keys have 64 bits: with 10 million exposures and as many events, two different ones are equal with a probability of
about 5e-6.
"""

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ranker.encoding.text import Text, splitmix64
from ranker.exposures import hashed_unit
from ranker.log_files.log_reader import DataError

Keys: TypeAlias = npt.NDArray[np.uint64]


def as_text(array: Any, place: str) -> pa.Array:
    """Ids as text: 7, 7.0 and "7" are the same, and NaN is null.

    Raises ``DataError`` beginning with ``place`` for lists and such.
    """
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if pa.types.is_dictionary(array.type):
        array = array.cast(array.type.value_type)
    kind = array.type
    if pa.types.is_floating(kind):
        values = array.to_numpy(zero_copy_only=False).astype(np.float64)
        whole = (values == np.trunc(values)) & (np.abs(values) < 2.0**63)
        texts = pa.array(np.where(whole, values, 0).astype(np.int64)).cast(pa.string())
        texts = pc.if_else(pa.array(whole), texts, array.cast(pa.string()))
        return pc.if_else(pa.array(np.isnan(values)), pa.scalar(None, pa.string()), texts)
    if pa.types.is_decimal(kind):
        return pc.replace_substring_regex(array.cast(pa.string()), pattern=r"\.0*$", replacement="")
    if pa.types.is_nested(kind) or pa.types.is_binary(kind):
        raise DataError(f"{place}: holds {kind}; ids are numbers or text")
    return array.cast(pa.string())


def hashes(texts: Any) -> Keys:
    """Hash [N] of each text [N]; that of null is 0."""
    coded = pc.dictionary_encode(texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts)
    words = coded.dictionary.cast(pa.large_string())
    _, offsets, data = words.buffers()
    bytes_ = np.zeros(0, np.uint8) if data is None else np.frombuffer(data, dtype=np.uint8)
    ends = np.zeros(1, np.int64) if offsets is None else np.frombuffer(offsets, dtype=np.int64)[: len(words) + 1]
    distinct = Text(bytes_, ends, np.zeros(0, np.int64)).hashes(np.arange(len(words)))
    places = pc.fill_null(coded.indices, len(words)).to_numpy(zero_copy_only=False)
    found: Keys = np.append(distinct, np.uint64(0))[places]
    return found


def hashed_units(users: Any, salt: str) -> pa.Array:
    """Users [N] as a log with hashed units has them."""
    coded = pc.dictionary_encode(users.combine_chunks() if isinstance(users, pa.ChunkedArray) else users)
    units = pa.array([hashed_unit(text, salt) for text in coded.dictionary.to_pylist()], type=pa.string())
    return units.take(coded.indices)


def paired(one: Keys, other: Keys) -> Keys:
    """Hash [N] of two hashes [N], in this order."""
    return splitmix64(one ^ splitmix64(other))


def event_keys(events: pa.Table, owner: Keys) -> Keys:
    """What makes an event the same one [N]: its ``event_id``, or else owner [N], item, kind, time and value."""
    named = pc.is_valid(events["event_id"]).to_numpy(zero_copy_only=False)
    found = paired(owner, hashes(events["item"]))
    for part in (
        hashes(events["kind"]),
        pc.fill_null(events["time"], 0).to_numpy().view(np.uint64),
        events["value"].to_numpy().view(np.uint64),
    ):
        found = paired(found, part)
    return np.where(named, splitmix64(hashes(events["event_id"])), found)
