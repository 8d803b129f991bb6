"""Fits an :class:`~ranker.encoding.encoder.Encoder` in one streaming pass over the training rows."""

from collections import Counter
from collections.abc import Mapping
from copy import copy

import numpy as np
from numpy.typing import NDArray

from ranker.encoding.carried import Carried
from ranker.encoding.columns import Column, Floats, Integers, Mask, common_rows, numbers
from ranker.encoding.encoder import Encoder
from ranker.encoding.key_statistics import KeyFitter
from ranker.encoding.kinds.base import Arrays, Encoding, Fitter
from ranker.encoding.kinds.coded import CodedFitter
from ranker.encoding.layout import Key, Packed, key_name
from ranker.encoding.matching import Matches
from ranker.encoding.statistics import Combination
from ranker.encoding.times import Times
from ranker.encoding.vocabulary import Vocabulary
from ranker.encoding.within_list import ListSizes
from ranker.schema import LIST_SIZE, Schema


class EncoderFitter:
    """Call ``add`` with each chunk of training rows, then ``fitted``; ``encode`` returns out-of-fold inputs.

    The result does not depend on the chunking. ``carried`` is an earlier fit to carry on: its vocabularies and label
    statistics are extended, and its scales and buckets are kept unless ``refit_scales``. Raises ``KeyError`` if it
    lacks facts.

    Attributes
    ----------
    notes
        Which features of ``carried`` start afresh although they are in the schema, and why.
    day
        The last day of the rows added; with ``carried``, at least its own.
    """

    def __init__(
        self, schema: Schema, seed: int = 0, carried: Carried | None = None, refit_scales: bool = False
    ) -> None:
        self.schema = schema
        self._fitters: dict[str, Fitter] = {}
        for name, feature in schema.by_source():
            self._fitters[name] = feature.fitter(seed, self._fitters)
        self.notes: list[str] = []
        self.day = carried.day if carried else None
        carried = carried.without_expired(schema) if carried else None
        afresh = self._carry(carried, refit_scales) if carried else set()
        statistics = schema.label_statistics
        self._keys: tuple[Key, ...] = statistics.key_features() if statistics else ()
        self._labels = list(statistics.labels or schema.tasks) if statistics else []
        self._folds = statistics.folds if statistics else 1
        self._combinations = {k: Combination([Vocabulary("integer", []) for _ in k[1:]]) for k in self._keys}
        self._statistics: dict[Key, KeyFitter] = {}
        for key in self._keys:
            assert statistics is not None
            earlier = None
            if carried is not None and key in carried.encoder.statistics and not afresh & set(key):
                self._combinations[key] = carried.combination(key)
                earlier = carried.sums(key, self._labels, self._binary)
            mutes = carried is not None  # folds are days
            self._statistics[key] = KeyFitter(statistics, len(self._labels), earlier, refit_scales, mutes)
        coders = {name: each.coder for name, each in self._fitters.items() if isinstance(each, CodedFitter)}
        self._matches = Matches(schema, coders) if schema.matches else None
        self._is_fitted = False
        self._times = carried.encoder.times.extendable() if carried else Times()
        self._list_rows: Counter[int] = Counter()
        """Number of rows in lists of each size."""

    def _carry(self, carried: Carried, refit_scales: bool) -> set[str]:
        """Carry features on; return the names of those that start afresh."""
        afresh = set()
        for name, fitter in self._fitters.items():
            earlier = carried.encoder.encodings.get(name)
            why = "it is new" if earlier is None else None
            if earlier is not None:
                why = fitter.carry(earlier, carried.facts.get(name, {}), refit_scales)
            if why is not None:
                afresh.add(name)
            if why is not None and earlier is not None:
                self.notes.append(f"schema feature {name!r} starts afresh: {why}")
        return afresh

    def add(
        self,
        columns: Mapping[str, Column],
        labels: Floats,
        known: Mask,
        folds: Integers,
        days: Integers | None = None,
    ) -> None:
        """Add a chunk: encoded columns by name, labels and known [N, T] in the schema's task order, folds and days [N].

        Only ``expire_after`` and label statistics by days need the days. Raises ``ColumnError`` for an invalid value,
        ``ValueError`` for mismatched arrays, and ``RuntimeError`` after ``fitted``.
        """
        if self._is_fitted:
            raise RuntimeError("add after fitted: the encoder returned shares the vocabularies; fit a new one instead")
        rows = common_rows(columns, self.schema.encoded_columns())
        tasks = list(self.schema.tasks)
        for name, array in (("labels", labels), ("known", known)):
            if array.shape != (rows, len(tasks)):
                raise ValueError(f"{name} must be of shape {(rows, len(tasks))}, got {array.shape}")
        self._check_folds(folds, rows)
        self._times.learn(self.schema, columns)
        codes: dict[str, Integers] = {}
        computed = self.schema.match_inputs
        for name, fitter in self._fitters.items():
            if name in computed:
                continue
            column = self.schema.column(name)
            added = fitter.add(columns[column], column)
            if added is not None:
                codes[name] = added
            if days is not None:
                fitter.dated(days)
        if self._matches is not None:  # only now, as the ids' types are known
            for name, values in self._matches.inputs(columns, self._matches.keys(columns, rows)).items():
                self._fitters[name].add(values, name)
        self._count_lists(columns)
        if days is not None and len(days):
            self.day = int(days.max()) if self.day is None else max(self.day, int(days.max()))
        chosen = [tasks.index(label) for label in self._labels]
        for key in self._keys:
            joined = self._combinations[key].add([codes[name] for name in key])
            self._statistics[key].add(joined, folds, labels[:, chosen], known[:, chosen], days)

    def fitted(self) -> Encoder:
        """Return the encoder of all rows added."""
        encodings: dict[str, Encoding] = {}
        for name, fitter in self._fitters.items():
            encodings[name] = fitter.fitted(encodings)
        binary = np.array(self._binary, dtype=bool)
        statistics = {}
        if self.schema.label_statistics is not None:
            for key in self._keys:
                pairs = self._combinations[key].pairs
                size = pairs[-1].size if pairs else self._fitters[key[0]].size
                smoothing = self.schema.label_statistics.smoothing
                statistics[key] = self._statistics[key].fitted(size, binary, smoothing)
        self._is_fitted = True
        sizes = ListSizes.of(self._list_rows)
        return Encoder(self.schema, encodings, self._combinations, statistics, self._times, sizes)

    def _count_lists(self, columns: Mapping[str, Column]) -> None:
        if LIST_SIZE in columns:
            sizes = np.rint(np.expm1(numbers(columns[LIST_SIZE], LIST_SIZE)))
            self._list_rows.update(map(int, sizes.tolist()))

    @property
    def _binary(self) -> list[bool]:
        return [self.schema.tasks[name].binary_labels for name in self._labels]

    def facts(self) -> dict[str, Arrays]:
        """What a later fit needs besides the encoder, by feature and by key of label statistics."""
        of_keys = {key_name(key): facts for key, fitter in self._statistics.items() if (facts := fitter.facts())}
        return {**{name: fitter.facts() for name, fitter in self._fitters.items()}, **of_keys}

    def moved(self) -> dict[str, str]:
        """How far rows lie from the scales and buckets of the earlier fit, by feature that moved far."""
        return {name: text for name, fitter in self._fitters.items() if (text := fitter.moved()) is not None}

    def empty(self) -> list[str]:
        """Fitted features that had no value in any added row."""
        return [name for name in self.schema.features if self._fitters[name].empty]

    def for_rows(self) -> "EncoderFitter":
        """A copy for :meth:`encode` alone, without what only fitting needs: other processes get a fraction of it."""
        slim = copy(self)
        slim._fitters, slim._combinations, slim._matches = {}, {}, None
        slim._statistics = {key: fitter.for_rows() for key, fitter in self._statistics.items()}
        return slim

    def encode(
        self, encoder: Encoder, columns: Mapping[str, Column], folds: Integers, days: Integers | None = None
    ) -> Packed:
        """Encode training rows [N] with statistics that exclude each row's own fold [N], or are of the days before.

        ``encoder`` is the result of :meth:`fitted`; rows, folds and days must be those that were added.
        """
        if not self._is_fitted:
            raise RuntimeError("encode called before fitted: there are no statistics yet")
        self._check_folds(folds, common_rows(columns, self.schema.encoded_columns()))

        def held_out(key: Key, codes: Integers) -> NDArray[np.float32]:
            return self._statistics[key].encode(codes, folds, days)

        return encoder.encode(columns, columns, held_out)

    def _check_folds(self, folds: Integers, rows: int) -> None:
        if not self._keys:
            return
        if folds.shape != (rows,) or folds.dtype.kind not in "iu":
            raise ValueError(f"folds must be integers of shape {(rows,)}, got {folds.dtype} of shape {folds.shape}")
        if rows and not 0 <= folds.min() <= folds.max() < self._folds:
            raise ValueError(f"folds must lie in 0 to {self._folds - 1}, got {folds.min()} to {folds.max()}")
