import pytest

from ranker.prediction.options import PredictOptions


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"top_k": 3}, "top_k: applies to ranked lists"),
        ({"rules": False}, "rules: applies to ranked lists"),
        ({"cascade": True}, "cascade: applies to ranked lists"),
        ({"rank_by": ("a",), "top_k": 0}, "top_k: must be a whole number of at least 1, got 0"),
        ({"keep": ("a", "a")}, "keep: must be distinct names of columns, got 'a, a'"),
        ({"rank_by": ("a", "")}, "rank_by: must be distinct names of columns"),
    ],
)
def test_options_that_say_nothing(options, told):
    with pytest.raises(ValueError, match=told):
        PredictOptions(**options)


def test_columns_of_a_list_are_copied_once():
    assert PredictOptions(rank_by=("a", "b"), keep=("c", "a")).copied == ("a", "b", "c")
