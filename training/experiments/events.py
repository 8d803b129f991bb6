"""Events of users, matched to the requests that they followed."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from ranker.log_files.log_reader import DataError
from training.experiments.latest import NONE, Ints, Latest
from training.experiments.requests import Requests, named
from training.experiments.unit_sums import Floats
from training.exposures.event_files import event_files
from training.exposures.event_files import read_events as tables_of
from training.exposures.keys import Keys, event_keys, hashed_units, hashes

MOST_KINDS = 500
"""Largest number of kinds: with more, the column holds something else."""


@dataclass
class EventCounts:
    """What became of the events that were read.

    All but ``counted``, ``repeated`` and ``ahead`` say why events do not count.

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
        Events before any request of their user.
    ahead
        Counted events, or reports of such, that are before the request that they name, since clocks differ.
    orphans
        Events of a request or user that is not in the log, in the time that is asked for.
    incomplete
        Events without a kind or a time, or with neither request nor user.
    kinds
        All complete events by kind.
    negative
        Counted events with a value below 0, by kind.
    """

    read: int = 0
    counted: int = 0
    repeated: int = 0
    late: int = 0
    early: int = 0
    ahead: int = 0
    orphans: int = 0
    incomplete: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    negative: dict[str, int] = field(default_factory=dict)


class Events(NamedTuple):
    """Events that count [E]: row of the request, code of the kind, value; names of kinds, and what became of all."""

    requests: Ints
    kinds: NDArray[np.int32]
    values: Floats
    names: list[str]
    counts: EventCounts


class _Matched(NamedTuple):
    """Matched events of a table [E], with a key that is equal for reports of one event."""

    keys: Keys
    requests: Ints
    kinds: NDArray[np.int32]
    values: Floats


def read_events(sources: Sequence[str | Path], requests: Requests, within: int, salt: str | None = None) -> Events:
    """Read events, and keep those that follow a request within ``within`` milliseconds.

    An event belongs to the request that it names, even if clocks differ and it seems to be before it, or if it names
    none, to the latest request of its user before it.
    Reports with one ``event_id``, and without it of one request or user, item, kind, time and value, are one event. A
    value that is absent is 1. ``salt`` is that of the units of the requests, if they are hashed. Takes about 30 bytes
    for each event that follows a request.

    Raises ``DataError`` for a missing column, an invalid time or value, or events by user of a log with hashed units
    and no salt.
    """
    counts = EventCounts()
    matching = _Matching(requests, within, salt, counts)
    parts = [matching.of(table, str(file)) for file in event_files(sources) for table in tables_of(file)]
    none = _Matched(np.empty(0, np.uint64), np.empty(0, np.int64), np.empty(0, np.int32), np.empty(0))
    by_column: Any = zip(none, *parts, strict=True)
    whole = _Matched(*map(np.concatenate, by_column))
    kept = np.sort(np.unique(whole.keys, return_index=True)[1])
    counts.repeated, counts.counted = len(whole.keys) - len(kept), len(kept)
    counts.kinds = dict(sorted(counts.kinds.items()))
    names = list(matching.codes)
    rows, kinds, values = whole.requests[kept], whole.kinds[kept], whole.values[kept]
    below = np.bincount(kinds[values < 0], minlength=len(names)).tolist()
    counts.negative = {name: count for name, count in zip(names, below, strict=True) if count}
    return Events(rows, kinds, values, names, counts)


class _Matching:
    """Matches tables of events to requests; ``codes`` are those of the kinds so far."""

    def __init__(self, requests: Requests, within: int, salt: str | None, counts: EventCounts) -> None:
        self._times, self._within, self._counts = requests.times, within, counts
        self._hashed, self._salt = requests.hashed, salt
        self._rows = [np.flatnonzero(present) for present in (requests.has_id, requests.has_unit)]
        self._latest = [
            Latest(keys[rows], requests.times[rows])
            for keys, rows in zip((requests.ids, requests.units), self._rows, strict=True)
        ]
        self.codes: dict[str, int] = {}

    def of(self, table: Any, file: str) -> _Matched:
        """Match the events of a table."""
        counts, read = self._counts, table.num_rows
        table = _complete(table)
        counts.read += read
        counts.incomplete += read - table.num_rows
        kinds = self._kinds(table["kind"], file)
        times = table["time"].to_numpy()
        by_request = pc.is_valid(table["request_id"]).to_numpy(zero_copy_only=False)
        owners = np.where(by_request, hashes(table["request_id"]), self._users(table, by_request, file))
        found, known = np.full(len(times), NONE, dtype=np.int64), np.zeros(len(times), dtype=bool)
        for mask, rows, latest in zip((by_request, ~by_request), self._rows, self._latest, strict=True):
            at, known[mask] = latest.find(owners[mask], times[mask])
            found[mask] = np.append(rows, NONE)[at]
        ahead = by_request & known & (found == NONE)
        found[ahead] = self._rows[0][self._latest[0].earliest(owners[ahead])]
        counts.ahead += int(ahead.sum())
        late = times - np.append(self._times, 0)[found] > self._within
        late &= found != NONE
        counts.orphans += int((~known).sum())
        counts.early += int((known & (found == NONE)).sum())
        counts.late += int(late.sum())
        kept = (found != NONE) & ~late
        values = table["value"].to_numpy()
        return _Matched(event_keys(table, owners)[kept], found[kept], kinds[kept], values[kept])

    def _users(self, table: Any, by_request: NDArray[np.bool_], file: str) -> Keys:
        """Keys of the users, as those of the requests' units."""
        users = table["user"].combine_chunks()
        if not self._hashed or by_request.all():
            return hashes(users)
        if self._salt is None:
            raise DataError(
                f"{file}: holds events of users without a request_id, and the units of the exposures are hashed; give "
                "the salt, --unit-salt-file, or the request ids"
            )
        return hashes(hashed_units(users, self._salt))

    def _kinds(self, column: Any, file: str) -> NDArray[np.int32]:
        """Codes [N] of kinds, which are counted."""
        texts = column.combine_chunks().dictionary_encode()
        names = texts.dictionary.to_pylist()
        table = np.array([self.codes.setdefault(name, len(self.codes)) for name in names], dtype=np.int32)
        if len(self.codes) > MOST_KINDS:
            raise DataError(
                f"{file}: the column 'kind' has more than {MOST_KINDS} values, such as {named(list(self.codes)[:5])}; "
                "kinds are click, like, watch and the like"
            )
        indices = texts.indices.to_numpy()
        for name, count in zip(names, np.bincount(indices, minlength=len(names)).tolist(), strict=True):
            self._counts.kinds[name] = self._counts.kinds.get(name, 0) + count
        return np.asarray(table[indices])


def _complete(table: Any) -> Any:
    """Rows with a kind, a time, and a request or a user."""
    owned = pc.or_(pc.is_valid(table["request_id"]), pc.is_valid(table["user"]))
    return table.filter(pc.and_(owned, pc.and_(pc.is_valid(table["kind"]), pc.is_valid(table["time"]))))
