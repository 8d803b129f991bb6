import numpy as np
import pytest

from ranker.encoding import ColumnError, encode_labels, label_columns
from ranker.schema import Schema

SCHEMA = Schema.model_validate(
    {
        "candidate": {"item": {"kind": "categorical"}},
        "tasks": {
            "buy": {"kind": "binary", "given": "cart"},
            "cart": {"kind": "binary", "given": "click"},
            "click": {"kind": "binary"},
            "rating": {"kind": "regression", "mask": "rated"},
        },
    }
)
COLUMNS = {
    "click": [1, 1, 0, None],
    "cart": [1, None, None, 1],
    "buy": [1, 0, 1, 1],
    "rating": [4.5, 2.0, None, 3.0],
    "rated": [1, 0, 1, 1],
}


def test_labels_of_chained_conditions_and_a_mask():
    labels = encode_labels(SCHEMA, COLUMNS)
    np.testing.assert_array_equal(labels.values, [[1, 1, 1, 4.5], [0, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 3]])
    np.testing.assert_array_equal(labels.known.astype(int), [[1, 1, 1, 1], [0, 0, 1, 0], [1, 1, 1, 0], [0, 0, 0, 1]])
    assert label_columns(SCHEMA) == ["buy", "cart", "click", "rating", "rated"]


@pytest.mark.parametrize(
    ("column", "value", "expected"), [("click", 2, r"label in \{0, 1\}"), ("rated", 0.5, "mask in")]
)
def test_invalid_labels_and_masks_are_reported(column, value, expected):
    with pytest.raises(ColumnError, match=rf"column '{column}', row 2: .* is not a {expected}"):
        encode_labels(SCHEMA, {**COLUMNS, column: [1, 1, value, 1]})


def test_the_logarithm_requires_values_of_at_least_0():
    schema = Schema.model_validate(
        {
            "candidate": {"item": {"kind": "categorical"}},
            "tasks": {"watch": {"kind": "regression", "transform": "log1p"}},
        }
    )
    with pytest.raises(ColumnError, match=r"-1\.0 is not a value of at least 0"):
        encode_labels(schema, {"watch": [3.0, -1.0]})


def encoded(tasks, **columns):
    schema = Schema.model_validate({"candidate": {"item": {"kind": "categorical"}}, "tasks": tasks})
    return encode_labels(schema, columns)


@pytest.mark.parametrize(
    "column", [[1, None, 0], [True, None, False], [1.0, float("nan"), 0.0], np.ma.MaskedArray([1, 9, 0], [0, 1, 0])]
)
def test_labels_of_every_form(column):
    labels = encoded({"click": {"kind": "binary"}}, click=column)
    assert labels.values[:, 0].tolist() == [1, 0, 0]
    assert labels.known[:, 0].tolist() == [True, False, True]


def test_values_where_a_mask_is_0_are_not_checked():
    tasks = {
        "click": {"kind": "binary", "mask": "shown"},
        "watch": {"kind": "regression", "transform": "log1p", "given": "click"},
    }
    labels = encoded(tasks, click=[-1, 0, 1], shown=[0, 1, 1], watch=[None, 0, 5])
    np.testing.assert_array_equal(labels.values, [[0, 0], [0, 0], [1, 5]])
    np.testing.assert_array_equal(labels.known, [[False, False], [True, True], [True, True]])


@pytest.mark.parametrize("parent", [0, None])
@pytest.mark.parametrize(
    ("task", "value", "told"),
    [
        ({"kind": "binary"}, -1, r"-1\.0 is not a label in \{0, 1\}"),
        ({"kind": "binary"}, 2, r"2\.0 is not a label in \{0, 1\}"),
        ({"kind": "regression", "transform": "log1p"}, -1, r"-1\.0 is not a value of at least 0"),
    ],
)
def test_an_invalid_label_is_rejected_even_if_its_condition_is_not_1(task, value, told, parent):
    tasks = {"click": {"kind": "binary"}, "y": {**task, "given": "click", "mask": "shown"}}
    columns = {"click": [1, parent], "y": [1, value]}
    with pytest.raises(ColumnError, match=rf"column 'y', row 1: {told}.*'click' \(tasks.y.given\) is not 1 there"):
        encoded(tasks, **columns, shown=[1, 1])
    assert encoded(tasks, **columns, shown=[1, 0]).values[:, 1].tolist() == [1, 0]


def test_a_label_is_unknown_if_its_mask_is_0_or_its_condition_is_unknown():
    tasks = {"buy": {"kind": "binary", "given": "click", "mask": "paid"}, "click": {"kind": "binary"}}
    labels = encoded(tasks, click=[1, 1, 0, None], buy=[1, 1, 1, 1], paid=[1, 0, 0, 1])
    np.testing.assert_array_equal(labels.values[:, 0], [1, 0, 0, 0])
    np.testing.assert_array_equal(labels.known[:, 0], [True, False, True, False])


@pytest.mark.parametrize(
    ("columns", "text"),
    [
        ({"click": [1, "1"], "seen": [1, 1]}, r"column 'click', row 1: '1' is not a number"),
        ({"click": [1, 0], "seen": [1, None]}, r"column 'seen', row 1: nan is not a mask in \{0, 1\}"),
        ({"click": [1, 0]}, r"column 'seen', row 0: None is not a value; the column is missing"),
        ({"click": [1, 0], "seen": [1]}, r"column 'seen', row 1: None is not a value; other columns have 2 rows"),
        ({"click": [1, float("inf")], "seen": [1, 1]}, r"column 'click', row 1: inf is not a finite number"),
    ],
)
def test_invalid_label_columns_are_rejected(columns, text):
    with pytest.raises(ColumnError, match=text):
        encoded({"click": {"kind": "binary", "mask": "seen"}}, **columns)


