"""Slices of the rows by a column's values; values with few rows are lumped together."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MOST_SLICES = 50
"""Most values of a column that are slices of their own."""


@dataclass(frozen=True, eq=False)
class Slice:
    """Rows [N] with a value in a column, or with one of several rare ones."""

    name: str
    mask: NDArray[np.bool_]

    @property
    def rows(self) -> int:
        """Number of rows."""
        return int(self.mask.sum())


def slices_of(column: str, values: NDArray[np.object_], fewest: int) -> tuple[list[Slice], list[str]]:
    """Slices of a column's values [N], the largest first, and notes about values that are lumped or left out.

    Values with fewer than ``fewest`` rows, and those beyond the ``MOST_SLICES`` largest, are one slice together; it is
    left out if it has fewer rows than that, too.
    """
    names, codes, counts = np.unique(values.astype(str), return_inverse=True, return_counts=True)
    largest = np.argsort(-counts, kind="stable")
    kept = [i for i in largest[:MOST_SLICES].tolist() if counts[i] >= fewest]
    found = [Slice(f"{column} = {names[i]}", codes == i) for i in kept]
    rest = ~np.isin(codes, kept)
    if not rest.any():
        return found, []
    about = f"{column}: values of {int(rest.sum()):,} rows, {len(names) - len(kept):,} in number,"
    if rest.sum() < fewest:
        return found, [f"{about} have too few rows for a slice of {fewest:,}, also together"]
    why = f"each has fewer than {fewest:,} rows"
    if len(kept) == MOST_SLICES:
        why += f" or is not among the {MOST_SLICES} largest"
    return [*found, Slice(f"{column}: others", rest)], [f"{about} are one slice: {why}"]
