"""Boosted trees as plain arrays, with vectorised evaluation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

MOST_LEAVES = 64
"""Maximum leaves per tree, as the bits of the widest mask."""
ROWS = 512
"""Rows evaluated at once, so that masks and leaf values of all trees stay small."""

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
        """
        rows = max(map(len, blocks)) if all(map(len, blocks)) else 0
        ends = np.cumsum(sizes).tolist()
        summed = np.empty((rows, len(ends)))
        if not rows:
            return summed
        common, differing = self._places(blocks)
        for first in range(0, rows, ROWS):
            chosen = slice(first, first + ROWS)
            alive = np.repeat(common[:, None], min(ROWS, rows - first), axis=1)
            for column, place in differing:
                alive[column.trees] &= column.masks.take(place[chosen], axis=1)
            values = self._reached(alive)
            for group, (size, end) in enumerate(zip(sizes, ends, strict=True)):
                values[end - size : end].sum(axis=0, out=summed[chosen, group])
        return summed

    def _places(self, blocks: Sequence[NDArray[np.floating]]) -> tuple[Masks, list[tuple["_Column", NDArray[np.intp]]]]:
        """Leaves [K] that remain by the columns in which all rows agree, and the places [N] of rows in the others."""
        common: Masks = np.full(len(self.trees), np.iinfo(self._mask_type).max, dtype=self._mask_type)
        differing, columns = [], (x for block in blocks for x in block.T)
        for column, x in zip(self._columns, columns, strict=True):
            if not len(column.thresholds):
                continue
            place = np.searchsorted(column.thresholds, x, side="left")  # number of thresholds below
            missing = np.isnan(x)
            if missing.any():
                place[missing] = len(column.thresholds) + 1
            if (place == place[0]).all():
                common[column.trees] &= column.masks[:, place[0]]
            else:
                differing.append((column, place))
        return common, differing

    def _reached(self, alive: Masks) -> Floats:
        """Values [K, N] of the leftmost of the leaves that remain, of masks [K, N], which are overwritten."""
        alive &= -alive
        alive -= self._mask_type(1)
        values: Floats = self._leaves.take(np.bitwise_count(alive) + self._first_leaf)
        return values

    @cached_property
    def _mask_type(self) -> type[np.unsignedinteger[Any]]:
        """The narrowest type with a bit for each leaf."""
        most = max((len(tree["value"]) for tree in self.trees), default=1)
        return next(kind for kind in (np.uint8, np.uint16, np.uint32, np.uint64) if most <= np.iinfo(kind).bits)

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
    def _columns(self) -> list["_Column"]:
        """What each column rules out."""
        kind = self._mask_type
        nodes: list[list[tuple[float, int, int, bool]]] = [[] for _ in range(self.columns)]
        for k, tree in enumerate(self.trees):
            right_if_missing = [not left for left in tree["missing_left"]]
            splits = zip(tree["feature"], tree["threshold"], _left_of(tree), right_if_missing, strict=True)
            for feature, threshold, leaves, right in splits:
                nodes[feature].append((threshold, k, leaves, right))
        full = int(np.iinfo(kind).max)
        columns = []
        for found in nodes:
            thresholds, places = np.unique(np.array([node[0] for node in found]), return_inverse=True)
            trees, rows = np.unique(np.array([node[1] for node in found], dtype=np.intp), return_inverse=True)
            masks: Masks = np.full((len(trees), len(thresholds) + 2), full, dtype=kind)
            for (_, _, leaves, right), place, row in zip(found, places.tolist(), rows.tolist(), strict=True):
                kept = kind(full & ~leaves)
                masks[row, place + 1] &= kept
                if right:
                    masks[row, -1] &= kept
            np.bitwise_and.accumulate(masks[:, :-1], axis=1, out=masks[:, :-1])
            columns.append(_Column(thresholds, trees, masks))
        return columns


class _Column(NamedTuple):
    """The trees [S] that split on a column, its M ascending thresholds, and which leaves remain.

    ``masks`` are [S, M + 2], by the number of thresholds below the value; the last one is for a missing value.
    """

    thresholds: Floats
    trees: NDArray[np.intp]
    masks: Masks


def _left_of(tree: Tree) -> list[int]:
    """For each node, the leaves in its left subtree, as bits."""
    left, right = tree["left"], tree["right"]
    bits: dict[int, int] = {}

    def below(child: int) -> int:
        """Bit mask of all leaves below a child."""
        if child < 0:
            return 1 << (-1 - child)
        bits[child] = below(left[child])
        return bits[child] | below(right[child])

    if left:
        below(0)
    return [bits[node] for node in range(len(left))]
