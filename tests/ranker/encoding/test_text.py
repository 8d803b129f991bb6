import numpy as np
import pytest

from ranker.encoding.index import TextIndex
from ranker.encoding.text import Text
from ranker.encoding.vocabulary import HashedVocabulary, Vocabulary

WORDS = [
    "",
    "a",
    "b",
    "ab",
    "a\0",
    "\0",
    "Köln",
    "eight by",
    "eight byt",
    "eight bya",
    "x" * 40,
    "x" * 41,
    "Zürich",
    "日本",
]
ROWS = ["b", None, "Köln", "nowhere", "", "b", "x" * 40, "x" * 1000, "eight bx", None, "a\0\0"]


def test_strings_come_back():
    text = Text.of(ROWS)
    assert (len(text), list(text)) == (len(ROWS), ROWS)
    assert text[np.array([2, 1, 2])].tolist() == ["Köln", None, "Köln"]
    assert Text.of([]).tolist() == []
    assert Text.of([None, None]).tolist() == [None, None]


def test_hashes_are_equal_for_equal_strings_alone():
    text, again = Text.of(WORDS), Text.of(["more before", *WORDS[::-1]])
    here, there = text.hashes(np.arange(len(WORDS))), again.hashes(np.arange(len(WORDS), 0, -1))
    np.testing.assert_array_equal(here, there)
    assert len(set(here.tolist())) == len(WORDS)
    assert not set(here.tolist()) & set(text.hashes(np.arange(len(WORDS)), salt=1).tolist())


def test_equality_is_byte_by_byte():
    places = np.arange(len(WORDS))
    for shift in range(len(WORDS)):
        same = Text.of(WORDS).equals(places, Text.of(WORDS), np.roll(places, shift))
        assert same.tolist() == [shift == 0] * len(WORDS)


def test_every_string_is_found_and_no_other():
    index = TextIndex.of(Text.of(WORDS))
    asked = [*WORDS, "no", "x" * 42, "eight bz", "a\0\0"]
    expected = [*range(len(WORDS)), -1, -1, -1, -1]
    assert index.positions(Text.of(asked)).tolist() == expected
    assert [index.positions_of([word]).tolist() for word in asked] == [[place] for place in expected]
    assert index.positions_of(asked * 5).tolist() == expected * 5
    assert TextIndex.of(Text.of([])).positions(Text.of(["", "a"])).tolist() == [-1, -1]


def test_equal_hashes_are_told_apart(monkeypatch):
    salts = []

    def hashes(text, strings, salt=0):
        salts.append(salt)
        return (strings // (2 if salt < 2 else 1)).astype(np.uint64)

    monkeypatch.setattr(Text, "hashes", hashes)
    index = TextIndex.of(Text.of(["a", "b", "c"]))
    assert salts == [0, 1, 2]
    assert index.positions(Text.of(["a", "c", "c"])).tolist() == [0, -1, 2]  # "c" stands where the hash says "b"


@pytest.mark.parametrize("vocabulary", [Vocabulary("string", WORDS), Vocabulary(None, []), HashedVocabulary(7)])
@pytest.mark.parametrize("rows", [ROWS, [None, None], ["b"], []])
def test_codes_are_those_of_a_list(vocabulary, rows):
    strings = Text.of([row for row in rows if row is not None] * 2)
    known = np.array([row is not None for row in rows], dtype=bool)
    shared = Text(strings.data, strings.offsets, np.where(known, np.cumsum(known) - 1, -1))
    expected = vocabulary.codes(rows, "c")
    np.testing.assert_array_equal(vocabulary.codes(Text.of(rows), "c"), expected)
    np.testing.assert_array_equal(vocabulary.codes(shared, "c"), expected)


def test_a_vocabulary_that_grew_finds_the_new_strings():
    vocabulary = Vocabulary("string", ["a"])
    assert vocabulary.codes(Text.of(["a", "b"]), "c").tolist() == [2, 1]
    vocabulary.add(["b"], "c")
    assert vocabulary.codes(Text.of(["a", "b"]), "c").tolist() == [2, 3]
