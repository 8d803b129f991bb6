from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from ranker.fusion import Candidates, FusionError
from ranker.fusion.rules import Boost, Floor

OBJECTIVES = ("click", "like")
CANDIDATES = Candidates.of(
    OBJECTIVES,
    [[0.5, 0.1], [0.2, 0.4], [0.9, 0.0]],
    features={"age": [1.0, None, 30.0], "city": np.array(["paris", None, "rome"], dtype=object), "hour": 21},
)


def test_a_floor_selects_candidates_below_any_of_its_minima() -> None:
    assert Floor(kind="floor", least={"click": 0.3}).picks(OBJECTIVES, CANDIDATES).tolist() == [False, True, False]
    both = Floor(kind="floor", least={"click": 0.5, "like": 0.05})
    assert both.picks(OBJECTIVES, CANDIDATES).tolist() == [False, True, True]  # at the floor is not below it


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("age < 2", [True, False, False]),
        ("not age < 2", [False, False, True]),  # what is missing is neither
        ("coalesce(age, 0) < 2", [True, True, False]),
        ("click > 0.3 and hour >= 20", [True, False, True]),
        ('city == "rome" or like > 0.3', [False, True, True]),
        ("hour > 22", [False, False, False]),
    ],
)
def test_a_boost_selects_candidates_that_match_its_predicate(where: str, expected: list[bool]) -> None:
    picked = Boost(kind="boost", where=where, multiply=2).picks(OBJECTIVES, CANDIDATES)
    assert picked.tolist() == expected
    assert picked.dtype == bool


def test_a_boost_above_one_raises_scores_of_either_sign() -> None:
    fused = np.array([-2.0, 0.0, 3.0])
    assert Boost(kind="boost", where="click", multiply=2.0).moved(fused).tolist() == [-1.0, 0.0, 6.0]
    assert Boost(kind="boost", where="click", multiply=0.5).moved(fused).tolist() == [-4.0, 0.0, 1.5]
    assert Boost(kind="boost", where="click", multiply=2.0, add=1.0).moved(fused).tolist() == [0.0, 1.0, 7.0]


@pytest.mark.parametrize(
    ("boost", "text"),
    [
        ({"where": "click"}, "has no effect"),
        ({"where": "click >", "multiply": 2}, "is not a valid formula"),
        ({"where": "click", "multiply": 0}, "greater than 0"),
    ],
)
def test_invalid_boosts_are_rejected(boost: dict[str, Any], text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        Boost(kind="boost", **boost)


def test_names_are_checked() -> None:
    boost = Boost(kind="boost", where="agee < 2", add=1)
    with pytest.raises(FusionError, match=r"where: 'agee' is not an objective or feature .*; did you mean 'age'\?"):
        boost.check(OBJECTIVES, ("age",))
    floor = Floor(kind="floor", least={"age": 3})
    with pytest.raises(FusionError, match=r"least.age: 'age' is not an objective .*known: click, like"):
        floor.check(OBJECTIVES, ("age",))


def test_text_in_a_numeric_comparison_is_rejected() -> None:
    with pytest.raises(FusionError, match="needs numbers for 'city'"):
        Boost(kind="boost", where="city < 2", add=1).picks(OBJECTIVES, CANDIDATES)
