from typing import Any

import numpy as np
import pytest

from ranker.fusion import Fusion, FusionError, build_fusion, order
from ranker.fusion.formulas.expression import LARGEST, LAST

OBJECTIVES = ["click", "like", "watch"]
SCORES = [[0.5, 0.1, 20.0], [0.2, 0.4, 3.0]]


def fusion(formula: str, *names: str, **parameters: float) -> Fusion:
    declared = {name: {"default": 1.0, "low": 0.0, "high": 4.0} for name in names}
    return build_fusion("expression", OBJECTIVES, parameters, {"formula": formula, "parameters": declared})


def test_hand_computed() -> None:
    fused = fusion("click**a * (1 + b*like) + c*log1p(watch)", "a", "b", "c", a=2.0, c=0.1).fuse(SCORES)
    expected = [0.25 * 1.1 + 0.1 * np.log(21), 0.04 * 1.4 + 0.1 * np.log(4)]
    np.testing.assert_allclose(fused, expected, rtol=1e-14)


def test_it_equals_the_formula_it_writes_out() -> None:
    scores = np.random.default_rng(0).random((30, 3))
    product = build_fusion("multiplicative", OBJECTIVES, {"power": {"click": 2.0, "like": 1.0, "watch": 0.5}})
    np.testing.assert_allclose(
        fusion("click**a * like * sqrt(watch)", "a", a=2.0).fuse(scores), product.fuse(scores), rtol=1e-12
    )


def test_features_of_candidates_and_of_the_context() -> None:
    made = fusion("click * exp(-d * age_days) * where(hour >= 20, 2, 1)", "d")
    assert made.formula.features == ("age_days", "hour")
    fused = made.fuse(SCORES, features={"age_days": [0, 1], "hour": 21})
    np.testing.assert_allclose(fused, [1.0, 0.4 * np.exp(-1)], rtol=1e-14)


def test_missing_values_rank_last_unless_replaced() -> None:
    ages = {"age": [None, 2.0]}
    fused = fusion("click + 0*age").fuse(SCORES, features=ages)
    assert fused.tolist() == [LAST, 0.2]
    assert order(fused).tolist() == [1, 0]
    np.testing.assert_allclose(fusion("click / coalesce(age, 4)").fuse(SCORES, features=ages), [0.125, 0.1])


def test_infinities_are_clipped() -> None:
    assert fusion("log(click)").fuse([[0.0, 0, 0]]).tolist() == [LAST]
    assert fusion("1 / click").fuse([[0.0, 0, 0]]).tolist() == [LARGEST]


def test_each_parameter_set_gives_one_row_of_scores() -> None:
    made = fusion("click + a", "a")
    parameters = {"a": np.array([0.0, 1.0, 2.0])}
    prepared = np.array(SCORES)
    np.testing.assert_allclose(made.formula.combine(prepared, parameters), [[0.5, 0.2], [1.5, 1.2], [2.5, 2.2]])


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({}, "options.formula: is required"),
        ({"formula": "click +"}, r"options.formula: 'click \+' is not a valid formula"),
        ({"formula": "click.real"}, r"options.formula: 'click.real' .* is not part of the grammar"),
        ({"formula": "open(click)"}, "options.formula: 'open' .* is not a known function"),
        ({"formula": "1 + age"}, r"reads no objective \(known: click, like, watch\)"),
        ({"formula": "click", "parameters": {"a": {"default": 1, "low": 0, "high": 2}}}, "'a' is not in the formula"),
        ({"formula": "click*a", "parameters": {"a": {"default": 3, "low": 0, "high": 2}}}, r"in \[0, 2\], got 3"),
        ({"formula": "click*a", "parameters": {"a": {"default": 3, "low": 0}}}, "options.parameters.a.high: is req"),
        ({"formula": "click", "parameters": {"click": {"default": 1, "low": 0, "high": 2}}}, "'click' is the name of"),
        ({"formula": 'click * (city == "x")'}, "compares 'city' with text, which is allowed only in rules"),
    ],
)
def test_errors_name_the_option(options: dict[str, Any], text: str) -> None:
    with pytest.raises(FusionError, match=text):
        build_fusion("expression", OBJECTIVES, {}, options)


def test_bad_parameters_and_features_are_named() -> None:
    with pytest.raises(FusionError, match=r"'a', .* must be a number in \[0, 4\], got 5"):
        fusion("click * a", "a", a=5.0)
    with pytest.raises(FusionError, match=r"reads feature 'age', but it has no value \(given: none\)"):
        fusion("click * age").fuse(SCORES)
    with pytest.raises(FusionError, match=r"feature 'age' must be a number, got \['old'\]"):
        fusion("click * age").fuse(SCORES, features={"age": "old"})
