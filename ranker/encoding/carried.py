"""What an earlier fit of an encoder leaves to the next one, without the values that have expired."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ranker.encoding.columns import Floats, Integers
from ranker.encoding.encoder import Encoder
from ranker.encoding.kinds.base import Arrays
from ranker.encoding.kinds.coded import Coded, CodedEncoding
from ranker.encoding.layout import Key
from ranker.encoding.statistics import Combination, Statistics, Sums
from ranker.encoding.vocabulary import RESERVED, UNSEEN, Vocabulary
from ranker.schema import Schema


@dataclass(frozen=True)
class Carried:
    """An earlier fit: its encoder, the facts of its fitters by feature, and the last day of its rows."""

    encoder: Encoder
    facts: Mapping[str, Arrays]
    day: int

    def without_expired(self, schema: Schema) -> "Carried":
        """Forget the values, with their statistics, that have no row and expired by the last day.

        A value that a later row brings back is counted from 1 again.
        """
        encodings, facts = dict(self.encoder.encodings), dict(self.facts)
        places: dict[str, Integers] = {}
        for name, feature in schema.features.items():
            encoding = encodings.get(name)
            if not isinstance(encoding, CodedEncoding) or not isinstance(encoding.coder, Vocabulary):
                continue
            if not isinstance(feature, Coded) or feature.expire_after is None:
                continue
            gone = (encoding.table == UNSEEN) & (self.facts[name]["last_day"] < self.day - feature.expire_after)
            gone[:RESERVED] = False
            if gone.any():
                kept = np.flatnonzero(~gone)
                places[name] = _places(~gone)
                coder = encoding.coder.extendable(encoding.coder.declared, kept)
                encodings[name] = replace(encoding, coder=coder, table=encoding.table[kept])
                facts[name] = {part: array[kept] for part, array in self.facts[name].items()}
        combinations, statistics = dict(self.encoder.combinations), dict(self.encoder.statistics)
        for key in combinations:
            if places.keys() & set(key):
                combinations[key], codes = _combined(key, combinations[key], places)
                statistics[key] = _taken(statistics[key], np.flatnonzero(codes >= 0))
        encoder = replace(self.encoder, encodings=encodings, combinations=combinations, statistics=statistics)
        return Carried(encoder, facts, self.day)

    def combination(self, key: Key) -> Combination:
        """The codes of a key of label statistics, to be extended."""
        return Combination([pairs.extendable(None) for pairs in self.encoder.combinations[key].pairs])

    def sums(self, key: Key, labels: Sequence[str], binary: Sequence[bool]) -> tuple[Sums, Floats, Floats]:
        """Sums [V, L] of a key for these labels, and the shift and scale [1 + L] of its inputs.

        A label that is new, or was of another kind, has sums of 0 and NaN in shift and scale; so have inputs that were
        muted, with a scale of 0.
        """
        earlier = self.encoder.statistics[key]
        before = self.encoder.schema.label_statistics
        names = list((before.labels if before else None) or self.encoder.schema.tasks)
        totals, shape = earlier.totals, (len(earlier.totals.counts), len(labels))
        sums, known = np.zeros(shape), np.zeros(shape)
        shift, scale = np.full((2, 1 + len(labels)), np.nan)
        shift[0], scale[0] = earlier.shift[0], earlier.scale[0]
        for place, label in enumerate(labels):
            if label in names and bool(earlier.binary[names.index(label)]) == binary[place]:
                old = names.index(label)
                sums[:, place], known[:, place] = totals.sums[:, old], totals.known[:, old]
                shift[1 + place], scale[1 + place] = earlier.shift[1 + old], earlier.scale[1 + old]
        shift, scale = (np.where(scale == 0, np.nan, part) for part in (shift, scale))
        return Sums(totals.counts.copy(), sums, known), shift, scale


def _places(kept: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Integers:
    """New code of each old code [V]; -1 for one that is not kept."""
    return np.where(kept, np.cumsum(kept) - 1, -1)


def _combined(key: Key, combination: Combination, places: Mapping[str, Integers]) -> tuple[Combination, Integers]:
    """The combinations of values that are kept, and the new code of each old code."""
    joined, vocabularies = places.get(key[0]), []
    for name, pairs in zip(key[1:], combination.pairs, strict=True):
        values = np.asarray(pairs.values(), dtype=np.int64)
        left, right = _placed(joined, values >> 32), _placed(places.get(name), values & 0xFFFFFFFF)
        kept = (left >= 0) & (right >= 0)
        vocabularies.append(Vocabulary("integer", ((left << 32) | right)[kept]))
        joined = _places(np.append(np.ones(RESERVED, dtype=bool), kept))
    assert joined is not None, "called for keys with a feature that changes"
    return Combination(vocabularies), joined


def _placed(places: Integers | None, codes: Integers) -> Integers:
    return codes if places is None else places[codes]


def _taken(statistics: Statistics, codes: Integers) -> Statistics:
    totals = Sums(*(array[codes] for array in statistics.totals))
    saved = None if statistics.saved is None else statistics.saved[codes]
    return replace(statistics, totals=totals, saved=saved)
