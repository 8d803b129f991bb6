"""Classes of rows with equal labels, so that one pass over a ranking serves all label columns."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ranker.metrics.checks import Floats, checked_weights


@dataclass(frozen=True, eq=False)
class RowClasses:
    """N rows in C classes; rows of one class have the same T labels, known labels and weight.

    Attributes
    ----------
    codes
        Class of each row [N], 0 to C - 1, in an index type.
    positive, negative
        Weight as a positive or negative per class and column [C, T]; both are 0 for an unknown label.
    rows
        Number of rows of each class [C].
    """

    codes: NDArray[np.intp]
    positive: Floats
    negative: Floats
    rows: NDArray[np.intp]

    @classmethod
    def of(cls, labels: ArrayLike, known: ArrayLike | None = None, weights: ArrayLike | None = None) -> "RowClasses":
        """Group rows into classes.

        Parameters
        ----------
        labels
            Labels in {0, 1} [N, T]; unknown labels may have any value.
        known
            Whether each label is known [N, T]; default: all.
        weights
            Row weights [N], >= 0; default 1.

        Raises
        ------
        ValueError
            For other shapes, and for an invalid label or weight; the message names the row.
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
            distinct, place = np.unique(checked_weights(weights, len(values)), return_inverse=True)
            codes = codes * len(distinct) + place
            kept, codes = np.unique(codes, return_inverse=True)
            patterns, weight = patterns[kept // len(distinct)], distinct[kept % len(distinct)]
        return cls(
            codes.astype(np.intp),
            (patterns == 1) * weight[:, None],
            (patterns == 0) * weight[:, None],
            np.bincount(codes, minlength=len(patterns)),
        )

    @property
    def count(self) -> int:
        """Number of classes C."""
        return len(self.rows)

    @property
    def alike(self) -> bool:
        """Whether all labels are known and all rows count once."""
        return bool((self.positive + self.negative == 1).all())

    @property
    def pairs(self) -> Floats:
        """Total weight of positive-negative pairs by column [T]."""
        return np.asarray((self.rows @ self.positive) * (self.rows @ self.negative))


def _found(facts: NDArray[np.int8]) -> tuple[NDArray[np.intp], NDArray[np.int8]]:
    """Codes [N] and distinct rows [C, T] of small integers from -1; works by column to avoid sorting rows."""
    codes = np.zeros(len(facts), dtype=np.intp)
    for column in facts.T:
        codes = np.unique(codes * 3 + (column + 1), return_inverse=True)[1]
    first = np.zeros(int(codes.max(initial=-1)) + 1, dtype=np.intp)
    first[codes[::-1]] = np.arange(len(codes))[::-1]
    return codes, facts[first]
