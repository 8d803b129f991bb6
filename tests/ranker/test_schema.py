import pytest
from pydantic import ValidationError

from ranker.schema import Schema
from tests.ranker.conftest import schema_of


def refused(match, **changes):
    with pytest.raises(ValidationError, match=match):
        schema_of(**changes)


def test_order_sides_and_columns():
    schema = schema_of()
    assert list(schema.features)[:4] == ["user", "city", "age", "history"]
    assert schema.side("user") == "context"
    assert schema.side("item") == "candidate"
    assert schema.column("length_bucket") == "length"
    assert schema.input_columns() == ["user", "city", "age", "history", "item", "tags", "length", "vector"]
    assert list(schema.parents("buy")) == ["click"]


def test_it_survives_json():
    schema = schema_of()
    assert Schema.model_validate_json(schema.model_dump_json()) == schema


def test_a_misspelt_key_is_named_with_the_nearest():
    refused(
        "unknown key 'dimention'; did you mean 'dimension'", context={"user": {"kind": "categorical", "dimention": 3}}
    )


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"candidate": {}}, "all candidates of a request would get the same scores"),
        ({"tasks": {}}, "at least 1 item"),
        (
            {
                "tasks": {"usr": {"kind": "binary", "column": "y"}},
                "context": {"usr": {"kind": "numeric", "column": "z"}},
            },
            "'usr' is both a feature and a task",
        ),
        ({"tasks": {"a": {"kind": "binary", "column": "age"}}}, "reads column 'age', which is a task's label"),
        ({"tasks": {"a": {"kind": "binary", "given": "b"}}}, "'b' is no other task"),
        (
            {"tasks": {"a": {"kind": "binary", "given": "b"}, "b": {"kind": "binary", "given": "a"}}},
            "runs in a circle",
        ),
        (
            {"tasks": {"a": {"kind": "regression"}, "b": {"kind": "binary", "given": "a"}}},
            "'a' is not a binary task",
        ),
        ({"candidate_id": "itm"}, "did you mean 'item'"),
        ({"context": {"item": {"kind": "categorical"}}}, "under both context and candidate"),
        ({"context": {"history": {"kind": "sequence", "shares": "tags"}}}, "'tags' is no categorical feature"),
        ({"label_statistics": {"of": ["usr"]}}, "did you mean 'user'"),
        ({"label_statistics": {"of": [["user", "user"]]}}, "must name one feature or several different ones"),
        ({"label_statistics": {"of": ["user"], "labels": ["clik"]}}, "did you mean 'click'"),
        ({"context": {"user": {"kind": "categorical", "hash_buckets": 9, "min_count": 2}}}, "excludes min_count"),
    ],
)
def test_what_does_not_fit_is_refused(changes, match):
    refused(match, **{"label_statistics": None, **changes})


def test_nothing_changes_afterwards():
    with pytest.raises(ValidationError, match="frozen"):
        schema_of().candidate_id = "user"
