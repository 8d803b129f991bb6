"""What takes part in a step: the tasks that are trained, and the variables that are left alone."""

from collections.abc import Iterator, Sequence
from itertools import count
from typing import NamedTuple

EMBEDDINGS, SHARED = "embeddings", "shared"
"""What ``frozen`` calls the tables, and all else that tasks share."""


class Turn(NamedTuple):
    """One kind of step; each kind is compiled once."""

    tasks: frozenset[str] | None = None
    """Tasks that are trained, all if ``None``; the heads of others, with the optimiser's moments, are not touched."""
    frozen: frozenset[str] = frozenset()
    """``embeddings`` (tables), ``shared`` (all else that tasks share) and tasks, whose heads are meant."""
    compare: bool = True
    """Whether the balancing method is asked; else what it said last is used."""

    def takes(self, task: str) -> bool:
        """Whether a task is trained."""
        return self.tasks is None or task in self.tasks


ALL = Turn()


def cycled(pattern: Sequence[Turn], every: int, first: int = 0) -> Iterator[Turn]:
    """The turns from step ``first`` on: the pattern over and over, the method asked in each ``every``-th step."""
    for step in count(first):
        turn = pattern[step % len(pattern)]
        yield turn if step % every == 0 else turn._replace(compare=False)
