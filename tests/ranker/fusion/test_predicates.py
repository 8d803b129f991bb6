import numpy as np
import pytest

from ranker.fusion import FusionError
from ranker.fusion.predicates import check_predicate, matching, predicate


def test_what_is_unknown_does_not_match() -> None:
    assert matching("age < 2", {"age": np.array([1.0, np.nan, 3.0])}, 3).tolist() == [True, False, False]
    assert matching("age < 2", {"age": 1.0}, 2).tolist() == [True, True]  # a value of the context, for all
    assert matching("2 > 1", {}, 2).tolist() == [True, True]


def test_wrong_names_and_values_are_told() -> None:
    check_predicate("age < 2 and click > 0.5", ["age", "click"])
    with pytest.raises(FusionError, match=r"^where: 'agee' is not an objective or feature of one value; did you mean"):
        check_predicate("agee < 2", ["age"])
    with pytest.raises(FusionError, match="needs numbers for 'age'"):
        matching("age < 2", {"age": np.array(["x"], dtype=object)}, 1)


def test_it_is_parsed_once() -> None:
    assert predicate("age < 2") is predicate("age < 2")
