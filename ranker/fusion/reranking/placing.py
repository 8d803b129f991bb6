"""What a constraint asks of a list, as a search for an arrangement reads it: place by place, with look-ahead."""

from abc import ABC, abstractmethod
from collections.abc import Sequence


class Placing(ABC):
    """A constraint on which candidates stand at which places, for M candidates.

    A search puts candidates at the places 0, 1, ... and takes them back. Candidates with equal labels are
    interchangeable for the constraint.

    Attributes
    ----------
    labels
        Label of each candidate [M].
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
    def fits(self, label: int, place: int) -> bool:
        """Whether a candidate at the next place agrees with those before it."""

    @abstractmethod
    def allows(self, label: int, place: int) -> bool:
        """Whether it fits, if that is required there, and the rest of the list can still be met after it.

        May be true although the rest cannot be met, never the reverse.
        """

    @abstractmethod
    def put(self, label: int, place: int) -> None:
        """Put a candidate at the next place."""

    @abstractmethod
    def take_back(self, label: int, place: int) -> None:
        """Undo the last ``put``."""

    @abstractmethod
    def broken(self, labels: Sequence[int]) -> str | None:
        """What a list of labels breaks of all that is asked, in words; ``None`` if nothing."""