def test_no_rows():
    labels = encoded({"click": {"kind": "binary"}, "like": {"kind": "binary"}}, click=[], like=np.array([]))
    assert labels.values.shape == labels.known.shape == (0, 2)


FORMULAS = {
    "engaged": {"kind": "binary", "label": "click and (watch > 10 or like)"},
    "seen": {"kind": "binary", "label": "click * (watch > 10)"},
    "share": {"kind": "regression", "label": "min(watch / length, 1)"},
}


def test_labels_that_are_formulas():
    labels = encoded(
        FORMULAS,
        click=[1, 1, 0, None],
        like=[1, 0, None, 0],
        watch=[5, 20, None, 3],
        length=np.array([10, 10, 10, 0.0]),
    )
    np.testing.assert_array_equal(labels.known, [[True] * 3, [True] * 3, [True, False, False], [True, False, True]])
    np.testing.assert_array_equal(labels.values, [[1, 0, 0.5], [1, 1, 1], [0, 0, 0], [0, 0, 1]])


def test_columns_of_formulas_are_read():
    schema = Schema.model_validate({"candidate": {"item": {"kind": "categorical"}}, "tasks": FORMULAS})
    assert label_columns(schema) == ["click", "watch", "like", "length"]


def test_formulas_under_conditions_and_masks():
    tasks = {
        "ratio": {"kind": "regression", "label": "watch / length", "given": "click", "mask": "measured"},
        "click": {"kind": "binary"},
    }
    labels = encoded(tasks, click=[1, 1, 0], measured=[1, 0, 1], watch=[4, 4, 4], length=[2, 0, 0])
    np.testing.assert_array_equal(labels.values[:, 0], [2, 0, 0])  # no division by 0 that counts
    np.testing.assert_array_equal(labels.known[:, 0], [True, False, True])


@pytest.mark.parametrize(
    ("task", "match"),
    [
        (
            {"kind": "binary", "label": "click / 2"},
            r"column 'click / 2', row 0: 0\.5 is not a label in \{0, 1\} \(tasks\.y\.label\)",
        ),
        ({"kind": "regression", "label": "1 / (click - 1)"}, r"row 0: inf is not a finite number \(tasks\.y\.label\)"),
        ({"kind": "regression", "label": "0 * log(click)"}, r"row 1: nan is not a finite number"),
        (
            {"kind": "regression", "label": "-click", "loss": "weighted_logistic"},
            r"row 0: -1\.0 is not a value of at least 0, as weighted_logistic needs \(tasks\.y\.label\)",
        ),
        ({"kind": "regression", "label": "clik"}, "column 'clik', row 0: None is not a value; the column is missing"),
    ],
)
def test_invalid_results_of_formulas_are_rejected(task, match):
    with pytest.raises(ColumnError, match=match):
        encoded({"y": task}, click=[1, 0])


CONTRADICTING = {"cart": [0, 0, 1, None, 1], "buy": [1, 0, 1, 1, None]}


@pytest.mark.parametrize(
    ("meant", "known", "dropped"),
    [
        (None, [True, True, True, False, False], []),
        ("keep", [True, True, True, False, False], []),
        ("mask", [False, True, True, False, False], []),
        ("drop", [True, True, True, False, False], [0]),
    ],
)
def test_labels_that_contradict_their_condition(meant, known, dropped):
    tasks = {"cart": {"kind": "binary"}, "buy": {"kind": "binary", "given": "cart", "given_conflicts": meant}}
    labels = encoded(tasks, **CONTRADICTING)
    assert labels.conflicts.tolist() == [[False, True], *[[False, False]] * 4]
    assert labels.values[:, 1].tolist() == [0, 0, 1, 0, 0]
    assert labels.known[:, 1].tolist() == known
    assert np.flatnonzero(labels.dropped).tolist() == dropped
    assert labels.at(np.array([0, 1, 0, 0, 1], dtype=bool)).known.tolist() == [[True, True], [True, False]]


def test_masked_and_undefined_labels_are_not_conflicts():
    tasks = {
        "click": {"kind": "binary"},
        "watch": {"kind": "regression", "given": "click", "mask": "measured"},
        "ratio": {"kind": "regression", "label": "watch / length", "given": "click"},
    }
    labels = encoded(tasks, click=[0, 0, 0, 0], watch=[3, 3, None, 0], measured=[1, 0, 1, 1], length=[1, 0, 1, 0])
    assert labels.conflicts[:, 1].tolist() == [True, False, False, False]
    assert labels.conflicts[:, 2].tolist() == [True, False, False, False]


def test_a_masked_conflict_masks_later_tasks_in_the_chain():
    tasks = {
        "click": {"kind": "binary"},
        "cart": {"kind": "binary", "given": "click", "given_conflicts": "mask"},
        "buy": {"kind": "binary", "given": "cart"},
    }
    labels = encoded(tasks, click=[0, 0], cart=[1, 0], buy=[1, 0])
    assert labels.known.tolist() == [[True, False, False], [True, True, True]]
    assert not labels.conflicts[:, 2].any()


def test_given_conflicts_requires_given():
    with pytest.raises(ValueError, match="given_conflicts handles labels that contradict `given`"):
        encoded({"buy": {"kind": "binary", "given_conflicts": "drop"}}, buy=[1])
