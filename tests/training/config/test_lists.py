import pytest

from ranker.schema import Schema
from training.config.lists import check_lists, list_column, with_group_by


def schema(**losses):
    tasks = {name: {"kind": "binary", "rank_loss": loss} for name, loss in losses.items()}
    return Schema.model_validate({"candidate": {"item": {"kind": "categorical"}}, "tasks": tasks})


@pytest.mark.parametrize(
    ("losses", "group_by", "column"),
    [
        ({"click": "softmax"}, "request", "request"),
        ({"click": "softmax", "buy": {"name": "bpr", "group": "session"}}, "request", "session"),
        ({"click": None}, "request", None),
        ({"click": "softmax"}, None, None),
    ],
)
def test_one_column_names_the_lists(losses, group_by, column):
    assert list_column(schema(**losses), group_by) == column


def test_metrics_are_of_the_same_lists_unless_others_are_named():
    config = {"schema": {"tasks": {"click": {"rank_loss": {"name": "bpr", "group": "session"}}}}}
    assert with_group_by(config)["evaluation"] == {"group_by": "session"}
    named = {**config, "evaluation": {"group_by": "user"}}
    assert with_group_by(named) == named


@pytest.mark.parametrize(
    "odd", [None, [], {"schema": 3}, {"schema": {"tasks": ["click"]}}, {"schema": {"tasks": {"click": 1}}}]
)
def test_content_that_is_no_config_is_left_for_its_own_error(odd):
    assert with_group_by(odd) == odd


def test_a_contradiction_names_the_task():
    check_lists(schema(click="softmax"), "request", trainable=True)
    both = schema(click={"name": "softmax", "group": "a"}, buy={"name": "softmax", "group": "b"})
    with pytest.raises(ValueError, match=r"schema.tasks.buy.rank_loss.group: is 'b', and another task's is 'a'"):
        check_lists(both, None, trainable=True)
