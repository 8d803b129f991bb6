"""Results that come in any order, some of them twice, put in order."""

from collections.abc import Iterable, Iterator
from typing import Generic, NamedTuple, TypeVar

Result = TypeVar("Result")


class Piece(NamedTuple, Generic[Result]):
    """Result number ``place`` of a span of the input; one without a result follows a span's last."""

    span: int
    place: int
    result: Result | None


def ordered(pieces: Iterable[Piece[Result]], spans: int) -> Iterator[Result]:
    """Each result of each span once, in order; those that come early wait.

    Work that was lost with a machine is done again, so that a result may come twice: the second one is left out. Raises
    ``RuntimeError`` if there is no more piece and a result is missing.
    """
    waiting: dict[tuple[int, int], Result | None] = {}
    span = place = 0
    for piece in pieces:
        if (piece.span, piece.place) < (span, place):
            continue
        waiting.setdefault((piece.span, piece.place), piece.result)
        while (span, place) in waiting:
            result = waiting.pop((span, place))
            if result is None:
                span, place = span + 1, 0
            else:
                place += 1
                yield result
    if span < spans:
        raise RuntimeError(f"the cluster returned no result {place + 1} of span {span + 1} of {spans}")
