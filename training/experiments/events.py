"""Events of users, matched to the requests that they followed."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ranker.encoding.columns import shortened
from ranker.log_files.csv_types import Kind
from ranker.log_files.log_reader import ArrowChunk, DataError, Log, Source
from training.data.split.time_column import TimeColumn
from training.data.split.time_units import unit_of
from training.experiments.keys import Ints, Keys, Latest, joined, keys_of
from training.experiments.requests import Requests, named
from training.experiments.unit_sums import Floats

KINDS: dict[str, Kind] = {
    "request_id": "text",
    "user": "text",
    "item": "text",
    "kind": "text",
    "event_id": "text",
    "time": "time",
    "value": "number",
}
"""Columns of events; of ``request_id`` and ``user`` one is enough, ``event_id``, ``item`` and ``value`` may be left
out."""
MOST_KINDS = 500
"""Largest number of kinds: with more, the column holds something else."""


@dataclass
class EventCounts:
    """What became of the events that were read; all but ``counted`` and ``repeated`` say why events do not count.

    Attributes
    ----------
    read
        All events.
    counted
        Events that belong to a request, within the window, once.
    repeated
        Further reports of events that count.
    late
        Events after the window of their request.
    early
        Events before the request that they name, or before any request of their user.
    orphans
        Events of a request or user that is not in the log, in the time that is asked for.
    unnamed
        Events with neither request nor user.
    kinds
        All events by kind.
    without_value, negative
        By kind: counted events that have no value, where others have one; counted events with a value below 0.
    """

    read: int = 0
    counted: int = 0
    repeated: int = 0
    late: int = 0
    early: int = 0
    orphans: int = 0
    unnamed: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    without_value: dict[str, int] = field(default_factory=dict)
    negative: dict[str, int] = field(default_factory=dict)


class Events(NamedTuple):
    """Events that count [E]: row of the request, code of the kind, value; names of kinds, and what became of all."""

    requests: Ints
    kinds: NDArray[np.int32]
    values: Floats
    names: list[str]
    counts: EventCounts


class _Matched(NamedTuple):
    """Matched events of a chunk [E], with a key that is equal for reports of one event."""

    keys: Keys
    requests: Ints
    kinds: NDArray[np.int32]
    values: Floats


def read_events(source: Source, requests: Requests, within: int) -> Events:
    """Read events, and keep those that follow a request within ``within`` milliseconds.

    An event belongs to the request that it names, or if it names none, to the latest request of its user before it.
    Reports with one ``event_id``, and without it of one request or user, item, kind, time and value, are one event. A
    value that is null is 1. Takes about 40 bytes for each event that follows a request.

    Raises ``DataError`` for a missing column, an invalid time or value, or events by user of a log with hashed units.
    """
    log = Log(source, KINDS)
    columns = _columns(log, requests)
    codes: dict[str, int] = {}
    counts = EventCounts()
    matching = _Matching(requests, within, counts)
    time = TimeColumn("time")
    parts = []
    for chunk in log.arrow_chunks(columns, [name for name in columns if name not in ("kind", "time")]):
        parts.append(matching.of(chunk, time, codes))
    none = _Matched(np.empty(0, np.uint64), np.empty(0, np.int64), np.empty(0, np.int32), np.empty(0))
    by_column: Any = zip(none, *parts, strict=True)
    whole = _Matched(*map(np.concatenate, by_column))
    kept = np.sort(np.unique(whole.keys, return_index=True)[1])
    counts.repeated, counts.counted = len(whole.keys) - len(kept), len(kept)
    names = list(codes)
    counts.kinds = {name: counts.kinds[name] for name in sorted(counts.kinds)}
    rows, kinds, values = whole.requests[kept], whole.kinds[kept], whole.values[kept]
    empty, below = np.isnan(values), values < 0
    for code, name in enumerate(names):
        own = kinds == code
        lacking = int((own & empty).sum())
        if 0 < lacking < int(own.sum()):
            counts.without_value[name] = lacking
        if negative := int((own & below).sum()):
            counts.negative[name] = negative
    return Events(rows, kinds, np.where(empty, 1.0, values), names, counts)


def _columns(log: Log, requests: Requests) -> list[str]:
    columns = [name for name in KINDS if name in ("kind", "time") or log.has(name)]
    if "request_id" not in columns and "user" not in columns:
        raise DataError("the events have neither a column request_id nor user, so they belong to no request")
    if "request_id" not in columns and requests.hashed:
        raise DataError("the events have no column request_id, and the users of the exposures are hashed")
    return columns


class _Matching:
    """Matches chunks of events to requests."""

    def __init__(self, requests: Requests, within: int, counts: EventCounts) -> None:
        named_, with_unit = np.flatnonzero(requests.has_id), np.flatnonzero(requests.has_unit)
        self._times, self._within, self._counts = requests.times, within, counts
        self._rows = {"request_id": named_, "user": with_unit}
        self._latest = {
            "request_id": Latest(requests.ids[named_], requests.times[named_]),
            "user": Latest(requests.units[with_unit], requests.times[with_unit]),
        }

    def of(self, chunk: ArrowChunk, time: TimeColumn, codes: dict[str, int]) -> _Matched:
        """Match the events of a chunk, whose kinds are added to ``codes``."""
        counts, rows = self._counts, chunk.rows
        kinds = self._kinds(chunk, codes)
        times = _times(chunk, time)
        values = _values(chunk)
        keys = {name: _keys(chunk, name) for name in ("request_id", "user", "item", "event_id")}
        found, known = np.full(rows, -1, dtype=np.int64), np.zeros(rows, dtype=bool)
        by_request = keys["request_id"][1]
        by_user = ~by_request & keys["user"][1]
        for name, mask in (("request_id", by_request), ("user", by_user)):
            at, is_known = self._latest[name].find(keys[name][0][mask], times[mask])
            found[mask] = np.where(at >= 0, self._rows[name][np.maximum(at, 0)] if len(self._rows[name]) else -1, -1)
            known[mask] = is_known
        late = (found >= 0) & (times - self._times[np.maximum(found, 0)] > self._within) if len(self._times) else found
        counts.read += rows
        counts.unnamed += int((~by_request & ~by_user).sum())
        counts.orphans += int(((by_request | by_user) & ~known).sum())
        counts.early += int((known & (found < 0)).sum())
        counts.late += int(late.sum())
        same = joined(
            np.where(by_request, keys["request_id"][0], keys["user"][0]),
            keys["item"][0],
            joined(kinds.astype(np.uint64), times.astype(np.uint64)),
            values.view(np.uint64),
        )
        same = np.where(keys["event_id"][1], keys["event_id"][0], same)
        kept = (found >= 0) & ~late
        return _Matched(same[kept], found[kept], kinds[kept], values[kept])

    def _kinds(self, chunk: ArrowChunk, codes: dict[str, int]) -> NDArray[np.int32]:
        texts = _text(chunk, "kind").dictionary_encode()
        indices = texts.indices
        if indices.null_count:
            row = int(np.argmax(indices.is_null().to_numpy(zero_copy_only=False)))
            raise DataError(f"{chunk.source}, row {chunk.first + row}, column 'kind': no value; an event has a kind")
        values = texts.dictionary.to_pylist()
        table = np.array([codes.setdefault(value, len(codes)) for value in values], dtype=np.int32)
        if len(codes) > MOST_KINDS:
            raise DataError(
                f"{chunk.source}: the column 'kind' has more than {MOST_KINDS} values, such as "
                f"{named(list(codes)[:5])}; kinds are click, like, watch and the like"
            )
        found = table[indices.to_numpy(zero_copy_only=False)] if values else np.empty(0, dtype=np.int32)
        for code, count in zip(*np.unique(found, return_counts=True), strict=True):
            name = list(codes)[int(code)]
            self._counts.kinds[name] = self._counts.kinds.get(name, 0) + int(count)
        return found


def _text(chunk: ArrowChunk, name: str) -> Any:
    array = chunk.arrays[name]
    array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
    try:
        return pc.cast(array.dictionary_decode() if pa.types.is_dictionary(array.type) else array, pa.string())
    except pa.ArrowException:
        raise DataError(f"{chunk.source}: the column {name!r} holds {array.type}; it takes text or integers") from None


def _keys(chunk: ArrowChunk, name: str) -> tuple[Keys, NDArray[np.bool_]]:
    if name not in chunk.arrays:
        return np.zeros(chunk.rows, dtype=np.uint64), np.zeros(chunk.rows, dtype=bool)
    return keys_of(_text(chunk, name))


def _times(chunk: ArrowChunk, time: TimeColumn) -> Ints:
    """Milliseconds [N] since 1970."""
    array = chunk.arrays["time"]
    if array.null_count:
        row = int(np.argmax(pc.is_null(array).to_numpy(zero_copy_only=False)))
        raise DataError(f"{chunk.source}, row {chunk.first + row}, column 'time': no value; an event has a time")
    found = time.of(chunk.converted(["time"]))
    if found.kind == "instant" or not len(found.values):
        return np.asarray(found.values // 1000, dtype=np.int64)
    unit = unit_of(float(np.median(found.values)))
    if unit != "milliseconds":
        raise DataError(
            f"{chunk.source}, column 'time': {found.values[0].item()} is not in milliseconds since 1970"
            + (f", but looks like {unit}" if unit else "")
            + "; write milliseconds or timestamps"
        )
    return np.asarray(found.values, dtype=np.int64)


def _values(chunk: ArrowChunk) -> Floats:
    """Values [N]; NaN where there is none."""
    if "value" not in chunk.arrays:
        return np.full(chunk.rows, np.nan)
    try:
        array = pc.cast(chunk.arrays["value"], pa.float64())
    except pa.ArrowException:
        kind = chunk.arrays["value"].type
        raise DataError(f"{chunk.source}: the column 'value' holds {kind}; it takes numbers") from None
    values = array.to_numpy(zero_copy_only=False).astype(np.float64)
    if (wrong := np.isinf(values)).any():
        row = int(np.argmax(wrong))
        shown = shortened(float(values[row]))
        raise DataError(f"{chunk.source}, row {chunk.first + row}, column 'value': {shown} is not a finite number")
    return np.where(np.isnan(values), np.nan, values)  # one NaN, so that equal reports have equal bits
