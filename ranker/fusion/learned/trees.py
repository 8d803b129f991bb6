"""Boosted trees as plain arrays, with vectorised evaluation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ranker.fusion.base import Floats

MOST_LEAVES = 32
"""Maximum leaves per tree, as the bits of a 32-bit mask."""

Masks = NDArray[np.uint32]


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
    trees: Sequence[Mapping[str, Any]]

    def __call__(self, values: Floats) -> Floats:
        """Sum of leaf values [N] of candidates with values [N, F]; NaN means missing.

        As in QuickScorer (Lucchese et al. 2015): a node that sends a candidate right rules out the leaves of its left
        subtree; the leftmost leaf not ruled out is the candidate's. Nodes of one column rule out more leaves as its
        value grows, so one search in sorted thresholds gives the remaining leaves.
        """
        alive = np.full((len(values), len(self.trees)), np.uint32(0xFFFFFFFF))
        for column, (thresholds, masks) in enumerate(self._tables):
            x = values[:, column]
            place = np.searchsorted(thresholds, x, side="left")  # number of thresholds below
            alive &= masks[np.where(np.isnan(x), len(masks) - 1, place)]
        lowest = np.bitwise_count((alive & -alive) - np.uint32(1))
        return np.asarray(self._leaves[np.arange(len(self.trees)), lowest].sum(axis=1))

    @cached_property
    def _leaves(self) -> Floats:
        """Values of the leaves [K, 32]."""
        values = np.zeros((len(self.trees), MOST_LEAVES))
        for k, tree in enumerate(self.trees):
            values[k, : len(tree["value"])] = tree["value"]
        return values

    @cached_property
    def _tables(self) -> list[tuple[Floats, Masks]]:
        """By column, its M ascending thresholds and masks of remaining leaves [M + 2, K] by number of thresholds below.

        The last row is for a missing value.
        """
        nodes: list[list[tuple[float, int, np.uint32, bool]]] = [[] for _ in range(self.columns)]
        for k, tree in enumerate(self.trees):
            for node, mask in enumerate(_ruled_out(tree)):
                right_if_missing = not tree["missing_left"][node]
                nodes[tree["feature"][node]].append((tree["threshold"][node], k, ~mask, right_if_missing))
        tables = []
        for splits in nodes:
            splits.sort(key=lambda node: node[0])
            masks = np.full((len(splits) + 2, len(self.trees)), np.uint32(0xFFFFFFFF))
            for place, (_, k, mask, right_if_missing) in enumerate(splits):
                masks[place + 1] = masks[place]
                masks[place + 1, k] &= mask
                if right_if_missing:
                    masks[-1, k] &= mask
            tables.append((np.array([node[0] for node in splits], dtype=np.float64), masks))
        return tables


def _ruled_out(tree: Mapping[str, Any]) -> list[np.uint32]:
    """For each node, the bit mask of leaves in its left subtree."""
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
    return [np.uint32(bits[node]) for node in range(len(left))]
