from typing import Any

import numpy as np
import pytest

from ranker.fusion import FusionError, Parameter, build_fusion

OBJECTIVES = ["click", "long_view", "like"]


def test_a_number_applies_to_all_objectives_and_a_mapping_to_the_named_ones() -> None:
    fusion = build_fusion("additive", OBJECTIVES, {"share": {"like": 3}, "shift": 0.5})
    assert fusion.values == {
        "share": {"click": 1.0, "long_view": 1.0, "like": 3.0},
        "shift": {"click": 0.5, "long_view": 0.5, "like": 0.5},
    }


def test_replaced_keeps_other_parameters() -> None:
    fusion = build_fusion("additive", OBJECTIVES, {"share": {"like": 3}})
    changed = fusion.replaced({"share": {"click": 2}})
    assert changed.values["share"] == {"click": 2.0, "long_view": 1.0, "like": 3.0}
    assert fusion.values["share"] == {"click": 1.0, "long_view": 1.0, "like": 3.0}
    assert fusion.replaced({"share": 4}).values["share"] == {"click": 4.0, "long_view": 4.0, "like": 4.0}
    assert fusion.replaced({}) == fusion


def test_values_are_a_copy() -> None:
    fusion = build_fusion("additive", OBJECTIVES, {})
    fusion.values["share"]["click"] = 99.0  # type: ignore[index]
    assert fusion.fuse([[1.0, 0.0, 0.0]]).tolist() == [1.0]


def test_numpy_numbers_are_numbers() -> None:
    parameters: dict[str, Any] = {"share": np.float32(0.5), "shift": np.int64(2)}
    values = build_fusion("additive", OBJECTIVES, parameters).values
    assert values["share"] == {"click": 0.5, "long_view": 0.5, "like": 0.5}
    assert values["shift"] == {"click": 2.0, "long_view": 2.0, "like": 2.0}


@pytest.mark.parametrize(
    ("name", "parameters", "text"),
    [
        ("aditive", {}, r"unknown fusion 'aditive'; did you mean 'additive'\? \(known: additive, .*rank_bucket"),
        ("additive", {"shares": 1.0}, r"no parameter 'shares'; did you mean 'share'\? \(known: share, shift\)"),
        (
            "additive",
            {"share": {"longview": 2.5}},
            r"'share' is given 2.5 for an unknown objective 'longview'; did you mean 'long_view'\? "
            r"\(known: click, long_view, like\)",
        ),
        ("additive", {"share": {"like": 101}}, r"'share' for objective 'like' .* \[-100, 100\], got 101"),
        ("multiplicative", {"shift": -0.1}, r"'shift' for all objectives .* \[0, 10\], got -0.1"),
        ("additive", {"share": {"like": float("nan")}}, r"'share' for objective 'like' .* got nan"),
        ("additive", {"share": {"like": True}}, r"'share' for objective 'like' .* got True"),
        ("additive", {"share": {"like": {"a": 1}}}, r"'share' for objective 'like' .* got \{'a': 1\}"),
        ("rank_bucket", {"buckets": {"like": 10}}, r"'buckets', which is the same for all objectives, must be"),
        ("additive", [("share", 1.0)], r"parameters must map names to numbers"),
    ],
)
def test_errors_name_the_problem_and_the_valid_values(name: str, parameters: object, text: str) -> None:
    with pytest.raises(FusionError, match=text):
        build_fusion(name, OBJECTIVES, parameters)  # type: ignore[arg-type]


def test_replaced_checks_its_parameters() -> None:
    fusion = build_fusion("additive", OBJECTIVES, {})
    with pytest.raises(FusionError, match="'share' for objective 'like'"):
        fusion.replaced({"share": {"like": 1e9}})


@pytest.mark.parametrize("objectives", [[], ["click", "click"], "click"])
def test_objectives_must_have_distinct_names(objectives: list[str]) -> None:
    with pytest.raises(FusionError, match="one or more distinct names"):
        build_fusion("additive", objectives, {})


@pytest.mark.parametrize(
    ("scores", "text"),
    [
        ([[0.1, 0.2]], r"\[candidates, 3\], one column for each of click, long_view, like; got shape \[1, 2\]"),
        ([0.1, 0.2, 0.3], r"got shape \[3\]"),
        ([[0.1, 0.2, 0.3], [0.1, float("nan"), 0.3]], r"got nan for 'long_view' of candidate 1"),
    ],
)
def test_scores_are_checked(scores: Any, text: str) -> None:
    with pytest.raises(FusionError, match=text):
        build_fusion("additive", OBJECTIVES, {}).fuse(scores)


@pytest.mark.parametrize(
    ("default", "low", "high", "integer"),
    [(2.0, 0.0, 1.0, False), (0.5, 0.0, 1.0, True), (0.0, 1.0, 0.0, False), (0.0, 0.0, float("inf"), False)],
)
def test_inconsistent_parameters_are_rejected(default: float, low: float, high: float, integer: bool) -> None:
    with pytest.raises(FusionError, match="'x'"):
        Parameter(name="x", default=default, low=low, high=high, per_objective=False, integer=integer, description=".")


def test_replacing_parameters_keeps_the_formula_and_its_state() -> None:
    fusion = build_fusion("additive", ("click",), {})
    changed = fusion.replaced({"share": 2.0})
    assert changed.formula is fusion.formula
    assert (fusion.fuse([[1.0]])[0], changed.fuse([[1.0]])[0]) == (1.0, 2.0)
    assert changed == build_fusion("additive", ("click",), {"share": 2.0})
