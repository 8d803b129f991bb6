"""Trees <-> arrays, to save them without pickling."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ranker.trees.evaluator import Tree

_OF_NODES = {
    "feature": np.int32,
    "threshold": np.float64,
    "missing_left": np.bool_,
    "left": np.int32,
    "right": np.int32,
}


def packed(trees: Sequence[Tree]) -> dict[str, NDArray[Any]]:
    """The nodes of all trees one after another, by attribute, their leaves' ``value``, and ``leaves`` [K] of each."""
    arrays = {
        name: np.concatenate([np.zeros(0, dtype=kind), *(np.asarray(tree[name], dtype=kind) for tree in trees)])
        for name, kind in {**_OF_NODES, "value": np.float64}.items()
    }
    return {**arrays, "leaves": np.array([len(tree["value"]) for tree in trees], dtype=np.int32)}


def unpacked(arrays: Mapping[str, NDArray[Any]]) -> list[Tree]:
    """Trees from :func:`packed`. Raises ``KeyError`` if a part is missing, ``ValueError`` for wrong lengths."""
    leaves = arrays["leaves"]
    if (leaves < 1).any():
        raise ValueError("a tree needs at least one leaf")
    parts = {}
    for name in (*_OF_NODES, "value"):
        sizes = leaves if name == "value" else leaves - 1
        if len(arrays[name]) != sizes.sum():
            raise ValueError(f"{name}: expected {sizes.sum()} entries, got {len(arrays[name])}")
        parts[name] = [part.tolist() for part in np.split(arrays[name], np.cumsum(sizes)[:-1])] if len(leaves) else []
    return [{name: part[k] for name, part in parts.items()} for k in range(len(leaves))]
