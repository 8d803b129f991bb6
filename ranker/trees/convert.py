"""Converts LightGBM's trees to plain arrays."""

from collections.abc import Mapping
from typing import Any

from ranker.trees.evaluator import Tree


def arrays_of(booster: Any) -> list[Tree]:
    """Convert a booster to the format of ``ranker.trees.Trees``."""
    return [_flat(tree["tree_structure"]) for tree in booster.dump_model()["tree_info"]]


def _flat(root: Mapping[str, Any]) -> Tree:
    tree: dict[str, Any] = {name: [] for name in ("feature", "threshold", "missing_left", "left", "right", "value")}

    def add(node: Mapping[str, Any]) -> int:
        if "split_feature" not in node:
            tree["value"].append(float(node["leaf_value"]))
            return -len(tree["value"])
        place, threshold = len(tree["feature"]), float(node["threshold"])
        # If fitting had no missing values, LightGBM treats missing as 0.
        missing_left = node["default_left"] if node["missing_type"] == "NaN" else threshold >= 0
        tree["feature"].append(int(node["split_feature"]))
        tree["threshold"].append(threshold)
        tree["missing_left"].append(bool(missing_left))
        tree["left"].append(0)
        tree["right"].append(0)
        tree["left"][place] = add(node["left_child"])
        tree["right"][place] = add(node["right_child"])
        return place

    add(root)
    return tree
