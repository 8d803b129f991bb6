"""Unsigned ids, and the types of values that the encoder's state keeps."""

import numpy as np
import pytest

from ranker.encoding import ColumnError, EncoderFitter, Ragged, Text, from_state, to_state
from ranker.encoding.columns import integers
from ranker.encoding.declared import as_declared
from ranker.encoding.vocabulary import HashedVocabulary, Vocabulary
from ranker.schema import Schema

HIGH = 2**63 + 7
FORMS = {
    "list": list,
    "array": lambda values: np.array(values, dtype=np.uint64),
    "masked": lambda values: np.ma.MaskedArray(np.array([*values, 2**63], dtype=np.uint64), [0] * len(values) + [1])[
        : len(values)
    ],
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("chunks", [[[5, HIGH], [3]], [[5], [3, HIGH]], [[HIGH], [5, 3]], [[5, 3], [HIGH]]])
def test_a_vocabulary_widens_to_unsigned_in_whatever_order_values_come(form, chunks):
    vocabulary = Vocabulary(None, [])
    codes = {}
    for chunk in chunks:
        codes |= dict(zip(chunk, vocabulary.add(FORMS[form](chunk), "x").tolist(), strict=True))
    assert vocabulary.kind == "unsigned"
    assert sorted(vocabulary.values().tolist()) == [3, 5, HIGH]
    asked = [HIGH, 3, 5, 2**64 - 1]
    expected = [codes[HIGH], codes[3], codes[5], 1]
    assert vocabulary.codes(FORMS[form](asked), "x").tolist() == expected
    assert vocabulary.codes([None, *asked], "x").tolist() == [0, *expected]


@pytest.mark.parametrize("chunks", [["u", "i"], ["i", "u"], ["u"]])
def test_columns_of_unsigned_64_bits_take_larger_ids_later_unless_negative_ones_are_met(chunks):
    forms = {"u": np.array([3, 5], dtype=np.uint64), "i": np.array([3, 7]), "-": np.array([-1, 3])}
    vocabulary = Vocabulary(None, [])
    for chunk in chunks:
        vocabulary.add(forms[chunk], "x")
    assert vocabulary.kind == "unsigned"
    assert vocabulary.codes([3, HIGH], "x").tolist() == [2, 1]
    vocabulary.add(forms["-"], "x")
    assert vocabulary.kind == "integer"
    assert vocabulary.codes([3, -1, -2], "x").tolist()[::2] == [2, 1]


@pytest.mark.parametrize("make", [lambda: Vocabulary(None, []), lambda: HashedVocabulary(1 << 62)])
@pytest.mark.parametrize(
    ("chunks", "value"), [([[-5, 1], [HIGH]], HIGH), ([[HIGH], [-5]], -5), ([[HIGH, -5]], -5), ([[2**63]], 2**63)]
)
def test_negative_ids_beside_large_ones_are_refused(make, chunks, value):
    coder = make()
    for chunk in chunks[:-1]:
        coder.add(chunk, "x")
    with pytest.raises(ColumnError) as caught:
        coder.add(chunks[-1], "x")
    assert caught.value.value == value
    assert caught.value.row == chunks[-1].index(value)


def test_hashes_of_unsigned_ids_do_not_depend_on_the_form():
    hashed = HashedVocabulary(1 << 40)
    codes = hashed.add([5, None], "x").tolist()
    assert hashed.add([HIGH], "x").tolist() == hashed.codes(np.array([HIGH], dtype=np.uint64), "x").tolist()
    assert hashed.kind == "unsigned"
    assert hashed.codes(np.array([5], dtype=np.uint64), "x").tolist() == codes[:1]
    with pytest.raises(ColumnError, match="-1 is not an integer from 0"):
        hashed.codes([-1], "x")


@pytest.mark.parametrize(
    ("kind", "bound"), [(np.float16, 2**11), (np.float32, 2**24), (np.float64, 2**53), (float, 2**53)]
)
def test_a_float_is_an_id_only_where_no_other_integer_shares_it(kind, bound):
    exact = [kind(bound - 1), kind(1 - bound), kind("nan")]
    for column in (exact, np.array(exact, dtype=kind)):
        assert integers(column, "x").tolist() == [bound - 1, 1 - bound, -(2**63)]
    for column in ([kind(1), kind(bound)], np.array([1, bound], dtype=kind)):
        with pytest.raises(ColumnError, match=r"row 1: .* write ids as integers or as text") as caught:
            integers(column, "x")
        assert caught.value.value == bound


def test_declared_unsigned_ids_as_text():
    for column in (Text.of([str(HIGH), None]), [str(HIGH), None], np.ma.MaskedArray([np.uint64(HIGH)] * 2, [0, 1])):
        assert as_declared(column, "x", "string" if isinstance(column, np.ndarray) else "unsigned")[:1] is not None
        vocabulary = Vocabulary(None, [], "unsigned")
        assert vocabulary.add(column, "x").tolist() == [2, 0]
        assert vocabulary.values().tolist() == [HIGH]
    assert list(as_declared(np.array([HIGH], dtype=np.uint64), "x", "string")) == [str(HIGH)]


SCHEMA = Schema.model_validate(
    {
        "context": {"history": {"kind": "sequence", "shares": "item"}},
        "candidate": {
            "item": {"kind": "categorical", "type": "string"},
            "shop": {"kind": "categorical", "hash_buckets": 1000},
            "big": {"kind": "categorical"},
            "when": {"kind": "numeric"},
        },
        "tasks": {"click": {"kind": "binary"}},
    }
)
WHEN = np.array(["2024-01-01", "NaT", "2024-01-03"], dtype="datetime64[us]")
ROWS = {
    "history": Ragged([7, "8"], np.array([0, 1, 2, 2])),
    "item": np.array([7, 8, 9]),
    "shop": Text.of(["a", "b", None]),
    "big": np.array([1, 2**63 + 1, 2], dtype=np.uint64),
    "when": WHEN,
}


def fitted(*chunks):
    fitter = EncoderFitter(SCHEMA)
    for chunk in chunks:
        fitter.add(chunk, np.zeros((3, 1)), np.ones((3, 1), dtype=bool), np.zeros(3, dtype=np.int64))
    return fitter.fitted()


def test_types_are_kept_in_the_state():
    encoder = fitted(ROWS)
    state, arrays = to_state(encoder)
    again = from_state(SCHEMA, state, arrays)
    assert again.temporal == frozenset({"when"})
    kinds = {name: again.encodings[name].coder.kind for name in ("item", "shop", "big")}
    assert kinds == {"item": "string", "shop": "string", "big": "unsigned"}
    text = {**ROWS, "item": ["7", "8", "9"], "history": [["7"], [8], None], "big": [1, 2**63 + 1, 2]}
    for ours, theirs in zip(encoder.encode(ROWS, ROWS), again.encode(text, text), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert encoder.encode(ROWS, ROWS).context_ids[:, 0].min() == 0
    assert len(set(encoder.encode(ROWS, ROWS).context_ids.ravel().tolist())) == 3  # nothing, and two known items


def test_an_encoder_of_before_names_no_hash_and_keeps_its_own():
    state, arrays = to_state(fitted(ROWS))
    old = {name: dict(saved) for name, saved in state["coders"].items()}
    old["shop"].pop("hash")
    encoder = from_state(SCHEMA, {**state, "coders": old, "times": {}}, arrays)
    assert encoder.temporal == frozenset()
    # CRC-32 of "123456789" is 0xCBF43926 by the standard's own check value.
    assert encoder.encodings["shop"].coder.codes(["123456789"], "shop").tolist() == [2 + 0xCBF43926 % 1000]
    assert to_state(encoder)[0]["coders"]["shop"]["hash"] == "crc32"
    old["shop"]["hash"] = "md5"
    with pytest.raises(ValueError, match="'shop' uses the hash 'md5', which this version of ranker does not support"):
        from_state(SCHEMA, {**state, "coders": old}, arrays)


@pytest.mark.parametrize("name", ["item", "shop", "big", "when"])
def test_a_list_where_one_value_is_due_names_its_row(name):
    lists = Ragged(np.array([1, 2]), np.array([0, 0, 2, 2]))
    with pytest.raises(ColumnError, match=rf"column '{name}', row 1: \[1, 2\] is not one (id|number) per row"):
        fitted({**ROWS, name: lists})
    encoder = fitted(ROWS)
    with pytest.raises(ColumnError, match=rf"column '{name}', row 1: \[1, 2\] is not"):
        encoder.encode(ROWS, {**ROWS, name: lists})


def test_text_hashes_are_of_64_bits():
    hashed = HashedVocabulary(1 << 62)
    assert len(set(hashed.codes(["plumless", "buckeroo"], "x").tolist())) == 2  # of one CRC-32
    assert hashed.codes(Text.of(["plumless", None]), "x").tolist() == [*hashed.codes(["plumless"], "x").tolist(), 0]
