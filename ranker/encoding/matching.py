"""Inputs that look candidates' values up in lists of the context: one piece of code for logs and requests.

Ids are compared by their values, and text by hashes of 62 bits, not by codes, so that ids that training has not seen
match too. Results are quotients and table entries of whole numbers: they do not depend on which other rows are computed
at the same time.
"""

from collections.abc import Callable, Mapping
from functools import partial
from itertools import chain
from typing import NamedTuple

import numpy as np

from ranker.encoding.columns import MISSING, Column, ColumnError, Floats, Integers, Mask
from ranker.encoding.declared import as_declared
from ranker.encoding.kinds.base import Columns, FeatureKind
from ranker.encoding.kinds.multi import Multi
from ranker.encoding.kinds.sequence import Sequence
from ranker.encoding.lists import list_codes, pad, split
from ranker.encoding.vocabulary import Coder, HashedVocabulary
from ranker.matches import MatchMeasure, match_input
from ranker.schema import Schema

HASHES = 1 << 62
NO_KEY = MISSING
"""Key of a missing id, and padding of lists; below all other keys."""
CELLS = 1 << 20
"""Most comparisons at a time, which bounds the memory that a chunk of a log needs."""
LONGEST = 1024
"""Largest ``max_length`` of a list."""
_LOGS = np.log1p(np.arange(LONGEST + 1.0))
_RECENCY = 1 / (1 + np.arange(LONGEST + 1.0))


class _Lists(NamedTuple):
    """M lists in each of C rows: list ``m`` of row ``c`` is ``lengths[m, c]`` keys from ``first[m, c]``."""

    keys: Integers
    first: Integers
    lengths: Integers

    @classmethod
    def joined(cls, parts: "list[_Lists]") -> "_Lists":
        """The lists of all parts, in their order."""
        if len(parts) == 1:
            return parts[0]
        starts = np.cumsum([0, *(len(part.keys) for part in parts)]).tolist()
        first = [part.first + start for part, start in zip(parts, starts, strict=False)]
        return cls(
            np.concatenate([part.keys for part in parts]),
            np.concatenate(first),
            np.concatenate([part.lengths for part in parts]),
        )

    def padded(self, rows: slice) -> Integers:
        """The lists [M, C, L] of some rows, the latest elements first."""
        first, lengths = self.first[:, rows, None], self.lengths[:, rows, None]
        after = np.arange(max(int(lengths.max(initial=0)), 1))
        within = after < lengths
        padded = np.full(within.shape, NO_KEY, dtype=np.int64)
        padded[within] = self.keys[(first + lengths - 1 - after)[within]]
        return padded


class _Found(NamedTuple):
    """Number of equal elements [M, N], elements after the latest one [M, N], and length of the list [M, N or 1]."""

    counts: Integers
    after: Integers
    lengths: Integers


MEASURES: Mapping[MatchMeasure, Callable[[_Found], Floats]] = {
    "count": lambda found: _LOGS[found.counts],
    "share": lambda found: found.counts / np.maximum(found.lengths, 1),
    "last": lambda found: np.where(found.counts > 0, _RECENCY[found.after], 0.0),
}


