"""What a constraint asks of a list, as a search for an arrangement reads it: place by place, with look-ahead."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Mask: TypeAlias = NDArray[np.bool_]


@dataclass
class Work:
    """Steps of work that are left, each of about a microsecond.

    Steps are counted, not timed, so that the same candidates always give the same list.
    """

    left: int

    def spend(self, steps: int) -> None:
        """Do some work."""
        self.left -= steps


class Placing(ABC):
    """A constraint on which candidates stand at which places, for M candidates.

    A search puts candidates at the places 0, 1, ... and takes them back. Candidates with equal labels are
    interchangeable for the constraint.

    Attributes
    ----------
    labels
        Label of each candidate [M]: 0 to L - 2, or -1, which is the last of the L labels.
    places
        Number of places, from the first, that it is about, at most M.
    horizon
        Number of them, from the first, in which it can be met. Beyond it the constraint is preferred, not required.
    memory
        How many of the last places decide whether a candidate fits, besides counts.
    relaxed
        Whether the candidates do not allow all that is asked, so that less is required.
    """

    labels: Sequence[int]
    places: int
    horizon: int
    memory: int = 0
    relaxed: bool = False

    @abstractmethod
    def reset(self) -> None:
        """Begin with an empty list."""

    @abstractmethod
    def fitting(self, place: int) -> Mask:
        """Mask [L] of the labels that agree at the next place, below ``places``, with those before it.

        It is valid until the next call of any method.
        """

    def completes(self, label: int, place: int, work: Work) -> bool:
        """Whether the rest of the list, up to the horizon, can still be met after a label that fits.

        May be true although the rest cannot be met, never the reverse. The steps of finding out are spent.
        """
        del label, place, work
        return True

    def look_ahead(self, label: int) -> object:
        """What ``completes`` depends on at the next place: labels with the same get the same answer."""
        del label
        return None

    @abstractmethod
    def put(self, label: int, place: int) -> None:
        """Put a candidate at the next place."""

    @abstractmethod
    def take_back(self, label: int, place: int) -> None:
        """Undo the last ``put``."""

    @abstractmethod
    def broken(self, labels: Sequence[int]) -> str | None:
        """What a list of labels breaks of all that is asked, in words; ``None`` if nothing."""
