"""What an earlier fit of an encoder leaves to the next one, without the values that have expired."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ranker.encoding.columns import Integers
from ranker.encoding.daily_sums import Daily, empty
from ranker.encoding.encoder import Encoder
from ranker.encoding.key_statistics import CarriedKey
from ranker.encoding.kinds.base import Arrays
from ranker.encoding.kinds.coded import Coded, CodedEncoding
from ranker.encoding.layout import Key, key_name
from ranker.encoding.statistics import Combination, Earlier, Statistics, Sums
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
                if key_name(key) in facts:
                    facts[key_name(key)] = _moved(facts[key_name(key)], codes)
        encoder = replace(self.encoder, encodings=encodings, combinations=combinations, statistics=statistics)
        return Carried(encoder, facts, self.day)

    def combination(self, key: Key) -> Combination:
        """The codes of a key of label statistics, to be extended."""
        return Combination([pairs.extendable(None) for pairs in self.encoder.combinations[key].pairs])

    def sums(self, key: Key, labels: Sequence[str], binary: Sequence[bool]) -> CarriedKey:
        """Sums [V, L] of a key for these labels, and what its inputs were made with; also by past days.

        A label that is new, or was of another kind, has sums of 0 and NaN in shift, scale and edges; so have inputs
        that were muted, with a scale of 0.
        """
        earlier, before = self.encoder.statistics[key], self.encoder.schema.label_statistics
        assert before is not None, "it has statistics"
        names = list(before.labels or self.encoder.schema.tasks)
        same = [
            label in names and bool(earlier.binary[names.index(label)]) == kind
            for label, kind in zip(labels, binary, strict=True)
        ]
        places = [names.index(label) if kept else -1 for label, kept in zip(labels, same, strict=True)]
        spans = dict(zip(before.recent_spans, earlier.recent, strict=True))
        return CarriedKey(
            self.day,
            _of_labels(earlier, places),
            _recent(self.facts.get(key_name(key)), places, len(names)),
            {span: _of_labels(statistics, places) for span, statistics in spans.items()},
        )


def _of_labels(statistics: Statistics, places: Sequence[int]) -> Earlier:
    """What an earlier fit has of the labels at ``places`` [L]; of -1, sums are 0 and the rest NaN."""
    old, new = np.array(places, dtype=np.int64), np.array(places) < 0
    totals, columns = statistics.totals, np.append(0, 1 + old)
    sums, known = (np.where(new, 0.0, array[:, old]) for array in (totals.sums, totals.known))
    fresh = np.append(False, new) | (statistics.scale[columns] == 0)
    shift, scale = (np.where(fresh, np.nan, part[columns]) for part in (statistics.shift, statistics.scale))
    edges = None if statistics.edges is None else np.where(fresh[:, None], np.nan, statistics.edges[columns])
    return Earlier(Sums(totals.counts.copy(), sums, known), shift, scale, edges)


def _recent(facts: Arrays | None, places: Sequence[int], labels: int) -> Daily:
    """Sums of the last days of the labels at ``places`` [L] of ``labels``; of -1, they are 0."""
    if facts is None:
        return empty(1 + 2 * len(places))
    old, new = np.array(places, dtype=np.int64), np.array(places) < 0
    sums = facts["sums"]
    parts = (sums[:, 1 : 1 + labels], sums[:, 1 + labels :])
    chosen = [sums[:, :1], *(np.where(new, 0.0, part[:, old]) for part in parts)]
    return Daily(facts["codes"], facts["days"], np.concatenate(chosen, axis=1))


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
    recent = tuple(_taken(span, codes) for span in statistics.recent)
    return replace(statistics, totals=totals, saved=saved, recent=recent)


def _moved(daily: Arrays, codes: Integers) -> Arrays:
    """Sums of the last days with the new code of each old code; those of -1 are left out."""
    kept = codes[daily["codes"]] >= 0
    return {**{name: array[kept] for name, array in daily.items()}, "codes": codes[daily["codes"][kept]]}
