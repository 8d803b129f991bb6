"""Boosted trees as plain arrays, with vectorised evaluation."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, pairwise
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

MOST_LEAVES = 64
"""Maximum leaves per tree, as the bits of the widest mask."""
ROWS = 512
"""Rows evaluated at once, so that masks and leaf values of all trees stay small."""
FEW = 40
"""Thresholds up to which comparing values with each one is faster than to search."""

Floats: TypeAlias = NDArray[np.float64]
Masks: TypeAlias = NDArray[np.unsignedinteger[Any]]
Tree: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Trees:
    """A sum of K trees over F columns.

    A node sends a candidate left if its value is at most the threshold, or missing and ``missing_left`` is set. A child
    >= 0 is a node of the same tree, and a negative child is leaf ``-1 - child``; leaves are numbered from the left. A
    tree without nodes is a single leaf.

    Attributes
    ----------
    columns
        Number of columns F.
    trees
        For each tree, ``feature``, ``threshold``, ``missing_left``, ``left`` and ``right`` of its nodes (node 0 is the
        root), and ``value`` of its leaves.
    """

    columns: int
    trees: Sequence[Tree]

    def __call__(self, values: NDArray[np.floating]) -> Floats:
        """Sum of leaf values [N] of candidates with values [N, F]; NaN means missing."""
        return self.sums([len(self.trees)], values)[:, 0]

    def sums(self, sizes: Sequence[int], *blocks: NDArray[np.floating]) -> Floats:
        """Sums of leaf values [N, G] of groups of successive trees, which have ``sizes`` [G].

        ``blocks`` are the columns in order, in arrays of N rows, or of one row for all candidates; NaN means missing.

        As in QuickScorer (Lucchese et al. 2015): a node that sends a candidate right rules out the leaves of its left
        subtree; the leftmost leaf not ruled out is the candidate's. Nodes of one column rule out more leaves as its
        value grows, so one search in sorted thresholds gives the remaining leaves of all trees that split on it.
        Columns in which all rows agree, such as a request's context, come first, and rule out both ways: trees that
        they decide are summed once, and candidates pass only the nodes that can still be reached.
        """
        rows = max(map(len, blocks)) if all(map(len, blocks)) else 0
        ends = np.cumsum(sizes).tolist()
        summed = np.empty((len(ends), rows))  # by group, so that sums are written to adjacent places
        if not rows:
            return summed.T
        common, differing = self._places(blocks)
        open_trees = np.flatnonzero(np.bitwise_count(common) > 1)
        decided = self._reached(common[:, None].copy(), slice(None))
        decided[open_trees] = 0
        # A decided tree has no leaf below a node that is still open, so no column asks for its row.
        row_of = np.empty(len(common), dtype=np.intp)
        row_of[open_trees] = np.arange(len(open_trees))
        left = [(*column.reachable(common, row_of), place) for column, place in differing]
        open_ends = np.searchsorted(open_trees, ends).tolist()
        for first in range(0, rows, ROWS):
            chosen = slice(first, first + ROWS)
            alive = np.repeat(common[open_trees, None], min(ROWS, rows - first), axis=1)
            for trees, masks, place in left:
                alive[trees] &= masks.take(place[chosen], axis=1)
            values = self._reached(alive, open_trees)
            for group, (start, end) in enumerate(pairwise([0, *open_ends])):
                values[start:end].sum(axis=0, out=summed[group, chosen])
        for group, (start, end) in enumerate(pairwise([0, *ends])):
            summed[group] += decided[start:end].sum()
        return summed.T

    def _places(self, blocks: Sequence[NDArray[np.floating]]) -> tuple[Masks, list[tuple["_Column", NDArray[np.intp]]]]:
        """Leaves [K] that the columns in which all rows agree can reach, and the places [N] of rows in the others."""
        common = self._all_leaves.copy()
        differing, first = [], 0
        for block in blocks:
            columns = range(first, first + block.shape[1])
            first = columns.stop
            if len(block) == 1:
                self._follow(block[0], columns, common)
                continue
            missing = np.isnan(block)
            has_missing = missing.any(axis=0)
            for index, column in enumerate(self._columns[columns.start : columns.stop]):
                if not len(column.thresholds):
                    continue
                place = column.places(block[:, index])
                if has_missing[index]:
                    place[missing[:, index]] = len(column.thresholds) + 1
                if (place == place[0]).all():
                    common[column.trees] &= column.reached[:, place[0]]
                else:
                    differing.append((column, place))
        return common, differing

    def _follow(self, row: NDArray[np.floating], columns: range, alive: Masks) -> None:
        """Rule out the leaves that are not reached by the values [f] of ``columns``."""
        feature = self._nodes.feature
        nodes = self._nodes.at(np.flatnonzero((feature >= columns.start) & (feature < columns.stop)))
        if not len(nodes.tree):
            return
        x = row[nodes.feature - columns.start]
        left = np.where(np.isnan(x), nodes.missing_left, x <= nodes.threshold)
        ruled_out = np.where(left, nodes.right_leaves, nodes.left_leaves)
        starts = np.flatnonzero(np.diff(nodes.tree, prepend=-1))
        alive[nodes.tree[starts]] &= ~np.bitwise_or.reduceat(ruled_out, starts)

    def _reached(self, alive: Masks, trees: NDArray[np.intp] | slice) -> Floats:
        """Values [k, N] of the leftmost leaves that remain of ``trees``, by masks [k, N], which are overwritten."""
        alive &= -alive
        alive -= self._mask_type(1)
        values: Floats = self._leaves.take(np.bitwise_count(alive) + self._first_leaf[trees])
        return values

    @cached_property
    def _mask_type(self) -> type[np.unsignedinteger[Any]]:
        """The narrowest type with a bit for each leaf."""
        most = max((len(tree["value"]) for tree in self.trees), default=1)
        return next(kind for kind in (np.uint8, np.uint16, np.uint32, np.uint64) if most <= np.iinfo(kind).bits)

    @cached_property
    def _all_leaves(self) -> Masks:
        """A bit for each leaf of each tree [K]."""
        return np.array([(1 << len(tree["value"])) - 1 for tree in self.trees], dtype=self._mask_type)

    @cached_property
    def _first_leaf(self) -> NDArray[np.intp]:
        """Place of each tree's first leaf [K, 1] in all trees' leaves."""
        sizes = [len(tree["value"]) for tree in self.trees]
        return np.cumsum([0, *sizes[:-1]])[: len(sizes), None]

    @cached_property
    def _leaves(self) -> Floats:
        """Values of all trees' leaves."""
        return np.concatenate([np.zeros(0), *(np.asarray(tree["value"], dtype=np.float64) for tree in self.trees)])

    @cached_property
    def _nodes(self) -> "_Nodes":
        """All nodes, in the order of their trees."""
        kind, trees = self._mask_type, self.trees
        below = [_leaves_below(tree) for tree in trees]

        def joined(parts: Iterable[Sequence[Any]], dtype: type[np.generic]) -> NDArray[Any]:
            return np.array(list(chain.from_iterable(parts)), dtype=dtype)

        return _Nodes(
            np.repeat(np.arange(len(trees)), [len(left) for left, _ in below]),
            joined((tree["feature"] for tree in trees), np.intp),
            joined((tree["threshold"] for tree in trees), np.float64),
            joined((tree["missing_left"] for tree in trees), np.bool_),
            joined((left for left, _ in below), kind),
            joined((right for _, right in below), kind),
        )

    @cached_property
    def _columns(self) -> list["_Column"]:
        """What each column rules out."""
        order = np.argsort(self._nodes.feature, kind="stable")
        bounds = np.searchsorted(self._nodes.feature[order], np.arange(self.columns + 1))
        return [_column_of(self._nodes.at(order[start:end])) for start, end in pairwise(bounds.tolist())]


