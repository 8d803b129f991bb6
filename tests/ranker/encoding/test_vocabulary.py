import numpy as np
import pytest

from ranker.encoding.columns import ColumnError
from ranker.encoding.vocabulary import HashedVocabulary, Vocabulary, value_type


@pytest.mark.parametrize("spread", [1, 10**12])
def test_integers_have_codes_in_the_order_of_their_first_rows(spread):
    vocabulary = Vocabulary("integer", [])
    assert vocabulary.add(np.array([7, 3, 7]) * spread, "x").tolist() == [2, 3, 2]
    assert vocabulary.add(np.array([9, 3]) * spread, "x").tolist() == [4, 3]
    assert vocabulary.codes([9 * spread, 8, None, -(2**63) + 1, 2**63 - 1], "x").tolist() == [4, 1, 0, 1, 1]
    assert vocabulary.size == 5


def test_strings_keep_every_character():
    vocabulary = Vocabulary("string", [])
    values = ["", "a\0", "a", "é", "e\u0301", None]
    assert vocabulary.add(values, "x").tolist() == [2, 3, 4, 5, 6, 0]
    assert vocabulary.codes([*reversed(values), "new"], "x").tolist() == [0, 6, 5, 4, 3, 2, 1]


def test_a_wrong_type_is_named():
    with pytest.raises(ColumnError, match="column 'x', row 1: 5 is not a string"):
        Vocabulary("string", ["a"]).codes(["a", 5], "x")
    with pytest.raises(ColumnError, match="column 'x', row 1: 'a' is not an integer"):
        Vocabulary("integer", np.array([1])).codes([1, "a"], "x")


def test_hashes_are_the_same_in_every_process():
    # CRC-32 of "123456789" is 0xCBF43926 by the standard's own check value.
    assert HashedVocabulary(1000).codes(["123456789", None], "x").tolist() == [2 + 0xCBF43926 % 1000, 0]
    codes = HashedVocabulary(1000).codes(np.arange(5000), "x")
    assert np.bincount(codes, minlength=1002)[2:].std() < 4  # about sqrt(5), as random draws have


def test_types_are_told_from_values():
    assert value_type([None, "a"]) == "string"
    assert value_type([None, 3]) == "integer"
    assert value_type([None, None]) is None
    assert value_type(np.array([np.nan, 2.0])) == "integer"
