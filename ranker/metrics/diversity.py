"""Diversity of rankings by the items that the rows of a list show: intra-list distance, and coverage.

Items are given by a column: values [N], or several per row [N, W], as ``Items`` of the rows.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ranker.metrics.checks import Floats, Statistic
from ranker.metrics.grouped import Groups, Places, Ranking

BLOCK = 4_000_000
"""Comparisons of values at a time."""
Kind: TypeAlias = Literal["values", "tags", "vectors"]


class Items(NamedTuple):
    """What rows show.

    Attributes
    ----------
    values
        Codes [N] of values, codes [N, W] of the tags of a row, or vectors [N, D]. A code below 0 is a missing value.
    kind
        Which of them.
    """

    values: NDArray[Any]
    kind: Kind

    @classmethod
    def of(cls, column: NDArray[Any]) -> "Items":
        """Items from raw values [N] or [N, W]; None and NaN are missing, numbers [N, D] are vectors.

        A vector with a number that is missing or infinite counts as zero, and so as none.
        """
        if column.ndim == 2 and column.dtype.kind == "f":
            whole = np.isfinite(column).all(axis=1, keepdims=True)
            return cls(np.where(whole, column.astype(np.float64), 0.0), "vectors")
        codes: dict[Any, int] = {}
        flat = [
            -1 if value is None or value != value else codes.setdefault(value, len(codes))
            for value in column.ravel().tolist()
        ]
        shaped = np.array(flat, dtype=np.int64).reshape(column.shape)
        return cls(shaped, "values" if column.ndim == 1 else "tags")


def intra_list_distance(groups: Groups, items: Items, k: int) -> Callable[[Ranking], Floats]:
    """Mean distance between the pairs of the first k rows of each list [G], NaN for a list of one row.

    The distance of values is 1 unless they are equal; of tags 1 - Jaccard similarity; of vectors 1 - cosine. Rows
    without a value are at distance 1 from all others. Equally ranked rows are taken in one order. Ziegler et al. 2005.
    """
    del groups
    distances = DISTANCES[items.kind]

    def of_lists(ranking: Ranking) -> Floats:
        first = ranking.first(k)
        sizes = (first >= 0).sum(axis=1)
        found = np.full(len(first), np.nan)
        lists = np.flatnonzero(sizes > 1)
        per_list = first.shape[1] ** 2 * (items.values.shape[1] if items.values.ndim == 2 else 1) ** 2
        for part in np.array_split(lists, -(-len(lists) * per_list // BLOCK) or 1):
            apart = distances(items.values[first[part]])
            held = first[part] >= 0
            pairs = held[:, :, None] & held[:, None, :]
            pairs[:, np.arange(first.shape[1]), np.arange(first.shape[1])] = False
            found[part] = np.where(pairs, apart, 0.0).sum(axis=(1, 2)) / np.maximum(pairs.sum(axis=(1, 2)), 1)
        return found

    return of_lists


def coverage(groups: Groups, items: Items, k: int) -> Callable[[Ranking], Statistic]:
    """Share of the distinct values, or tags, of all rows that the first k rows of any list show.

    As a function of list weights [G]: lists of weight 0 count neither for what is shown nor for what there is. Vectors
    are distinct unless equal. Ge et al. 2010, "Beyond accuracy".
    """
    values = items.values
    if items.kind == "vectors":
        values = np.unique(values, axis=0, return_inverse=True)[1].reshape(-1)
    wide = values.reshape(len(values), -1)
    row, place = np.nonzero(wide >= 0)
    shown = np.unique(np.stack([groups.codes[row], wide[row, place]]), axis=1)
    count = int(wide.max(initial=-1)) + 1

    def of_lists(ranking: Ranking) -> Statistic:
        first = ranking.first(k)
        lists, places = np.nonzero(first >= 0)
        tops = wide[first[lists, places]]
        which, of_row = np.nonzero(tops >= 0)
        top = np.unique(np.stack([lists[which], tops[which, of_row]]), axis=1)

        def statistic(weights: Floats) -> float:
            there, found = (_distinct(pairs, weights, count) for pairs in (shown, top))
            return found / there if there else float("nan")

        return statistic

    return of_lists


def _distinct(pairs: NDArray[np.int64], weights: Floats, count: int) -> int:
    """Number of distinct codes of (list, code) pairs [2, P] in lists of a weight above 0."""
    seen = np.zeros(count, dtype=bool)
    seen[pairs[1][weights[pairs[0]] > 0]] = True
    return int(seen.sum())


def _unequal(values: Places) -> Floats:
    """Distances [g, k, k] of codes [g, k]."""
    same = (values[:, :, None] == values[:, None, :]) & (values >= 0)[:, :, None]
    return np.asarray(1.0 - same)


def _disjoint(values: Places) -> Floats:
    """Jaccard distances [g, k, k] of codes [g, k, W]; a repeated code counts once."""
    known = values >= 0
    earlier = (values[..., :, None] == values[..., None, :]) & np.tri(values.shape[-1], k=-1, dtype=bool)
    known &= ~earlier.any(axis=-1)
    same = values[:, :, None, :, None] == values[:, None, :, None, :]
    same &= known[:, :, None, :, None] & known[:, None, :, None, :]
    common, sizes = same.sum(axis=(3, 4)), known.sum(axis=2)
    union = sizes[:, :, None] + sizes[:, None, :] - common
    return np.asarray(1.0 - common / np.maximum(union, 1))


def _turned(values: Floats) -> Floats:
    """Cosine distances [g, k, k] of vectors [g, k, D]; those of a zero vector are 1."""
    sizes = np.sqrt((values * values).sum(axis=2, keepdims=True))
    units = values / np.where(sizes > 0, sizes, 1.0)
    return np.asarray(1.0 - units @ units.transpose(0, 2, 1))


DISTANCES: Mapping[Kind, Callable[[NDArray[Any]], Floats]] = {
    "values": _unequal,
    "tags": _disjoint,
    "vectors": _turned,
}
