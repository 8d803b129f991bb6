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


BINARY = {"kind": "binary"}


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        (
            {"tasks": {"a": {**BINARY, "given": "b"}, "b": {**BINARY, "given": "z"}}},
            r"tasks\.b\.given: 'z' is no other",
        ),
        ({"tasks": {"a": {**BINARY, "given": "a"}}}, r"tasks\.a\.given: 'a' is no other task"),
        (
            {"tasks": {"a": {**BINARY, "given": "b"}, "b": {**BINARY, "given": "c"}, "c": {**BINARY, "given": "b"}}},
            r"tasks\.a\.given: the chain of conditions runs in a circle through 'b'",
        ),
        ({"tasks": {"a": {**BINARY, "mask": "age"}}}, "reads column 'age', which is a task's label or mask"),
        ({"tasks": {"a": {**BINARY, "column": ""}}}, r"tasks\.a\.binary\.column"),
        ({"tasks": {"a b": BINARY}}, "a b"),
        ({"tasks": {"a\n": BINARY}}, "should match pattern"),
        ({"tasks": {"a": {"kind": "regression", "huber_delta": float("inf")}}}, "finite number"),
        ({"tasks": {"a": {"kind": "regression", "huber_delta": 0}}}, "greater than 0"),
        ({"tasks": {"a": {}}}, "kind"),
        ({"candidate": {"item": {"kind": "catgorical"}}}, "'catgorical'.*'categorical'"),
        ({"candidate": {"item": {"kind": "categorical", "hash_buckets": 2**31}}}, "less than or equal to 1073741824"),
        ({"candidate": {"v": {"kind": "dense", "size": 0}}}, "greater than or equal to 1"),
        (
            {"candidate": {"item": {"kind": "categorical"}, "seen": {"kind": "sequence", "shares": "usr"}}},
            r"candidate\.seen\.shares: 'usr' is no categorical feature; did you mean 'user'",
        ),
        ({"candidate_id": "user"}, "candidate_id: 'user' is no categorical candidate feature"),
        ({"label_statistics": {"of": []}}, "at least 1 item"),
        ({"label_statistics": {"of": [[]]}}, "must name one feature or several different ones"),
        ({"label_statistics": {"of": ["tags"]}}, "'tags' is no categorical feature"),
        ({"label_statistics": {"of": ["user", ["user"]]}}, r"\['user'\] is listed twice"),
        ({"label_statistics": {"of": [["user", "item"], ["item", "user"]]}}, r"\['item', 'user'\] is listed twice"),
        ({"label_statistics": {"of": ["user"], "labels": []}}, "at least 1 item"),
        ({"label_statistics": {"of": ["user"], "labels": ["click", "click"]}}, "'click' is listed twice"),
        ({"label_statistics": {"of": ["user"], "fold_by": "click"}}, "fold_by: 'click' is a task's label"),
        ({"label_statistics": {"of": ["user"], "smoothing": 0}}, "greater than 0"),
        ({"label_statistics": {"of": ["user"], "folds": 1}}, "greater than or equal to 2"),
    ],
)
def test_what_is_wrong_is_named(changes, match):
    refused(match, **{"label_statistics": None, **changes})


def test_keys_of_label_statistics():
    statistics = schema_of(label_statistics={"of": ["user", ["user", "item"]]}).label_statistics
    assert statistics.key_features() == (("user",), ("user", "item"))


def test_parents_nearest_first():
    tasks = {"c": {**BINARY, "given": "b"}, "b": {**BINARY, "given": "a"}, "a": BINARY}
    schema = schema_of(tasks=tasks, label_statistics=None)
    assert [list(schema.parents(task)) for task in tasks] == [["b", "a"], ["a"], []]


def test_nothing_changes_afterwards():
    with pytest.raises(ValidationError, match="frozen"):
        schema_of().candidate_id = "user"
