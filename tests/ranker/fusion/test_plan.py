import json
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ranker.fusion import Candidates, FusionError, FusionOptions, Plan, Ranked, Requests, StoredFusion, build_plan

TASKS: Any = {"click": "binary", "like": "binary", "watch": "regression"}
OBJECTIVES = tuple(TASKS)


def plan(features: tuple[str, ...] = (), **config: Any) -> Plan:
    return build_plan(FusionOptions.model_validate(config), TASKS, features)


def log(rows: int = 3000) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
    """Overconfident scores, labels, and which are known."""
    rng = np.random.default_rng(0)
    z = rng.normal(-1, 1, (rows, 3))
    labels = (rng.random((rows, 3)) < 1 / (1 + np.exp(-z))).astype(np.float32)
    labels[:, 2] = rng.exponential(np.exp(z[:, 2])) * 30
    scores = 1 / (1 + np.exp(-2 * z))
    scores[:, 2] = np.exp(z[:, 2]) * 20
    known = np.ones((rows, 3), dtype=bool)
    known[::3, 1] = False
    return scores.astype(np.float32), labels, known


def test_the_default_is_the_formula_alone() -> None:
    scores = np.array([[0.5, 0.1, 3.0], [0.2, 0.4, 9.0]])
    ranked = plan().rank(Candidates.of(OBJECTIVES, scores))
    np.testing.assert_allclose(ranked.fused, scores.sum(axis=1))
    np.testing.assert_array_equal(ranked.scores, scores)
    assert ranked.order().tolist() == [1, 0]


def test_every_step_by_hand() -> None:
    made = plan(
        features=("age",),
        name="additive",
        parameters={"share": {"like": 2.0}},
        normalisation={"watch": "min_max"},
        rules={
            "quality": {"kind": "floor", "least": {"watch": 10}},
            "fresh": {"kind": "boost", "where": "age < 2", "multiply": 2},
            "liked": {"kind": "boost", "where": "like >= 0.4", "add": -1},
        },
    )
    scores = [[0.5, 0.1, 30.0], [0.2, 0.4, 20.0], [0.9, 0.9, 5.0]]
    ranked = made.rank(Candidates.of(OBJECTIVES, scores, features={"age": [1, 1, 9]}))
    # watch: 1, 0.6, 0. formula: 1.7, 1.6, 2.7. fresh: 3.4, 3.2, 2.7. liked: 3.4, 2.2, 1.7. quality: the third last
    np.testing.assert_allclose(ranked.fused, [3.4, 2.2, 1.7], rtol=1e-12)
    assert ranked.last.tolist() == [False, False, True]
    assert {name: mask.tolist() for name, mask in ranked.picked.items()} == {
        "quality": [False, False, True],
        "fresh": [True, True, False],
        "liked": [False, True, True],
    }
    assert made.features == ("age",)


@pytest.mark.parametrize(("below", "expected"), [("last", [2, 3, 1, 0]), ("drop", [2, 3])])
def test_boosts_do_not_cross_floors(below: str, expected: list[int]) -> None:
    rules = {
        "quality": {"kind": "floor", "least": {"click": 0.3}, "below": below},
        "campaign": {"kind": "boost", "where": "click < 0.3", "multiply": 1000},
    }
    scores = np.array([[0.1, 0, 0], [0.2, 0, 0], [0.4, 0, 0], [0.3, 0, 0]])
    ranked = plan(rules=rules).rank(Candidates.of(OBJECTIVES, scores))
    assert ranked.order().tolist() == expected
    for k in range(1, 6):
        assert ranked.order(k).tolist() == expected[:k]
    everything = plan(rules={"all": {**rules["quality"], "least": {"click": 2}}})
    assert len(everything.rank(Candidates.of(OBJECTIVES, scores)).order(3)) == (3 if below == "last" else 0)


