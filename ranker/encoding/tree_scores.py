"""Scores of boosted trees, one booster per task, as inputs: computed from all other inputs of a packed batch."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ranker.encoding.layout import Layout, Packed, SideLayout, tree_score_name
from ranker.trees import Tree, Trees, packed, unpacked


class TreeColumns:
    """The columns that trees read of a packed batch: the context's F1, then the candidate's F2.

    Of each side the numbers come first, without tree scores, then each single id as its embedding row, which is 0 for
    missing, 1 for unknown and else counts from the most frequent value, and the length of each list.

    Attributes
    ----------
    names
        Name of each column [F1 + F2].
    """

    def __init__(self, layout: Layout) -> None:
        self._sides = [_SideColumns(side) for _, side in layout.sides()]
        self.names = tuple(name for side in self._sides for name in side.names)

    def of(self, rows: Packed) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Values [N or 1, F1] of the context and [N, F2] of the candidates."""
        context, candidate = self._sides
        return (
            context.of(rows.context_ids, rows.context_numbers),
            candidate.of(rows.candidate_ids, rows.candidate_numbers),
        )


class _SideColumns:
    def __init__(self, side: SideLayout) -> None:
        numbers = [field for field in side.numbers if field not in side.trees]
        self._numbers = sum(field.length for field in numbers)
        self._single = np.array([field.start for field in side.ids if field.pooling is None], dtype=np.intp)
        lists = [field for field in side.ids if field.pooling is not None]
        self._lists = [slice(field.start, field.start + field.length) for field in lists]
        self.names = (
            *(f"{field.feature}[{place}]" for field in numbers for place in range(field.length)),
            *(field.feature for field in side.ids if field.pooling is None),
            *(f"length({field.feature})" for field in lists),
        )

    def of(self, ids: NDArray[np.int32], numbers: NDArray[np.float32]) -> NDArray[np.float32]:
        """Values [N, F], contiguous by column."""
        values = np.empty((len(self.names), len(ids)), dtype=np.float32)
        values[: self._numbers] = numbers[:, : self._numbers].T
        values[self._numbers : self._numbers + len(self._single)] = ids[:, self._single].T
        for row, place in zip(values[self._numbers + len(self._single) :], self._lists, strict=True):
            row[:] = np.count_nonzero(ids[:, place], axis=1)
        return values.T


@dataclass(frozen=True, eq=False)
class Booster:
    """The trees of one task; their sum is the task's logit. As an input it is ``(sum - shift) * scale``."""

    trees: tuple[Tree, ...]
    shift: float = 0.0
    scale: float = 1.0


@dataclass(frozen=True, eq=False)
class TreeScores:
    """Boosters by task, over the F columns of :class:`TreeColumns`, and their weight in served logits.

    Without ``blend`` the scores are inputs of the network instead.
    """

    columns: int
    boosters: Mapping[str, Booster]
    blend: float | None = None

    def scores(self, columns: TreeColumns, rows: Packed) -> NDArray[np.float64]:
        """Sums of the trees [N, T] for packed rows, with one context row or one per candidate."""
        return self._trees.sums([len(one.trees) for one in self.boosters.values()], *columns.of(rows))

    def inputs(self, columns: TreeColumns, rows: Packed) -> NDArray[np.float32]:
        """Standardised scores [N, T]."""
        return self.standardised(self.scores(columns, rows))

    def standardised(self, scores: NDArray[np.float64]) -> NDArray[np.float32]:
        """Scores [N, T] as inputs."""
        shift, scale = np.array([(one.shift, one.scale) for one in self.boosters.values()]).T
        inputs: NDArray[np.float32] = ((scores - shift) * scale).astype(np.float32)
        return inputs

    @cached_property
    def _trees(self) -> Trees:
        return Trees(self.columns, [tree for booster in self.boosters.values() for tree in booster.trees])

    def state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """JSON data and arrays, to save them."""
        by_task = {task: {"shift": one.shift, "scale": one.scale} for task, one in self.boosters.items()}
        arrays = {
            f"{tree_score_name(task)}.{part}": array
            for task, booster in self.boosters.items()
            for part, array in packed(booster.trees).items()
        }
        return {"columns": self.columns, "boosters": by_task, "blend": self.blend}, arrays

    @classmethod
    def restored(cls, state: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Rebuild from :meth:`state`. Raises ``KeyError`` and ``ValueError``."""
        boosters = {}
        for task, facts in state["boosters"].items():
            prefix = f"{tree_score_name(task)}."
            own = {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
            boosters[task] = Booster(tuple(unpacked(own)), float(facts["shift"]), float(facts["scale"]))
        return cls(int(state["columns"]), boosters, state.get("blend"))
