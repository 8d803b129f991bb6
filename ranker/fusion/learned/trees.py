"""Boosted trees as plain arrays, evaluated for all candidates at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ranker.fusion.base import Floats

MOST_LEAVES = 32
"""A tree's leaves are the bits of a 32-bit number."""

Masks = NDArray[np.uint32]


@dataclass(frozen=True, eq=False)
class Trees:
    """A sum of K trees over F columns.

    A node sends a candidate left where its value is at most the threshold, and a missing value left where
    ``missing_left`` says so. Children are nodes of the same tree where they are at least 0, and leaf ``-1 - child``
    where not; leaves are numbered from the left. A tree without nodes is its one leaf.

    Attributes
    ----------
    columns
        Number of columns F.
    trees
        For each tree ``feature``, ``threshold``, ``missing_left``, ``left`` and ``right`` of its nodes, node 0 the
        root, and ``value`` of its leaves.
    """

    columns: int
    trees: Sequence[Mapping[str, Any]]

    def __call__(self, values: Floats) -> Floats:
        """Values [N, F], NaN where one is missing -> sums of the leaves that candidates end in [N].

        After QuickScorer (Lucchese et al. 2015): each node that sends a candidate right rules out the leaves on its
        left; of the leaves that no node rules out, the leftmost is the candidate's. Nodes of one column rule out more
        and more leaves as its value grows, so that the leaves left over are found by one search in sorted thresholds.
        """
        alive = np.full((len(values), len(self.trees)), np.uint32(0xFFFFFFFF))
        for column, (thresholds, masks) in enumerate(self._tables):
            x = values[:, column]
            place = np.searchsorted(thresholds, x, side="left")  # how many thresholds are below
            alive &= masks[np.where(np.isnan(x), len(masks) - 1, place)]
        lowest = np.bitwise_count((alive & -alive) - np.uint32(1))
        return np.asarray(self._leaves[np.arange(len(self.trees)), lowest].sum(axis=1))

    @cached_property
    def _leaves(self) -> Floats:
        """Values of the leaves [K, 32]."""
        found = np.zeros((len(self.trees), MOST_LEAVES))
        for k, tree in enumerate(self.trees):
            found[k, : len(tree["value"])] = tree["value"]
        return found

    @cached_property
    def _tables(self) -> list[tuple[Floats, Masks]]:
        """For each column its M thresholds, rising, and what leaves are left [M + 2, K] by how many are below a value.

        The last row is for a missing value.
        """
        nodes: list[list[tuple[float, int, np.uint32, bool]]] = [[] for _ in range(self.columns)]
        for k, tree in enumerate(self.trees):
            for node, mask in enumerate(_ruled_out(tree)):
                right_if_missing = not tree["missing_left"][node]
                nodes[tree["feature"][node]].append((tree["threshold"][node], k, ~mask, right_if_missing))
        tables = []
        for found in nodes:
            found.sort(key=lambda node: node[0])
            masks = np.full((len(found) + 2, len(self.trees)), np.uint32(0xFFFFFFFF))
            for place, (_, k, mask, right_if_missing) in enumerate(found):
                masks[place + 1] = masks[place]
                masks[place + 1, k] &= mask
                if right_if_missing:
                    masks[-1, k] &= mask
            tables.append((np.array([node[0] for node in found], dtype=np.float64), masks))
        return tables


def _ruled_out(tree: Mapping[str, Any]) -> list[np.uint32]:
    """For each node, the leaves on its left as bits."""
    left, right = tree["left"], tree["right"]
    bits: dict[int, int] = {}

    def below(child: int) -> int:
        """Bits of all leaves below a child."""
        if child < 0:
            return 1 << (-1 - child)
        bits[child] = below(left[child])
        return bits[child] | below(right[child])

    if left:
        below(0)
    return [np.uint32(bits[node]) for node in range(len(left))]
