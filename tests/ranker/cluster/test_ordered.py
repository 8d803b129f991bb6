import random

import pytest

from ranker.cluster.ordered import Piece, ordered

PIECES = [Piece(s, p, f"{s}.{p}") for s, n in enumerate((3, 0, 1, 4)) for p in range(n)]
ENDS = [Piece(s, n, None) for s, n in enumerate((3, 0, 1, 4))]


@pytest.mark.parametrize("seed", range(20))
def test_results_come_in_order_once_however_often_they_were_computed(seed):
    pieces = [*PIECES, *ENDS]
    random.Random(seed).shuffle(pieces)
    again = random.Random(seed).choices(pieces, k=9)
    for place, piece in enumerate(again):
        pieces.insert(place * 2, piece)
    assert list(ordered(pieces, 4)) == [piece.result for piece in PIECES]


def test_results_are_not_held_back():
    found = ordered(iter([PIECES[0], PIECES[1]]), 4)
    assert next(found) == "0.0"
    assert next(found) == "0.1"


@pytest.mark.parametrize("lost", [0, 2, 3, 7])
def test_a_missing_result_is_an_error(lost):
    pieces = [piece for piece in [*PIECES, *ENDS] if piece != PIECES[lost]]
    with pytest.raises(RuntimeError, match="returned no result"):
        list(ordered(pieces, 4))
    with pytest.raises(RuntimeError, match="result 5 of span 4 of 4"):
        list(ordered([*PIECES, *ENDS[:-1]], 4))
