"""Rows that several label columns cannot tell apart, so that one pass over a ranking serves all of the columns."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ranker.metrics.checks import Floats, checked_weights


@dataclass(frozen=True, eq=False)
class RowClasses:
    """N rows in C classes: those of one class have the same T labels, the same of them known, and the same weight.

    Attributes
    ----------
    codes
        The class of each row [N], from 0 to C - 1, as integers that index.
    positive, negative
        Weight of a row of each class as a positive or negative of each column [C, T]; both are 0 for an unknown label.
    rows
        Rows of each class [C].
    """

    codes: NDArray[np.intp]
    positive: Floats
    negative: Floats
    rows: NDArray[np.intp]

    @classmethod
    def of(cls, labels: ArrayLike, known: ArrayLike | None = None, weights: ArrayLike | None = None) -> "RowClasses":
        """Sort rows into classes.

        Parameters
        ----------
        labels
            Labels in {0, 1} [N, T]; where one is not known, anything.
        known
            Whether each label counts [N, T]; by default all do.
        weights
            How often each row counts [N], >= 0; by default once.

        Raises
        ------
        ValueError
            For other shapes, and for a label or weight of another value, with its row.
        """
        values = np.asarray(labels, dtype=np.float64)
        if values.ndim != 2 or not values.shape[1]:
            raise ValueError(f"labels must be [rows, tasks], got shape {list(values.shape)}")
        mask = np.ones(values.shape, dtype=bool) if known is None else np.asarray(known, dtype=bool)
        if mask.shape != values.shape:
            raise ValueError(f"known must have the shape of labels {list(values.shape)}, got {list(mask.shape)}")
        wrong = mask & (values != 0) & ~(values == 1)
        if wrong.any():
            row, column = (int(place) for place in np.argwhere(wrong)[0])
            raise ValueError(f"labels must be 0 or 1, got {values[row, column]} in row {row}, column {column}")
        facts = np.where(mask, values, -1.0).astype(np.int8)
        codes, patterns = _found(facts)
        weight = np.ones(len(patterns))
        if weights is not None:
            each, place = np.unique(checked_weights(weights, len(values)), return_inverse=True)
            codes = codes * len(each) + place
            kept, codes = np.unique(codes, return_inverse=True)
            patterns, weight = patterns[kept // len(each)], each[kept % len(each)]
        return cls(
            codes.astype(np.intp),
            (patterns == 1) * weight[:, None],
            (patterns == 0) * weight[:, None],
            np.bincount(codes, minlength=len(patterns)),
        )

    @property
    def count(self) -> int:
        """Number of classes, C."""
        return len(self.rows)

    @property
    def alike(self) -> bool:
        """Whether every label is known and every row counts once."""
        return bool((self.positive + self.negative == 1).all())

    @property
    def pairs(self) -> Floats:
        """Weight of all pairs of a positive and a negative, by column [T]."""
        return np.asarray((self.rows @ self.positive) * (self.rows @ self.negative))


def _found(facts: NDArray[np.int8]) -> tuple[NDArray[np.intp], NDArray[np.int8]]:
    """Codes [N] of distinct rows [C, T] of small integers from -1; one column at a time, so that no rows are sorted."""
    codes = np.zeros(len(facts), dtype=np.intp)
    for column in facts.T:
        codes = np.unique(codes * 3 + (column + 1), return_inverse=True)[1]
    first = np.zeros(int(codes.max(initial=-1)) + 1, dtype=np.intp)
    first[codes[::-1]] = np.arange(len(codes))[::-1]
    return codes, facts[first]
