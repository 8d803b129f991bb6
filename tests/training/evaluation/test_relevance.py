import numpy as np
import pytest

from ranker.log_files.log_reader import DataError
from training.config.metric_names import parse_relevance
from training.evaluation.relevance import check_relevance, relevance_columns

LABELS = np.array([[1.0, 7.0], [0.0, 0.0], [1.0, 3.0]], dtype=np.float32)
KNOWN = np.array([[1, 1], [1, 0], [1, 1]], dtype=bool)
COLUMNS = {"price": [10, None, 30], "city": ["Bern", None, "Köln"], "click": [9, 9, 9]}


def values(text):
    formulas = parse_relevance("--relevance", [f"rel = {text}"], {})
    found = relevance_columns(formulas, ("click", "watch"), LABELS, KNOWN, COLUMNS)
    return formulas, found


def test_a_tasks_label_comes_before_a_column_and_is_null_where_unknown():
    np.testing.assert_array_equal(values("5*click + watch")[1]["rel"], [12, np.nan, 8])
    np.testing.assert_array_equal(values("coalesce(price, 1) * click")[1]["rel"], [10, 0, 30])
    np.testing.assert_array_equal(values('click * coalesce(city == "Bern", 0)')[1]["rel"], [1, 0, 0])


def test_a_null_is_an_error_that_counts_the_rows():
    check_relevance(*values("click + 1"))
    for text in ("watch", "price + click", "click / 0"):
        with pytest.raises(
            DataError, match=r"--relevance rel: .* is null or infinite in \d of 3 rows; coalesce\(x, 0\)"
        ):
            check_relevance(*values(text))


def test_a_column_of_the_wrong_type_is_named():
    with pytest.raises(DataError, match="--relevance rel: column 'city' must be a number, got 'Bern'"):
        values("city + 1")
    with pytest.raises(DataError, match="--relevance rel: column 'price' must be a string, got 10"):
        values('price == "x"')
