"""Inputs that look candidates' values up in lists of the context: one piece of code for logs and requests.

Ids are compared by hashes of their values, not by codes, so that ids that training has not seen match too. Results are
quotients and table entries of whole numbers: they do not depend on which other rows are computed at the same time.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ranker.encoding.columns import Column, Floats, Integers, Mask
from ranker.encoding.declared import as_declared
from ranker.encoding.kinds.base import Columns, FeatureKind
from ranker.encoding.kinds.multi import Multi
from ranker.encoding.kinds.sequence import Sequence
from ranker.encoding.lists import list_codes, pad, split
from ranker.encoding.vocabulary import Coder, HashedVocabulary
from ranker.matches import MatchMeasure, match_input
from ranker.schema import Schema

HASHES = 1 << 62
NO_KEY = 0
"""Key of a missing id, and padding of lists."""
NO_MATCH = -1
"""Stands for a candidate's missing id, as it must not match the padding."""
CELLS = 1 << 20
"""Most comparisons at a time, which bounds the memory that a chunk of a log needs."""
LONGEST = 1024
"""Largest ``max_length`` of a list."""
_LOGS = np.log1p(np.arange(LONGEST + 1.0))
_RECENCY = 1 / (1 + np.arange(LONGEST + 1.0))


class _Lists(NamedTuple):
    """C lists: list ``i`` is ``lengths[i]`` keys from ``first[i]``."""

    keys: Integers
    first: Integers
    lengths: Integers

    def padded(self, rows: slice) -> Integers:
        """Some lists [C, L], of at least one column, with their ends in the last one."""
        first, lengths = self.first[rows], self.lengths[rows]
        steps = np.arange(max(int(lengths.max(initial=0)), 1))
        before = len(steps) - lengths[:, None]
        within = steps >= before
        padded = np.full(within.shape, NO_KEY, dtype=np.int64)
        padded[within] = self.keys[(first[:, None] - before + steps)[within]]
        return padded


class _Found(NamedTuple):
    """Number of equal elements [N], elements after the latest one [N], and length of the list [N] or [1]."""

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
        lists: dict[str, dict[str, tuple[MatchMeasure, ...]]] = {}
        for match in schema.matches:
            of = lists.setdefault(match.of, {})
            of |= {name: match.measures_of(schema.context[name]) for name in match.list_features}
        self._lists = lists
        """Measures by list, by candidate feature."""
        widths = [_width(schema.candidate[name]) for name in lists]
        ends = np.cumsum(widths).tolist()
        self._places = {name: slice(end - w, end) for name, w, end in zip(lists, widths, ends, strict=True)}
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
                keys[:, place] = pad(lists, flat, feature.max_length, np.zeros_like)
            else:
                keys[:, place] = _keys(coder, as_text, candidate[column], column)[:, None]
        return keys

    def inputs(self, context: Columns, keys: Integers) -> dict[str, Floats]:
        """Inputs [N] by name, of keys [N, K] and one context row or N; NaN if missing. Raises ``ColumnError``."""
        found: dict[str, Floats] = {}
        read: dict[tuple[str, bool], _Lists] = {}
        for of, lists in self._lists.items():
            as_text, own = self._as_text(of), keys[:, self._places[of]]
            known = (own != NO_KEY).any(axis=1)
            wanted = np.where(own == NO_KEY, NO_MATCH, own)
            for name, measures in lists.items():
                if (name, as_text) not in read:
                    read[name, as_text] = self._read(name, as_text, context)
                compared = _looked_up(wanted, read[name, as_text])
                present = known & (compared.lengths > 0)
                for measure in measures:
                    values = MEASURES[measure](compared)
                    found[match_input(of, name, measure)] = np.where(present, values, np.nan)
        return found

    def _read(self, name: str, as_text: bool, context: Columns) -> _Lists:
        """The kept elements of a list feature, in order."""
        feature, column = self._schema.context[name], self._schema.column(name)
        assert isinstance(feature, Sequence | Multi), "the schema allows no others"
        coder = self._coders[feature.source_of(name)]
        lists = split(context[column], column, feature.separator, coder.kind)
        lengths = np.diff(lists.offsets)
        kept = np.minimum(lengths, feature.max_length)
        first = lists.offsets[:-1] + (lengths - kept if isinstance(feature, Sequence) else 0)
        return _Lists(list_codes(partial(_keys, coder, as_text), lists, column), first, kept)

    def _as_text(self, of: str) -> bool:
        """Whether a feature and its lists are compared as text: if some have text as ids, and others integers."""
        sources = [self._schema.context[name].source_of(name) for name in self._lists[of]]
        return any(self._coders[name].kind == "string" for name in (of, *sources))


def _width(feature: FeatureKind) -> int:
    return feature.max_length if isinstance(feature, Multi) else 1


def _keys(coder: Coder, as_text: bool, column: Column, name: str) -> Integers:
    """Keys [N] of ids of a feature; all are missing if training had none."""
    if coder.kind is None:
        return np.full(len(column), NO_KEY, dtype=np.int64)
    ids, kind = coder.as_declared(column, name), coder.kind
    if as_text and kind != "string":
        ids, kind = as_declared(ids, name, "string"), "string"
    return HashedVocabulary(HASHES, kind).codes(ids, name)


def _looked_up(wanted: Integers, lists: _Lists) -> _Found:
    """Find the values [N, W] of each candidate in its list, or in the only one."""
    rows, single = len(wanted), len(lists.lengths) == 1
    counts, after = np.zeros(rows, dtype=np.int64), np.zeros(rows, dtype=np.int64)
    lengths = np.zeros(1 if single else rows, dtype=np.int64)
    longest = max(int(lists.lengths.max(initial=0)), 1)
    step = max(CELLS // longest, 1)
    listed = lists.padded(slice(None)) if single else None
    for start in range(0, rows, step):
        here = slice(start, start + step)
        block = lists.padded(here) if listed is None else listed
        equal = _equal(wanted[here], block)
        counts[here] = np.count_nonzero(equal, axis=1)
        after[here] = np.argmax(equal[:, ::-1], axis=1)
        lengths[slice(None) if single else here] = np.count_nonzero(block != NO_KEY, axis=1)
    return _Found(counts, after, lengths)


def _equal(wanted: Integers, listed: NDArray[np.int64]) -> Mask:
    """Elements [N, L] that equal any of the values [N, W]."""
    equal: Mask = listed == wanted[:, :1]
    for values in wanted.T[1:]:
        if (values != NO_MATCH).any():
            equal |= listed == values[:, None]
    return equal