class _Nodes(NamedTuple):
    """Nodes [M]: the tree, its split, and the leaves in both subtrees as bits."""

    tree: NDArray[np.intp]
    feature: NDArray[np.intp]
    threshold: Floats
    missing_left: NDArray[np.bool_]
    left_leaves: Masks
    right_leaves: Masks

    def at(self, places: NDArray[np.intp]) -> "_Nodes":
        """Those at ``places`` [m]."""
        return _Nodes(
            self.tree[places],
            self.feature[places],
            self.threshold[places],
            self.missing_left[places],
            self.left_leaves[places],
            self.right_leaves[places],
        )


class _Column(NamedTuple):
    """The trees [S] that split on a column, its M ascending thresholds, and which leaves remain.

    ``masks`` and ``reached`` are [S, M + 2], by the number of thresholds below the value; the last one is for a missing
    value. ``masks`` rule out what lies left of the nodes that go right, ``reached`` also what lies right of the others.
    ``below`` [S] are the leaves below the column's nodes. ``narrow`` has for each threshold the largest 32-bit number
    that does not exceed it, so that comparing 32-bit values with it gives the same.
    """

    thresholds: Floats
    narrow: NDArray[np.float32]
    trees: NDArray[np.intp]
    masks: Masks
    reached: Masks
    below: Masks

    def places(self, x: NDArray[np.floating]) -> NDArray[np.intp]:
        """Number of thresholds below each value [N]."""
        thresholds = self.narrow if x.dtype == np.float32 else self.thresholds
        if len(thresholds) > FEW:
            return np.searchsorted(thresholds, x, side="left")
        below = np.greater(x, thresholds[:, None])
        counts: NDArray[np.uint8] = below.sum(axis=0, dtype=np.uint8)
        return counts.astype(np.intp)

    def reachable(self, alive: Masks, row_of: NDArray[np.intp]) -> tuple[NDArray[np.intp], Masks]:
        """Rows [s] and masks [s, M + 2] of the trees in which ``alive`` leaves lie below a node of the column."""
        kept = np.flatnonzero(alive[self.trees] & self.below)
        return row_of[self.trees[kept]], self.masks if len(kept) == len(self.trees) else self.masks[kept]


