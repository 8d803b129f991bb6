"""The rows of a table that come from an earlier one: which old row becomes which new row."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ranker.encoding.columns import Integers


@dataclass(frozen=True)
class RowMoves:
    """New row ``targets[i]`` comes from old row ``sources[i]``; all other new rows are fresh.

    Raises ``ValueError`` if the arrays differ in length or a target occurs twice.
    """

    sources: Integers
    targets: Integers

    def __post_init__(self) -> None:
        if len(self.sources) != len(self.targets):
            raise ValueError(f"sources and targets must be of one length, got {len(self.sources)}, {len(self.targets)}")
        if len(np.unique(self.targets)) != len(self.targets):
            raise ValueError("targets must be distinct: a new row comes from at most one old row")

    @classmethod
    def identity(cls, rows: int) -> Self:
        """Each of ``rows`` rows stays where it is."""
        return cls(np.arange(rows), np.arange(rows))

    @classmethod
    def between(cls, old: Sequence[object], new: Sequence[object]) -> Self:
        """Rows with equal keys; the keys of each list are distinct."""
        places = {key: place for place, key in enumerate(old)}
        pairs = [(places[key], target) for target, key in enumerate(new) if key in places]
        return cls(*np.array(pairs, dtype=np.int64).reshape(-1, 2).T)

    @classmethod
    def joined(cls, parts: Sequence[tuple[int, int, Self]]) -> Self:
        """The moves of parts of a table: first old row and first new row of each part, and its moves."""
        none = np.zeros(0, dtype=np.int64)
        sources = [none, *(part.sources + old for old, _, part in parts)]
        targets = [none, *(part.targets + new for _, new, part in parts)]
        return cls(np.concatenate(sources), np.concatenate(targets))

    def is_identity(self, old: int, new: int) -> bool:
        """Whether a table of ``old`` rows becomes one of ``new`` rows unchanged."""
        return old == new == len(self.targets) and bool((self.sources == self.targets).all())


def moved(old: NDArray[Any], fresh: NDArray[Any], axes: Sequence[RowMoves]) -> NDArray[Any]:
    """``fresh`` with the entries that come from ``old``; ``axes`` has the moves of each axis."""
    result = fresh.copy()
    if len(axes) == 1 or all(m.is_identity(*n) for m, n in zip(axes[1:], _sizes(old, fresh), strict=True)):
        result[axes[0].targets] = old[axes[0].sources]
    else:
        result[np.ix_(*(m.targets for m in axes))] = old[np.ix_(*(m.sources for m in axes))]
    return result


def _sizes(old: NDArray[Any], fresh: NDArray[Any]) -> list[tuple[int, int]]:
    return list(zip(old.shape[1:], fresh.shape[1:], strict=True))