class Matches:
    """Computes the inputs of a schema with ``matches``; ``coders`` know the types of ids by feature."""

    def __init__(self, schema: Schema, coders: Mapping[str, Coder]) -> None:
        self._schema, self._coders = schema, coders
        self._lists: dict[str, dict[str, tuple[MatchMeasure, ...]]] = {}
        """Measures by list, by candidate feature."""
        for match in schema.matches:
            lists = self._lists.setdefault(match.of, {})
            lists |= {name: match.measures_of(schema.context[name]) for name in match.list_features}
        self._limits: dict[tuple[str, ...], tuple[Integers, Mask]] = {}
        """Lengths to keep [M, 1], and whether from the end, of lists that may be read together."""
        for lists in self._lists.values():
            for names in (tuple(lists), *((name,) for name in lists)):
                features = [schema.context[name] for name in names]
                most = np.array([[_width(feature)] for feature in features])
                self._limits[names] = most, np.array([[isinstance(feature, Sequence)] for feature in features])
        widths = [_width(schema.candidate[name]) for name in self._lists]
        ends = np.cumsum(widths).tolist()
        self._places = {of: slice(end - w, end) for of, w, end in zip(self._lists, widths, ends, strict=True)}
        self.width = sum(widths)
        """Number K of keys of a candidate."""

    def keys(self, candidate: Columns, rows: int) -> Integers:
        """Keys [N, K] of the candidates' values. Raises ``ColumnError``."""
        keys = np.empty((rows, self.width), dtype=np.int64)
        for name, place in self._places.items():
            feature, column = self._schema.candidate[name], self._schema.column(name)
            coder, as_text = self._coders[name], self._as_text(name)
            if isinstance(feature, Multi):
                lists = split(candidate[column], column, feature.separator, coder.kind)
                flat = list_codes(partial(_keys, coder, as_text), lists, column)
                keys[:, place] = pad(lists, flat, feature.max_length, np.zeros_like, NO_KEY)
            else:
                keys[:, place] = _keys(coder, as_text, candidate[column], column)[:, None]
        return keys

    def inputs(self, context: Columns, keys: Integers) -> dict[str, Floats]:
        """Inputs [N] by name, of keys [N, K] and one context row or N; NaN if missing. Raises ``ColumnError``."""
        found: dict[str, Floats] = {}
        for of, lists in self._lists.items():
            wanted = keys[:, self._places[of]]
            compared = _looked_up(wanted, self._read(of, context))
            missing = (_largest(wanted) == NO_KEY) | (compared.lengths == 0)
            for measure in dict.fromkeys(chain.from_iterable(lists.values())):
                values = MEASURES[measure](compared)
                values[missing] = np.nan
                for row, (name, measures) in zip(values, lists.items(), strict=True):
                    if measure in measures:
                        found[match_input(of, name, measure)] = row
        return found

    def _read(self, of: str, context: Columns) -> _Lists:
        """The kept elements of all lists that a feature is looked up in."""
        names = tuple(self._lists[of])
        columns = [self._schema.column(name) for name in names]
        given = [context[column] for column in columns]
        if len(given) > 1 and len(set(map(self._reading, names))) == 1:
            one_row = [column for column in given if isinstance(column, list) and len(column) == 1]
            if len(one_row) == len(given):
                try:  # as rows of one column, since the cost of a request is the number of calls
                    return self._kept(of, names, [column[0] for column in one_row], columns[0])
                except ColumnError:
                    pass  # below, the error names the column
        each = zip(names, given, columns, strict=True)
        return _Lists.joined([self._kept(of, (name,), column, title) for name, column, title in each])

    def _kept(self, of: str, names: tuple[str, ...], column: Column, title: str) -> _Lists:
        """The kept elements of a column with one list feature, or with one row of each of several."""
        source, separator = self._reading(names[0])
        coder = self._coders[source]
        lists = split(column, title, separator, coder.kind)
        keys = list_codes(partial(_keys, coder, self._as_text(of)), lists, title)
        lengths = np.diff(lists.offsets).reshape(len(names), -1)
        first = lists.offsets[:-1].reshape(len(names), -1)
        most, from_end = self._limits[names]
        kept = np.minimum(lengths, most)
        return _Lists(keys, first + (lengths - kept) * from_end, kept)

    def _reading(self, name: str) -> tuple[str, str | None]:
        """The feature whose ids a list holds, and the separator."""
        feature = self._schema.context[name]
        assert isinstance(feature, Sequence | Multi), "the schema allows no others"
        return feature.source_of(name), feature.separator

    def _as_text(self, of: str) -> bool:
        """Whether a feature and its lists are compared as text: if some have text as ids, and others integers."""
        sources = (self._reading(name)[0] for name in self._lists[of])
        return any(self._coders[name].kind == "string" for name in (of, *sources))


def _width(feature: FeatureKind) -> int:
    """Most values of a row."""
    return feature.max_length if isinstance(feature, Sequence | Multi) else 1


def _keys(coder: Coder, as_text: bool, column: Column, name: str) -> Integers:
    """Keys [N] of ids of a feature; all are missing if training had none."""
    if coder.kind is None:
        return np.full(len(column), NO_KEY, dtype=np.int64)
    if not as_text:
        return coder.read(column, name)
    ids = coder.as_declared(column, name)
    if coder.kind != "string":
        ids = as_declared(ids, name, "string")
    keys = HashedVocabulary(HASHES, "string").codes(ids, name)
    keys[keys == 0] = NO_KEY  # the code of a missing id
    return keys


def _looked_up(wanted: Integers, lists: _Lists) -> _Found:
    """Find the values [N, W] of each candidate in its lists, or in those of the only row."""
    rows, (count, contexts) = len(wanted), lists.lengths.shape
    counts, after = np.empty((2, count, rows), dtype=np.int64)
    lengths = np.empty((count, contexts), dtype=np.int64)
    step = max(CELLS // max(count * int(lists.lengths.max(initial=0)), 1), 1)
    listed = lists.padded(slice(None)) if contexts == 1 else None
    if listed is not None:
        lengths[:] = np.count_nonzero(listed != NO_KEY, axis=2)
    for start in range(0, rows, step):
        here = slice(start, start + step)
        block = lists.padded(here) if listed is None else listed
        counts[:, here], after[:, here] = _counted(_equal(wanted[here], block))
        if listed is None:
            lengths[:, here] = np.count_nonzero(block != NO_KEY, axis=2)
    return _Found(counts, after, lengths)


def _equal(wanted: Integers, listed: Integers) -> Mask:
    """Elements [M, N, L] of lists [M, N or 1, L] that equal any of the values [N, W]; arbitrary if all are missing."""
    largest = _largest(wanted)
    equal: Mask = listed == largest[:, None]
    if wanted.shape[1] == 1:
        return equal
    for values in wanted.T:
        rows = np.flatnonzero((values != largest) & (values != NO_KEY))
        if len(rows):
            equal[:, rows] |= (listed if listed.shape[1] == 1 else listed[:, rows]) == values[rows, None]
    return equal


def _counted(equal: Mask) -> Integers:
    """Number of equal elements [M, N], and the place of the first of them, of [M, N, L]; few are equal."""
    lists, rows, length = equal.shape
    row, place = np.divmod(np.flatnonzero(equal), length)
    counted = np.zeros((2, lists * rows), dtype=np.int64)
    counted[0] = np.bincount(row, minlength=lists * rows)
    counted[1, row[::-1]] = place[::-1]  # the last assignment wins
    return counted.reshape(2, lists, rows)


def _largest(wanted: Integers) -> Integers:
    """A value of each candidate, of its values [N, W]; missing if all are."""
    return wanted[:, 0] if wanted.shape[1] == 1 else wanted.max(axis=1)