@pytest.mark.parametrize("below", ["last", "drop"])
def test_sort_keys_order_candidates_of_many_requests_as_their_rankings(below: str) -> None:
    rules = {"quality": {"kind": "floor", "least": {"click": 0.3}, "below": below}}
    scores, _, _ = log(300)
    keys, behind = np.random.default_rng(1).integers(0, 9, 300), np.random.default_rng(2).random(300) < 0.3
    ranked = plan(rules=rules).rank(Candidates.of(OBJECTIVES, scores, Requests.of(keys), behind=behind))
    for key in range(9):
        rows = np.flatnonzero(keys == key)
        alone = ranked.taken(rows)
        order = alone.order()
        np.testing.assert_array_equal(np.argsort(-ranked.sort_keys()[rows], kind="stable")[: len(order)], order)
        assert len(order) < len(rows) or below == "last"


def test_sort_keys_keep_ties_and_infinite_scores_and_refuse_nan() -> None:
    none = np.zeros(4, dtype=bool)
    scores = np.zeros((4, 3))
    keys = Ranked(scores, np.array([-np.inf, 2.0, 2.0, np.inf]), none, none, {}).sort_keys()
    assert keys.tolist() == [0.0, 1.0, 1.0, 2.0]
    with pytest.raises(FusionError, match="is not a number for candidate 1"):
        Ranked(scores, np.array([0.0, np.nan, 1.0, 2.0]), none, none, {}).sort_keys()


def test_boosts_apply_in_the_order_of_the_config() -> None:
    double = {"kind": "boost", "where": "1", "multiply": 2}
    more = {"kind": "boost", "where": "1", "add": 1}
    one = Candidates.of(OBJECTIVES, [[1.0, 0, 0]])
    assert plan(rules={"a": double, "b": more}).rank(one).fused.tolist() == [3.0]
    assert plan(rules={"b": more, "a": double}).rank(one).fused.tolist() == [4.0]


def test_calibration_is_fitted_on_known_labels_and_applied_first() -> None:
    calibration = {"click": "platt", "like": "isotonic", "watch": "scale"}
    made = plan(calibration=calibration, rules={"sure": {"kind": "floor", "least": {"click": 0.5}}})
    scores, labels, known = log()
    fitted = made.fit(scores, labels, known)
    ranked = fitted.rank(Candidates.of(OBJECTIVES, scores))
    for i in range(3):
        rows = known[:, i]
        assert ranked.scores[rows, i].mean() == pytest.approx(labels[rows, i].mean(), rel=1e-4)
    np.testing.assert_allclose(ranked.fused, ranked.scores.sum(axis=1))
    np.testing.assert_array_equal(ranked.last, ranked.scores[:, 0] < 0.5)
    hidden = np.where(known, labels, 1 - labels)
    assert made.fit(scores, hidden.astype(np.float32), known) == fitted
    with pytest.raises(FusionError, match="the calibration of 'click' is not fitted"):
        made.rank(Candidates.of(OBJECTIVES, scores))


def test_a_monotone_calibration_of_ranks_changes_no_ranking() -> None:
    scores, labels, known = log(500)
    calibrated = plan(name="rank_power", calibration={"click": "platt", "like": "temperature", "watch": "scale"})
    candidates = Candidates.of(OBJECTIVES, scores)
    np.testing.assert_array_equal(
        calibrated.fit(scores, labels, known).rank(candidates).fused, plan(name="rank_power").rank(candidates).fused
    )


