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
        ({"tasks": {"a": {"kind": "binary", "given": "b"}}}, "'b' is not another task"),
        (
            {"tasks": {"a": {"kind": "binary", "given": "b"}, "b": {"kind": "binary", "given": "a"}}},
            "has a cycle",
        ),
        (
            {"tasks": {"a": {"kind": "regression"}, "b": {"kind": "binary", "given": "a"}}},
            "'a' is not a binary task",
        ),
        ({"candidate_id": "itm"}, "did you mean 'item'"),
        ({"context": {"item": {"kind": "categorical"}}}, "under both context and candidate"),
        ({"context": {"history": {"kind": "sequence", "shares": "tags"}}}, "'tags' is not a categorical feature"),
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
            r"tasks\.b\.given: 'z' is not another",
        ),
        ({"tasks": {"a": {**BINARY, "given": "a"}}}, r"tasks\.a\.given: 'a' is not another task"),
        (
            {"tasks": {"a": {**BINARY, "given": "b"}, "b": {**BINARY, "given": "c"}, "c": {**BINARY, "given": "b"}}},
            r"tasks\.a\.given: the chain of conditions has a cycle through 'b'",
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
            r"candidate\.seen\.shares: 'usr' is not a categorical feature; did you mean 'user'",
        ),
        ({"candidate_id": "user"}, "candidate_id: 'user' is not a categorical candidate feature"),
        ({"label_statistics": {"of": []}}, "at least 1 item"),
        ({"label_statistics": {"of": [[]]}}, "must name one feature or several different ones"),
        ({"label_statistics": {"of": ["tags"]}}, "'tags' is not a categorical feature"),
        ({"label_statistics": {"of": ["user", ["user"]]}}, r"\['user'\] is listed twice"),
        ({"label_statistics": {"of": [["user", "item"], ["item", "user"]]}}, r"\['item', 'user'\] is listed twice"),
        ({"label_statistics": {"of": ["user"], "labels": []}}, "at least 1 item"),
        ({"label_statistics": {"of": ["user"], "labels": ["click", "click"]}}, "'click' is listed twice"),
        ({"label_statistics": {"of": ["user"], "fold_by": "click"}}, "fold_by: 'click' is a task's label"),
        ({"label_statistics": {"of": ["user"], "smoothing": 0}}, "greater than 0"),
        ({"label_statistics": {"of": ["user"], "folds": 1}}, "greater than or equal to 2"),
        ({"label_statistics": {"of": ["user"], "windows": [0]}}, "greater than or equal to 1"),
        ({"label_statistics": {"of": ["user"], "windows": [3, 3]}}, "label_statistics.windows: 3 is listed twice"),
        ({"label_statistics": {"of": ["user"], "half_lives": [0]}}, "greater than 0"),
        ({"label_statistics": {"of": ["user"], "half_lives": [2, 2.0]}}, "half_lives: 2 is listed twice"),
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


WATCHED = {"kind": "regression", "label": "min(watch / length, 1)"}


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"tasks": {"a": {**BINARY, "column": "b", "label": "c"}}}, "set column or label, not both"),
        ({"tasks": {"a": {**BINARY, "label": "c *"}}}, r"'c \*' is not a valid formula: invalid syntax at character 4"),
        ({"tasks": {"a": {**BINARY, "label": "1 + 1"}}}, "reads no column of the log"),
        ({"tasks": {"a": {**BINARY, "weight": "lg(c)"}}}, r"'lg' at character 1 .* did you mean 'log'"),
        ({"tasks": {"a": {**BINARY, "positive_weight": 0}}}, "greater than 0"),
        ({"tasks": {"a": {"kind": "regression", "positive_weight": 2}}}, "unknown key 'positive_weight'"),
        ({"tasks": {"a": BINARY}, "sample_weight": "a +"}, "is not a valid formula"),
        (
            {"tasks": {"a": WATCHED}},
            r"feature 'length' reads column 'length', which tasks\.a \(min\(watch / length, 1\)\) is computed from.*"
            r"known_before: \[length\]",
        ),
        ({"tasks": {"a": {**BINARY, "weight": "1 + age"}}}, r"feature 'age' .* tasks\.a \(1 \+ age\) is computed from"),
        ({"tasks": {"a": BINARY}, "sample_weight": "1 + age"}, r"feature 'age' .* sample_weight \(1 \+ age\)"),
        (
            {"tasks": {"a": WATCHED}, "known_before": ["lenght"]},
            "known_before: 'lenght' is not a column of a label's or a weight's formula; did you mean 'length'",
        ),
        (
            {"tasks": {"a": WATCHED, "watch": {"kind": "regression"}}, "known_before": ["watch", "length"]},
            "known_before: 'watch' is a task's label or mask",
        ),
        (
            {"tasks": {"a": {**BINARY, "weight": "day"}}, "label_statistics": {"of": ["user"], "fold_by": "day"}},
            "fold_by: 'day' is a task's label or mask, or a formula's column that known_before does not list",
        ),
        (
            {"tasks": {"a": {"kind": "regression", "loss": "weighted_logistic", "transform": "log1p"}}},
            "leave out transform: log1p",
        ),
        ({"tasks": {"a": {"kind": "regression", "negatives": "zeros"}}}, "applies to loss: weighted_logistic only"),
        (
            {
                "tasks": {
                    "a": {"kind": "regression", "loss": "weighted_logistic", "negatives": "zeros", "given": "b"},
                    "b": BINARY,
                }
            },
            "the odds would be unbounded",
        ),
    ],
)
def test_formulas_that_do_not_fit_are_refused(changes, match):
    refused(match, **{"label_statistics": None, **changes})


def test_what_is_known_before_may_be_a_feature_and_in_a_formula():
    schema = schema_of(
        tasks={"a": WATCHED, "b": {**BINARY, "weight": "where(b == 1, log1p(watch), age)"}},
        sample_weight="1 / day",
        known_before=["length", "age", "day"],
        label_statistics={"of": ["user"], "fold_by": "day"},
    )
    assert Schema.model_validate_json(schema.model_dump_json()) == schema


def test_a_task_with_a_formula_leaves_the_column_of_its_name_alone():
    schema_of(tasks={"quality": {**BINARY, "label": "like"}}, label_statistics=None, candidate={
        "item": {"kind": "categorical"}, "q": {"kind": "numeric", "column": "quality"}
    }, context={})  # fmt: skip
