"""Boosted trees as plain arrays: evaluated by NumPy in training and serving, and converted from LightGBM."""

from ranker.trees.convert import arrays_of
from ranker.trees.evaluator import MOST_LEAVES, Floats, Tree, Trees
from ranker.trees.stored import packed, unpacked

__all__ = ["MOST_LEAVES", "Floats", "Tree", "Trees", "arrays_of", "packed", "unpacked"]