def test_ranking_a_log_equals_ranking_each_request() -> None:
    scores, labels, known = log(400)
    keys = np.random.default_rng(1).integers(0, 20, 400)
    made = plan(name="rank_bucket", normalisation="z_score", calibration={"click": "platt"}).fit(scores, labels, known)
    together = made.rank(Candidates.of(OBJECTIVES, scores, Requests.of(keys)))
    for key in range(20):
        alone = made.rank(Candidates.of(OBJECTIVES, scores[keys == key]))
        np.testing.assert_allclose(together.fused[keys == key], alone.fused, rtol=1e-12)


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"name": "percentile", "options": {"quantiles": 11}, "calibration": {"click": "isotonic", "watch": "scale"}},
        {
            "name": "expression",
            "options": {"formula": "click*a + age", "parameters": {"a": {"default": 1, "low": 0, "high": 2}}},
            "rules": {"r": {"kind": "boost", "where": "age > 1", "add": 1}},
        },
    ],
)
def test_a_stored_plan_round_trips(config: dict[str, Any]) -> None:
    made = plan(features=("age",), **config).fit(*log(300))
    made = made.replaced({made.fusion.formula.parameters[0].name: 0.5})
    stored = StoredFusion.model_validate_json(json.dumps(made.stored().model_dump(mode="json")))
    again = build_plan(stored.options, TASKS, ("age",), stored.state)
    assert again.fusion == made.fusion
    assert again.calibration == made.calibration
    candidates = Candidates.of(OBJECTIVES, log(300)[0], features={"age": 2.0})
    np.testing.assert_array_equal(again.rank(candidates).fused, made.rank(candidates).fused)


def test_replacing_the_formula_keeps_calibration_and_rules() -> None:
    scores, labels, known = log(300)
    rules = {"twice": {"kind": "boost", "where": "1", "multiply": 2}}
    made = plan(calibration={"watch": "scale"}, rules=rules).fit(scores, labels, known)
    candidates = Candidates.of(OBJECTIVES, scores)
    changed = made.with_formula("powered_sum", {"beta": 2.0}).rank(candidates)
    np.testing.assert_allclose(changed.fused, 2 * (made.rank(candidates).scores ** 2).sum(axis=1), rtol=1e-6)
    again = made.with_formula("powered_sum", {"beta": 2.0}).stored()
    np.testing.assert_array_equal(
        build_plan(again.options, TASKS, (), again.state).rank(candidates).fused, changed.fused
    )
    with pytest.raises(FusionError, match="'percentile' must be fitted to a reference population"):
        made.with_formula("percentile", {})
    with pytest.raises(FusionError, match=r"options\.formula: is required"):
        made.with_formula("expression", {})


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ({"name": "aditive"}, "^name: unknown fusion 'aditive'; did you mean 'additive'"),
        ({"parameters": {"shar": 1}}, "^parameters: fusion 'additive' has no parameter 'shar'; did you mean 'share'"),
        ({"options": {"a": 1}}, "^options: unknown key 'a'"),
        (
            {"name": "expression", "options": {"formula": "click * agee"}},
            r"^options: 'agee' is not an objective, parameter or feature of one value; did you mean 'age'\?",
        ),
        ({"calibration": {"clik": "platt"}}, "^calibration.clik: 'clik' is not an objective; did you mean 'click'"),
        ({"calibration": {"click": "plat"}}, "^calibration.click: unknown calibration 'plat'; did you mean 'platt'"),
        (
            {"calibration": {"watch": "platt"}},
            r"^calibration.watch: platt does not apply to a regression task \(available: isotonic, scale\)",
        ),
        ({"normalisation": {"wach": "rank"}}, "^normalisation: 'wach' is not an objective; did you mean 'watch'"),
        ({"name": "percentile", "normalisation": "rank"}, "^normalisation: fusion 'percentile' compares scores across"),
        ({"rules": {"a": {"kind": "floor", "least": {"x": 1}}}}, "^rules.a.least.x: 'x' is not an objective"),
        (
            {"rules": {"a": {"kind": "boost", "where": "x", "add": 1}}},
            "^rules.a.where: 'x' is not an objective or feature",
        ),
    ],
)
def test_errors_begin_with_the_config_path(config: dict[str, Any], text: str) -> None:
    with pytest.raises(FusionError, match=text):
        plan(features=("age",), **config)
