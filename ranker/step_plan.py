"""Which tasks a step trains, and which variables it freezes."""

from collections.abc import Iterator, Sequence
from itertools import count
from typing import NamedTuple

EMBEDDINGS, SHARED = "embeddings", "shared"
"""Names in ``frozen`` of the embedding tables and of all other shared variables."""


class Turn(NamedTuple):
    """One kind of step; each kind is compiled once."""

    tasks: frozenset[str] | None = None
    """Tasks to train; ``None`` for all. Heads of other tasks and their optimiser moments are not updated."""
    frozen: frozenset[str] = frozenset()
    """Frozen parts: ``embeddings`` (tables), ``shared`` (other shared variables), and task names for their heads."""
    compare: bool = True
    """Whether to call the balancing method; otherwise its last weights are reused."""

    def takes(self, task: str) -> bool:
        """Whether the turn trains a task."""
        return self.tasks is None or task in self.tasks


ALL = Turn()


def cycled(pattern: Sequence[Turn], every: int, first: int = 0) -> Iterator[Turn]:
    """Turns from step ``first`` on: repeats the pattern and calls the balancing method every ``every`` steps."""
    for step in count(first):
        turn = pattern[step % len(pattern)]
        yield turn if step % every == 0 else turn._replace(compare=False)
