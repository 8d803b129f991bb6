"""The search space around the current parameters."""

from typing import Any

import numpy as np
import pytest

from ranker.fusion import FusionOptions, Plan, build_plan
from training.config.experiment import ConfigError
from training.fusion_search.space import space

TASKS = ("click", "like")


def plan(name: str, parameters: Any, **more: Any) -> Plan:
    options = FusionOptions.model_validate({"name": name, "parameters": parameters, **more})
    return build_plan(options, dict.fromkeys(TASKS, "binary"), compared={"genre": "category"})


PRODUCT = plan("multiplicative", {"power": {"click": 1.0, "like": 0.25}})
BUCKETS = plan("rank_bucket", {"weight": {"like": -2.0}, "buckets": 9})
DIVERSE = plan(
    "additive",
    {},
    rerank={"diverse": {"kind": "mmr", "of": "genre"}, "genres": {"kind": "spread", "of": "genre", "window": 6}},
)


def regions(plan: Plan, *vary: str, trust: float = 1.0) -> dict[str, tuple[float, float]]:
    return {d.name: (d.low, d.high) for d in space(plan, vary, trust).dimensions}


def test_parameters_move_by_their_size_within_bounds_and_keep_their_direction() -> None:
    assert regions(PRODUCT) == {
        "power.click": (0.0, 2.0),
        "power.like": (0.0, 1.25),  # the size is the default's, 1; a power of an objective does not turn negative
        "shift.click": (0.0, 0.5),  # a twentieth of [0, 10]
        "shift.like": (0.0, 0.5),
    }
    assert regions(PRODUCT, trust=0.5)["power.click"] == (0.5, 1.5)
    assert regions(BUCKETS) == {"weight.click": (0.0, 2.0), "weight.like": (-4.0, 0.0), "buckets": (2.0, 109.0)}


def test_what_does_not_affect_the_order_is_left_alone() -> None:
    assert set(regions(plan("additive", {}))) == {"share.click", "share.like"}


def test_varying_some_in_regions_of_their_own() -> None:
    assert regions(PRODUCT, "power") == {"power.click": (0.0, 2.0), "power.like": (0.0, 1.25)}
    assert regions(PRODUCT, "power.like=0.2:3", "shift.click") == {"power.like": (0.2, 3.0), "shift.click": (0.0, 0.5)}


def test_points_become_sets_and_fusions_with_the_same_numbers() -> None:
    found = space(BUCKETS, [], 1.0)
    np.testing.assert_allclose(found.values(found.start), [1.0, -2.0, 9.0])
    points = np.random.default_rng(0).random((20, 3))
    sets = found.sets(points)
    assert sets["weight"].shape == (20, 2)
    assert sets["buckets"].shape == (20,)
    np.testing.assert_array_equal(sets["buckets"], np.round(sets["buckets"]))
    for p in range(20):
        for name, values in found.at(points[p]).fusion.arrays.items():
            np.testing.assert_array_equal(values, sets[name][p])
    corners = found.values(np.array([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]]))
    np.testing.assert_array_equal(corners, [[0.0, -4.0, 2.0], [2.0, 0.0, 109.0]])


def test_parameters_that_are_not_varied_stay() -> None:
    sets = space(PRODUCT, ["power.click"], 1.0).sets(np.array([[0.0], [1.0]]))
    np.testing.assert_array_equal(sets["power"], [[0.0, 0.25], [2.0, 0.25]])
    np.testing.assert_array_equal(sets["shift"], np.zeros((2, 2)))


def test_numbers_have_six_digits() -> None:
    values = space(PRODUCT, [], 1.0).values(np.full((1, 4), 1 / 3))[0]
    np.testing.assert_array_equal(values, np.round(values, 6))


@pytest.mark.parametrize(
    ("vary", "trust", "problem"),
    [
        (["pwer"], 1.0, r"has no parameter 'pwer'; did you mean 'power'\?"),
        (["power.clik"], 1.0, r"did you mean 'power.click'\?"),
        (["power=1"], 1.0, "a range must be LOW:HIGH"),
        (["power.like=2:1"], 1.0, "must be increasing"),
        (["power.like=0:1000"], 1.0, "the range of power.like must be increasing"),
        (["power.like=1:2"], 1.0, "does not include the current power.like, 0.25"),
        ([], 0.0, "--trust 0: must be > 0"),
    ],
)
def test_mistakes_are_named(vary: list[str], trust: float, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        space(PRODUCT, vary, trust)


def test_a_formula_without_parameters_cannot_be_searched() -> None:
    with pytest.raises(ConfigError, match="nothing to search"):
        space(plan("expression", {}, options={"formula": "click + like"}), [], 1.0)


def test_steps_vary_if_they_are_named() -> None:
    assert set(regions(DIVERSE)) == {"share.click", "share.like"}
    assert regions(DIVERSE, "rerank.diverse.lambda", trust=0.2) == {
        "rerank.diverse.lambda": (pytest.approx(0.56), 0.84)
    }
    assert regions(DIVERSE, "rerank.genres.window=2:8") == {"rerank.genres.window": (2.0, 8.0)}
    found = space(DIVERSE, ["rerank.diverse.lambda=0:1", "rerank.genres.window", "share.like"], 1.0)
    sets = found.sets(np.array([[0.25, 0.5, 1.0]]))
    assert sets["rerank.diverse.lambda"].tolist() == [0.25]
    assert sets["rerank.genres.window"].tolist() == [7.0]
    made = found.at(np.array([0.25, 0.5, 1.0]))
    assert made.options.rerank["diverse"].numbers["lambda"] == 0.25
    assert made.options.rerank["genres"].numbers["window"] == 7
    assert made.fusion.values["share"] == {"click": 1.0, "like": 2.0}
    with pytest.raises(ConfigError, match=r"did you mean 'rerank.diverse.lambda'\?"):
        space(DIVERSE, ["rerank.divers.lambda"], 1.0)
    with pytest.raises(ConfigError, match=r"within \[0, 1\]"):
        space(DIVERSE, ["rerank.diverse.lambda=0:2"], 1.0)


def test_ranges_whose_ends_contradict_each_other_are_refused_before_the_search() -> None:
    quota = {"kind": "quota", "where": "click > 0.5", "at_least": 2, "of_first": 10}
    reserved = plan("additive", {}, rerank={"reserved": quota})
    assert set(regions(reserved, "rerank.reserved.at_least=1:8")) == {"rerank.reserved.at_least"}
    with pytest.raises(ConfigError, match=r"rerank\.reserved: at_least must be at most of_first, got 8 of the first 5"):
        space(reserved, ["rerank.reserved.at_least=1:8", "rerank.reserved.of_first=5:20"], 1.0)
    with pytest.raises(ConfigError, match=r"give ranges, such as rerank\.reserved\.at_least=LOW:HIGH"):
        space(reserved, ["rerank.reserved.at_least=1:20"], 1.0)
