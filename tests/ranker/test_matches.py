"""Errors of ``schema.matches`` name the entry, the value and what would be right."""

import pytest

from ranker.schema import Schema

SEEN = {"kind": "sequence", "shares": "item", "pooling": "none"}


def schema_of(matches, **context) -> Schema:
    return Schema.model_validate(
        {
            "context": {"seen": SEEN, "likes": {"kind": "multi"}, "age": {"kind": "numeric"}, **context},
            "candidate": {"item": {"kind": "categorical"}, "price": {"kind": "numeric"}},
            "tasks": {"click": {"kind": "binary"}},
            "matches": matches,
        }
    )


def test_inputs_are_named_in_order_and_survive_json():
    schema = schema_of([{"of": "item", "in": ["seen", "likes"], "as": ["last", "count"]}])
    names = ["match(item, seen).last", "match(item, seen).count", "match(item, likes).count"]
    assert list(schema.match_inputs) == names
    assert [name for name in schema.inputs if name not in schema.features] == names
    assert {schema.side(name) for name in names} == {"candidate"}
    again = Schema.model_validate(schema.model_dump(mode="json"))
    assert again == schema


@pytest.mark.parametrize(
    ("matches", "told"),
    [
        ([{"of": "price", "in": "seen"}], r"matches\.0\.of: 'price' is not a categorical or multi candidate feature"),
        ([{"of": "item", "in": "sen"}], r"matches\.0\.in: 'sen' is not a sequence or multi context.*mean 'seen'"),
        ([{"of": "item", "in": "age"}], r"matches\.0\.in: 'age' is not a sequence or multi context feature"),
        ([{"of": "item", "in": []}], r"matches\.0\.in: names no list"),
        ([{"of": "item", "in": "seen", "as": ["count", "count"]}], r"matches\.0\.as: 'count' is listed twice"),
        ([{"of": "item", "in": "likes", "as": ["last"]}], r"matches\.0\.as: last needs a sequence, and 'likes'"),
        ([{"of": "item", "in": "seen"}] * 2, r"matches\.1: 'item' in 'seen' is listed twice"),
        ([{"of": "item", "in": "likes"}], r"context\.seen\.pooling: none leaves the list to schema\.matches"),
        ([{"of": "item", "in": "seen", "as": ["often"]}], r"Input should be 'count', 'share' or 'last'"),
    ],
)
def test_errors(matches, told):
    with pytest.raises(ValueError, match=told):
        schema_of(matches)


def test_only_a_list_without_an_embedding_may_share_a_multi_feature():
    with pytest.raises(ValueError, match=r"'likes' is not a categorical feature"):
        schema_of([], seen={**SEEN, "shares": "likes", "pooling": "mean"})
    assert schema_of([{"of": "item", "in": "seen"}], seen={**SEEN, "shares": "likes"}).context["seen"].pooling == "none"
