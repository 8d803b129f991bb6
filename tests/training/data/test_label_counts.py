import numpy as np
import pytest

from ranker.encoding import encode_labels
from ranker.log_files.log_reader import DataError
from ranker.schema import Schema
from training.data.label_counts import LabelCounts

CLICK = {"kind": "binary"}


def counted(tasks, **columns):
    schema = Schema.model_validate({"candidate": {"item": {"kind": "categorical"}}, "tasks": tasks})
    counts = LabelCounts(schema)
    for part in (slice(None, 3), slice(3, None)):
        counts.add(encode_labels(schema, {name: np.asarray(values)[part] for name, values in columns.items()}))
    return counts


def carts(conflicts, rows=1000, **buy):
    cart, bought = np.ones(rows), np.ones(rows)
    cart[:conflicts] = 0
    bought[-10:] = 0
    cart[-5:] = 0
    return counted({"cart": CLICK, "buy": {**CLICK, "given": "cart", **buy}}, cart=cart, buy=bought)


def test_many_contradictions_are_refused_with_what_can_be_done():
    counts = carts(conflicts=500)
    assert counts.conflicts_of() == {"buy": 500}
    with pytest.raises(DataError) as refused:
        counts.check_conflicts()
    for part in (
        "tasks.buy: the label (column 'buy') is 1 in 990 rows, and in 500 of them (50.5%) the label of 'cart'",
        "write tasks.cart.label: max(cart, buy)",
        "tasks.buy.given_conflicts: drop (leave these rows out), mask (the label is unknown there) or keep",
    ):
        assert part in str(refused.value)


@pytest.mark.parametrize("meant", ["drop", "mask", "keep"])
def test_what_is_meant_is_said_back(meant):
    (line,) = carts(conflicts=500, given_conflicts=meant).check_conflicts()
    assert "990 rows, and in 500 of them" in line
    assert f"given_conflicts: {meant}" in line


def test_few_contradictions_are_said_and_none_are_not():
    (line,) = carts(conflicts=9).check_conflicts()
    assert "in 9 of them (0.9%)" in line
    assert "they count as 0" in line
    assert carts(conflicts=0).check_conflicts() == []


@pytest.mark.parametrize(
    ("task", "values", "why"),
    [
        (CLICK, [None, None, None, None], "no label is known"),
        ({"kind": "regression"}, [None, None, None, None], "no label is known"),
        (CLICK, [0, 0, None, 0], "no label is 1"),
        (CLICK, [1, None, 1, 1], "every known label is 1"),
        ({"kind": "regression", "loss": "weighted_logistic"}, [0, 0, None, 0], "no label is above 0"),
    ],
)
def test_a_task_with_nothing_to_learn_is_named_with_its_column(task, values, why):
    columns = {"seen": np.array(values, dtype=float), "shown": np.array([1, 1, 1, 1])}
    counts = counted({"y": {**task, "column": "seen", "mask": "shown"}}, **columns)
    with pytest.raises(
        DataError, match=rf"tasks\.y: {why} in the 4 training rows \(column 'seen', where 'shown' is 1\)"
    ):
        counts.check_learnable()


def test_an_amount_is_known_only_where_it_is_told_itself():
    tasks = {"click": CLICK, "watch": {"kind": "regression", "given": "click"}}
    click, nothing = np.array([1, 0, 0, 1]), np.full(4, np.nan)
    with pytest.raises(DataError, match=r"tasks\.watch: no label is known"):
        counted(tasks, click=click, watch=nothing).check_learnable()
    counted(tasks, click=click, watch=np.array([5, np.nan, 0, np.nan])).check_learnable()


def test_tasks_with_labels_of_both_classes_or_of_any_amount_can_learn():
    columns = {"y": np.array([0, 1, 0, 0]), "amount": np.zeros(4)}
    counted({"y": CLICK, "amount": {"kind": "regression"}}, **columns).check_learnable()


def test_a_formula_is_suggested_only_of_plain_columns():
    columns = {"cart": np.zeros(4), "buy": np.ones(4)}
    counts = counted({"cart": {**CLICK, "label": "cart > 0"}, "buy": {**CLICK, "given": "cart"}}, **columns)
    with pytest.raises(DataError, match=r"is 0\. If tasks\.buy does not need 'cart' first, remove `given`"):
        counts.check_conflicts()
