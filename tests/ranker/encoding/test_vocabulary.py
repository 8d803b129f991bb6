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
    assert HashedVocabulary(1000).codes(["123456789", None], "x").tolist() == [404, 0]
    # CRC-32 of "123456789" is 0xCBF43926 by the standard's own check value.
    old = HashedVocabulary(1000, hashed_by="crc32")
    assert old.codes(["123456789", None], "x").tolist() == [2 + 0xCBF43926 % 1000, 0]
    codes = HashedVocabulary(1000).codes(np.arange(5000), "x")
    assert np.bincount(codes, minlength=1002)[2:].std() < 4  # about sqrt(5), as random draws have


def test_types_are_told_from_values():
    assert value_type([None, "a"]) == "string"
    assert value_type([None, 3]) == "integer"
    assert value_type([None, None]) is None
    assert value_type(np.array([np.nan, 2.0])) == "integer"


@pytest.mark.parametrize(
    "column",
    [[], [None], np.array([]), np.array([], dtype=np.int64), np.full(2, np.nan), np.ma.MaskedArray([1, 2], mask=True)],
)
def test_no_value_no_type(column):
    assert value_type(column) is None


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        (np.array([float("nan"), "a"], dtype=object), "string"),
        (np.ma.MaskedArray(["a", "b"], mask=[1, 0]), "string"),
        (np.array(["a"]), "string"),
        (np.ma.MaskedArray([1, 2], mask=[1, 0]), "integer"),
        ([True], "integer"),
        (np.array([True]), "integer"),
        ([[1]], "integer"),  # and no integer, as reading it will say
    ],
)
def test_types_of_every_form(column, kind):
    assert value_type(column) == kind


def test_without_a_type_every_value_is_unseen():
    vocabulary = Vocabulary(None, [])
    assert vocabulary.size == 2
    assert vocabulary.codes([5, None], "x").tolist() == [1, 0]
    assert vocabulary.codes(["a", None], "x").tolist() == [1, 0]
    assert vocabulary.codes([None], "x").tolist() == [0]


@pytest.mark.parametrize("step", [1, 10**9])
def test_integers_of_every_form_have_one_code(step):
    vocabulary = Vocabulary("integer", np.arange(100) * step)
    values = [0, 3 * step, None, step + 7000, -step]
    expected = [2, 5, 0, 1, 1]
    floats = np.array([np.nan if v is None else v for v in values])
    masked = np.ma.MaskedArray([0 if v is None else v for v in values], mask=[v is None for v in values])
    for column in (values, tuple(values), floats, floats.tolist(), masked, np.array(values, dtype=object)):
        assert vocabulary.codes(column, "x").tolist() == expected


def test_growth_is_seen_by_later_lookups():
    vocabulary = Vocabulary("integer", np.array([10, 20]))
    assert vocabulary.codes([10, 30], "x").tolist() == [2, 1]
    assert vocabulary.add([30, None, 10], "x").tolist() == [4, 0, 2]
    assert vocabulary.codes([10, 30, None], "x").tolist() == [2, 4, 0]
    assert vocabulary.values().tolist() == [10, 20, 30]


@pytest.mark.parametrize("unhashable", [["a"], {"a": 1}])
def test_a_value_that_cannot_be_looked_up_is_named(unhashable):
    with pytest.raises(ColumnError, match=r"row 1: .* is not a string"):
        Vocabulary("string", ["a"]).codes(["a", unhashable], "x")


def test_hashes_of_odd_text_and_edge_integers():
    hashed = HashedVocabulary(7)
    text = hashed.codes(["", "\0", "a\0", "\ud800", "\U0001f600", None], "x")
    whole = hashed.codes([2**63 - 1, -(2**63) + 1, 0, None], "x")
    for codes in (text, whole):
        assert codes[-1] == 0
        assert ((codes[:-1] >= 2) & (codes[:-1] < hashed.size)).all()
    assert len(set(HashedVocabulary(10**6).codes(["a", "a\0", "A", "a "], "x").tolist())) == 4


def test_a_hashed_feature_keeps_to_its_type():
    with pytest.raises(ColumnError, match="row 0: 5 is not a string"):
        HashedVocabulary(7, "string").codes([5], "x")
    with pytest.raises(ColumnError, match="row 0: '5' is not an integer"):
        HashedVocabulary(7, "integer").codes(["5"], "x")
