"""Fits an :class:`~ranker.encoding.encoder.Encoder` in one streaming pass over the training rows."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ranker.encoding.columns import Column, Floats, Integers, Mask, common_rows
from ranker.encoding.encoder import Encoder
from ranker.encoding.layout import Packed, lay_out
from ranker.encoding.lists import list_codes, split, table_of
from ranker.encoding.numeric import NumericFitter
from ranker.encoding.statistics import Combination, Key, OutOfFold, StatisticsFitter
from ranker.encoding.times import Times
from ranker.encoding.vocabulary import RESERVED, UNSEEN, Coder, HashedVocabulary, Vocabulary
from ranker.schema import Categorical, Multi, Numeric, Schema, Sequence


class EncoderFitter:
    """Call ``add`` with each chunk of training rows, then ``fitted``; ``encode`` gives out-of-fold inputs.

    How the rows are divided into chunks makes no difference.
    """

    def __init__(self, schema: Schema, seed: int = 0) -> None:
        self.schema = schema
        self._coders: dict[str, Coder] = {
            name: _coder(feature)
            for name, feature in schema.features.items()
            if isinstance(feature, Categorical | Multi)
        }
        self._counts: dict[str, Integers] = {}
        self._numerics: dict[str, NumericFitter] = {}
        for name, feature in schema.features.items():
            if isinstance(feature, Numeric):
                self._numerics[name] = NumericFitter(feature, seed)
            elif isinstance(feature, Categorical | Multi):
                self._counts[name] = np.zeros(RESERVED, dtype=np.int64)
        self._sequences: set[str] = set()  # those that have held a value
        statistics = schema.label_statistics
        self._keys: tuple[Key, ...] = statistics.key_features() if statistics else ()
        self._labels = list(statistics.labels or schema.tasks) if statistics else []
        self._folds = statistics.folds if statistics else 1
        self._combinations = {k: Combination([Vocabulary("integer", []) for _ in k[1:]]) for k in self._keys}
        self._statistics = {k: StatisticsFitter(len(self._labels), self._folds) for k in self._keys}
        self._out_of_fold: dict[Key, OutOfFold] | None = None
        self._times = Times()

    def add(self, columns: Mapping[str, Column], labels: Floats, known: Mask, folds: Integers) -> None:
        """Take up a chunk: columns by name, labels and known [N, T] in the schema's task order, folds [N].

        Raises ``ColumnError`` for a value that does not fit its column, ``ValueError`` for arrays that do not fit
        each other, and ``RuntimeError`` after ``fitted``.
        """
        if self._out_of_fold is not None:
            raise RuntimeError("add after fitted: the encoder returned shares the vocabularies; fit a new one instead")
        rows = common_rows(columns, self.schema.input_columns())
        tasks = list(self.schema.tasks)
        for name, array in (("labels", labels), ("known", known)):
            if array.shape != (rows, len(tasks)):
                raise ValueError(f"{name} must be of shape {(rows, len(tasks))}, got {array.shape}")
        self._check_folds(folds, rows)
        self._times.learn(self.schema, columns)
        codes: dict[str, Integers] = {}
        for name, feature in self.schema.features.items():
            column = self.schema.column(name)
            if isinstance(feature, Numeric):
                self._numerics[name].add(columns[column], column)
            elif isinstance(feature, Categorical):
                codes[name] = self._coded(name, columns[column], column)
        for name, feature in self.schema.features.items():  # lists may use the vocabulary of a later feature
            if isinstance(feature, Multi | Sequence):
                self._add_lists(name, feature, columns[self.schema.column(name)])
        chosen = [tasks.index(label) for label in self._labels]
        for key in self._keys:
            joined = self._combinations[key].add([codes[name] for name in key])
            self._statistics[key].add(joined, folds, labels[:, chosen], known[:, chosen])

    def fitted(self) -> Encoder:
        """Return the encoder of all rows added."""
        ids = {}
        for name, feature in self.schema.features.items():
            if isinstance(feature, Categorical | Multi):
                ids[name] = _table_ids(feature, self._coders[name], self._counts[name])
        numerics = {name: fitter.fitted() for name, fitter in self._numerics.items()}
        tables = {name: int(table.max()) + 1 for name, table in ids.items()}
        binary = np.array([self.schema.tasks[name].binary_labels for name in self._labels], dtype=bool)
        statistics = {}
        if self.schema.label_statistics is not None:
            for key in self._keys:
                pairs = self._combinations[key].pairs
                size = pairs[-1].size if pairs else self._coders[key[0]].size
                smoothing = self.schema.label_statistics.smoothing
                statistics[key] = self._statistics[key].fitted(size, binary, smoothing)
        self._out_of_fold = {key: self._statistics[key].out_of_fold(served) for key, served in statistics.items()}
        layout = lay_out(self.schema, tables, numerics, dict.fromkeys(self._keys, len(self._labels)))
        return Encoder(self.schema, self._coders, ids, numerics, self._combinations, statistics, layout, self._times)

    def empty(self) -> list[str]:
        """Features, but for dense ones, of which no row that was added held a value."""
        found = []
        for name, feature in self.schema.features.items():
            if isinstance(feature, Numeric):
                filled = self._numerics[name].count > 0
            elif isinstance(feature, Sequence):
                filled = name in self._sequences
            else:
                filled = name not in self._counts or bool(self._counts[name][1:].any())  # code 0 is missing
            if not filled:
                found.append(name)
        return found

    def encode(self, encoder: Encoder, columns: Mapping[str, Column], folds: Integers) -> Packed:
        """Encode training rows [N] with statistics that leave out each row's own fold [N].

        ``encoder`` is what :meth:`fitted` returned; rows and folds are those that were added.
        """
        if self._out_of_fold is None:
            raise RuntimeError("encode before fitted: there is no statistic yet")
        out_of_fold = self._out_of_fold
        self._check_folds(folds, common_rows(columns, self.schema.input_columns()))

        def held_out(key: Key, codes: Integers) -> NDArray[np.float32]:
            return out_of_fold[key].encode(codes, folds)

        return encoder.encode(columns, columns, held_out)

    def _check_folds(self, folds: Integers, rows: int) -> None:
        if not self._keys:
            return
        if folds.shape != (rows,) or folds.dtype.kind not in "iu":
            raise ValueError(f"folds must be integers of shape {(rows,)}, got {folds.dtype} of shape {folds.shape}")
        if rows and not 0 <= folds.min() <= folds.max() < self._folds:
            raise ValueError(f"folds must lie in 0 to {self._folds - 1}, got {folds.min()} to {folds.max()}")

    def _coded(self, name: str, column: Column, label: str) -> Integers:
        codes = self._coders[name].add(column, label)
        self._count(name, codes)
        return codes

    def _add_lists(self, name: str, feature: Multi | Sequence, column: Column) -> None:
        label = self.schema.column(name)
        coder = self._coders[table_of(name, feature)]
        lists = split(column, label, feature, coder.kind)
        if isinstance(feature, Sequence) and len(lists.values):
            self._sequences.add(name)
        if isinstance(feature, Multi):
            list_codes(lambda values, where: self._coded(name, values, where), lists, label)
        elif coder.kind is not None:
            list_codes(coder.check, lists, label)  # no value to learn, but wrong types show

    def _count(self, name: str, codes: Integers) -> None:
        counts = self._counts[name]
        new = np.bincount(codes, minlength=len(counts))
        new[: len(counts)] += counts
        self._counts[name] = new


def _coder(feature: Categorical | Multi) -> Coder:
    if feature.hash_buckets is None:
        return Vocabulary(None, [], feature.type)
    return HashedVocabulary(feature.hash_buckets, declared=feature.type)


def _table_ids(feature: Categorical | Multi, coder: Coder, counts: Integers) -> NDArray[np.int32]:
    """Row in the embedding table of each code: 0 missing, 1 unknown (rare values too), then by frequency."""
    if feature.hash_buckets is not None:
        return np.arange(coder.size, dtype=np.int32)
    counts = np.concatenate([counts, np.zeros(max(coder.size - len(counts), 0), dtype=np.int64)])
    frequency = counts[RESERVED:]
    order = np.argsort(-frequency, kind="stable")
    kept = order[frequency[order] >= feature.min_count][: feature.max_size]
    ids = np.full(coder.size, UNSEEN, dtype=np.int32)
    ids[0] = 0
    ids[kept + RESERVED] = np.arange(len(kept), dtype=np.int32) + RESERVED
    return ids
