"""Inputs relative to the candidates of a list: one piece of code for logs and requests.

A list is the candidates of a request, or the consecutive rows of a log that share ``list_by``. Results do not depend on
the order of the candidates, nor on which other lists are computed at the same time: sums run over sorted values, one
after the other.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from ranker.encoding.columns import LARGEST, Floats, Integers, Mask, require_finite, same_type, unchecked_numbers
from ranker.encoding.declared import IdType
from ranker.encoding.kinds.base import Columns
from ranker.encoding.kinds.coded import Coded
from ranker.encoding.scaling import usable_deviation
from ranker.encoding.vocabulary import HashedVocabulary
from ranker.schema import LIST_SIZE, Measure, Schema, list_input

T = TypeVar("T")
NO_KEY = 0
"""Key of a missing id."""


class ListValues(NamedTuple):
    """What N candidates are compared by: numbers [N, F] with NaN for missing, keys [N, C] of ids with 0 for missing."""

    numbers: Floats
    keys: Integers

    def taken(self, rows: NDArray[np.intp]) -> "ListValues":
        """Some candidates, in another order; arrays are copies."""
        return ListValues(self.numbers[rows], self.keys[rows])

    @classmethod
    def joined(cls, parts: "list[ListValues]") -> "ListValues":
        """The candidates of all parts, one after another."""
        return parts[0] if len(parts) == 1 else cls(*map(np.concatenate, zip(*parts, strict=True)))


class ListSizes(NamedTuple):
    """Sizes of the lists that a model was trained on: the median, and the size that 1 % of them exceed."""

    median: int
    p99: int

    @classmethod
    def of(cls, rows: Mapping[int, int]) -> "ListSizes | None":
        """From the number of rows in lists of each size; ``None`` without rows."""
        sizes = np.array(sorted(rows), dtype=np.int64)
        if not len(sizes):
            return None
        lists = np.cumsum([rows[size] / size for size in sizes.tolist()])
        median, p99 = (int(sizes[np.searchsorted(lists, share * lists[-1])]) for share in (0.5, 0.99))
        return cls(median, p99)


class Lists:
    """L lists of N rows: list ``l`` is the rows from ``starts[l]`` to the next start, and ``starts[0]`` is 0."""

    def __init__(self, starts: NDArray[np.intp], rows: int) -> None:
        self.starts, self.rows, self.count = starts, rows, len(starts)
        self.sizes = np.diff(starts, append=rows)
        self.of = np.repeat(np.arange(self.count), self.sizes)
        """List of each row [N]."""


class Sorted:
    """Values [F, N] sorted within each list, in which the rows of a list keep their places.

    Properties are [F, N] in this order, or [F, L]. Those of a list without any known number are arbitrary.
    """

    def __init__(self, values: NDArray[np.float64] | NDArray[np.int64], known: Mask, lists: Lists) -> None:
        self.lists = lists
        first = np.arange(len(values))[:, None] * lists.rows  # flat indices cost fewer steps than those along an axis
        order = np.argsort(values, axis=1) + first
        if lists.count > 1:
            by_list = np.argsort(lists.of[order - first], axis=1, kind="stable") + first
            order = order.ravel()[by_list]
        self._order = order
        self.values: NDArray[Any] = values.ravel()[order]
        self.known: Mask = known.ravel()[order]

    def in_rows(self, measured: Floats) -> Floats:
        """Results [F, N] in the order of the rows; NaN for missing values."""
        found = np.empty(measured.size)
        found[self._order] = np.where(self.known, measured, np.nan)
        return found.reshape(measured.shape)

    @cached_property
    def counts(self) -> Integers:
        """Number of known values [F, L]."""
        return np.add.reduceat(self.known, self.lists.starts, axis=1, dtype=np.int64)

    @cached_property
    def runs(self) -> tuple[Integers, Integers]:
        """First and last place of the equal values around each one."""
        places = np.arange(self.lists.rows)
        begins = np.ones(self.values.shape, dtype=bool)
        begins[:, 1:] = self.values[:, 1:] != self.values[:, :-1]
        begins[:, self.lists.starts] = True
        first = np.maximum.accumulate(np.where(begins, places, 0), axis=1)
        ends = np.ones(self.values.shape, dtype=bool)
        ends[:, :-1] = begins[:, 1:]
        last = np.minimum.accumulate(np.where(ends, places, self.lists.rows)[:, ::-1], axis=1)[:, ::-1]
        return first, last

    @cached_property
    def smallest(self) -> Floats:
        """Smallest number [F, L]."""
        return self.values[:, self.lists.starts]

    @cached_property
    def largest(self) -> Floats:
        """Largest number [F, L]; missing ones are sorted behind it."""
        largest: Floats = np.take_along_axis(self.values, self.lists.starts + np.maximum(self.counts, 1) - 1, axis=1)
        return largest

    @cached_property
    def means(self) -> Floats:
        """Mean [F, L]: exactly the value if all are equal."""
        means = self._sums(self.values) / np.maximum(self.counts, 1)
        return np.clip(means, self.smallest, self.largest)

    @cached_property
    def centred(self) -> Floats:
        """Differences to the mean."""
        return self.values - self.means[:, self.lists.of]

    @cached_property
    def deviations(self) -> Floats:
        """Standard deviation [F, L] to divide by; 1 if it is only rounding error."""
        variances = self._sums(self.centred**2) / np.maximum(self.counts, 1)
        return usable_deviation(np.sqrt(variances), self.means)

    def _sums(self, values: Floats) -> Floats:
        """Sums [F, L] of the known values, added one after the other."""
        features = len(values)
        places = (np.arange(features)[:, None] * self.lists.count + self.lists.of).ravel()
        weights = np.where(self.known, values, 0.0).ravel()
        sums: NDArray[Any] = np.bincount(places, weights, features * self.lists.count)
        return sums.reshape(features, self.lists.count)


def rank(values: Sorted) -> Floats:
    """From 0 for the smallest to 1 for the largest number; equal ones share a mean, and a single one has 0.5."""
    first, last = values.runs
    before: Floats = (first + last) / 2 - values.lists.starts[values.lists.of]
    others = (values.counts - 1)[:, values.lists.of]
    ranks: Floats = np.divide(before, others, out=np.full(before.shape, 0.5), where=others > 0)
    return ranks


def minus_mean(values: Sorted) -> Floats:
    """Difference to the mean, of at most the size that an input may have."""
    return np.clip(values.centred, -LARGEST, LARGEST)


def ratio_to_max(values: Sorted) -> Floats:
    """Ratio to the largest absolute value; 0 if all numbers are 0."""
    sizes = np.maximum(np.abs(values.smallest), np.abs(values.largest))[:, values.lists.of]
    ratios: Floats = np.divide(values.values, sizes, out=np.zeros(sizes.shape), where=sizes > 0)
    return ratios


def z_score(values: Sorted) -> Floats:
    """Difference to the mean in standard deviations; 0 if all numbers are equal."""
    return values.centred / values.deviations[:, values.lists.of]


def share_of_same(values: Sorted) -> Floats:
    """Share of the list's candidates with the same value, itself included."""
    first, last = values.runs
    return (last - first + 1) / values.lists.sizes[values.lists.of]