def _column_of(nodes: _Nodes) -> _Column:
    """What the nodes of one column rule out."""
    thresholds, places = np.unique(nodes.threshold, return_inverse=True)
    trees, rows = np.unique(nodes.tree, return_inverse=True)
    kind = nodes.left_leaves.dtype
    shape = (len(trees), len(thresholds) + 2)
    to_right, to_left = np.full(shape, np.iinfo(kind).max, kind), np.full(shape, np.iinfo(kind).max, kind)
    left_missing, right_missing = np.flatnonzero(nodes.missing_left), np.flatnonzero(~nodes.missing_left)
    np.bitwise_and.at(to_right, (rows, places + 1), ~nodes.left_leaves)
    np.bitwise_and.at(to_left, (rows, places), ~nodes.right_leaves)
    np.bitwise_and.at(to_left[:, -1], rows[left_missing], ~nodes.right_leaves[left_missing])
    np.bitwise_and.at(to_right[:, -1], rows[right_missing], ~nodes.left_leaves[right_missing])
    upwards, downwards = to_right[:, :-1], to_left[:, -2::-1]
    np.bitwise_and.accumulate(upwards, axis=1, out=upwards)
    np.bitwise_and.accumulate(downwards, axis=1, out=downwards)
    below = np.zeros(len(trees), kind)
    np.bitwise_or.at(below, rows, nodes.left_leaves | nodes.right_leaves)
    with np.errstate(over="ignore"):
        narrow = thresholds.astype(np.float32)
        narrow = np.where(narrow > thresholds, np.nextafter(narrow, np.float32(-np.inf)), narrow)
    return _Column(thresholds, narrow, trees, to_right, to_right & to_left, below)


def _leaves_below(tree: Tree) -> tuple[list[int], list[int]]:
    """For each node, the leaves in its left subtree and in its right one, as bits."""
    left, right = tree["left"], tree["right"]
    bits: dict[int, tuple[int, int]] = {}

    def below(child: int) -> int:
        """Bit mask of all leaves below a child."""
        if child < 0:
            return 1 << (-1 - child)
        bits[child] = below(left[child]), below(right[child])
        return bits[child][0] | bits[child][1]

    if left:
        below(0)
    return [bits[node][0] for node in range(len(left))], [bits[node][1] for node in range(len(left))]