MEASURES: Mapping[Measure, Callable[[Sorted], Floats]] = {
    "rank": rank,
    "minus_mean": minus_mean,
    "ratio_to_max": ratio_to_max,
    "z_score": z_score,
    "share_of_same": share_of_same,
}


@dataclass(frozen=True)
class ListInputs:
    """Computes the inputs of a schema with ``within_list``.

    Attributes
    ----------
    list_by
        Columns of a log that name the list of a row.
    names
        Names of the inputs.
    numeric
        Columns of the numeric features, by feature.
    ids
        Columns of the categorical features with their declared types, by feature.
    of_numbers, of_ids
        Measures of the numeric and of the categorical features.
    """

    list_by: tuple[str, ...]
    names: tuple[str, ...]
    numeric: Mapping[str, str]
    ids: Mapping[str, tuple[str, IdType | None]]
    of_numbers: tuple[Measure, ...]
    of_ids: tuple[Measure, ...]

    @classmethod
    def of_schema(cls, schema: Schema) -> "ListInputs | None":
        """Those of a schema; ``None`` if it has none."""
        within = schema.within_list
        if within is None:
            return None
        features = {name: schema.candidate[name] for name in within.of}
        return cls(
            within.list_columns,
            tuple(schema.list_inputs),
            {name: schema.column(name) for name, feature in features.items() if not feature.identifies},
            {
                name: (schema.column(name), feature.type if isinstance(feature, Coded) else None)
                for name, feature in features.items()
                if feature.identifies
            },
            within.of_numbers,
            within.of_categories,
        )

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that the inputs are computed from."""
        return tuple(dict.fromkeys([*self.numeric.values(), *(column for column, _ in self.ids.values())]))

    def joined(self, other: "ListInputs | None") -> "ListInputs":
        """These inputs and others. Raises ``ValueError`` if the lists, or features of one name, differ."""
        if other is None:
            return self
        if self.list_by != other.list_by:
            raise ValueError(f"lists by {', '.join(self.list_by)} and by {', '.join(other.list_by)}")
        for name in (self.numeric.keys() | self.ids.keys()) & (other.numeric.keys() | other.ids.keys()):
            if (self.numeric.get(name), self.ids.get(name)) != (other.numeric.get(name), other.ids.get(name)):
                raise ValueError(f"inputs within lists of {name!r} that read other columns or types")
        return ListInputs(
            self.list_by,
            _union(self.names, other.names),
            {**self.numeric, **other.numeric},
            {**self.ids, **other.ids},
            _union(self.of_numbers, other.of_numbers),
            _union(self.of_ids, other.of_ids),
        )

    def values(self, columns: Columns, rows: int) -> ListValues:
        """What N candidates are compared by. Raises ``ColumnError``."""
        names = list(self.numeric.values())
        given = [columns[name] for name in names]
        by_feature = same_type(given, np.float64) if given else np.empty((0, rows))
        if by_feature is None:
            by_feature = np.stack([unchecked_numbers(c, name) for c, name in zip(given, names, strict=True)])
        require_finite(by_feature, np.abs(by_feature), names)
        keys = np.empty((rows, len(self.ids)), dtype=np.int64)
        for place, (column, declared) in enumerate(self.ids.values()):
            # A hash tells apart ids that training has not seen, which share a code.
            keys[:, place] = HashedVocabulary(1 << 62, None, declared).add(columns[column], column)
        return ListValues(np.ascontiguousarray(by_feature.T), keys)

    def within(self, values: ListValues, starts: NDArray[np.intp]) -> dict[str, Floats]:
        """Inputs [N] by name of the lists that begin at ``starts``, and always their size."""
        rows = len(values.numbers)
        if not rows:
            return {name: np.empty(0) for name in (*self.names, LIST_SIZE)}
        lists = Lists(starts, rows)
        found: dict[str, Floats] = {}
        of_numbers, of_keys = np.ascontiguousarray(values.numbers.T), np.ascontiguousarray(values.keys.T)
        groups = (
            (self.numeric, of_numbers, ~np.isnan(of_numbers), self.of_numbers),
            (self.ids, of_keys, of_keys != NO_KEY, self.of_ids),
        )
        for features, array, known, measures in groups:
            if features:
                ordered = Sorted(array, known, lists)
                for measure in measures:
                    measured = ordered.in_rows(MEASURES[measure](ordered))
                    found |= {list_input(name, measure): row for name, row in zip(features, measured, strict=True)}
        found[LIST_SIZE] = np.log1p(lists.sizes)[lists.of]
        return found

    def of_one(self, values: ListValues) -> dict[str, Floats]:
        """Inputs [N] by name of one list: the candidates of a request."""
        return self.within(values, np.zeros(1, dtype=np.intp))


def _union(first: tuple[T, ...], second: tuple[T, ...]) -> tuple[T, ...]:
    return tuple(dict.fromkeys((*first, *second)))
