import json

import numpy as np
import pytest

from ranker.fusion import Candidates, Fusion, FusionError, FusionOptions, build_fusion, build_plan, order
from ranker.fusion.labels import labels_and_weights, measure
from ranker.fusion.learned.list_objectives import LIST_OBJECTIVES

OBJECTIVES = ("click", "like")
ROWS = 6000
RNG = np.random.default_rng(0)
SCORES = RNG.random((ROWS, 2))
AGE = np.where(RNG.random(ROWS) < 0.1, np.nan, RNG.exponential(5.0, ROWS))
LOGIT = 6 * SCORES[:, 0] * SCORES[:, 1] - 2 + 0.1 * np.nan_to_num(AGE, nan=5.0)
LOG = {
    "good": (RNG.random(ROWS) < 1 / (1 + np.exp(-LOGIT))).astype(np.float64),
    "seconds": RNG.exponential(np.exp(LOGIT / 2)),
    "request": np.arange(ROWS) // 10,
}
SMALL = {"trees": 60, "leaves": 6, "folds": 3, "learning_rate": 0.1}


def fitted(log=LOG, **options) -> Fusion:
    fusion = build_fusion("learned", OBJECTIVES, {}, {"label": "good", "features": ["age"], **SMALL, **options})
    return fusion.fit(Candidates.of(OBJECTIVES, SCORES, features={"age": AGE}), log)


@pytest.fixture(scope="module")
def log_loss() -> Fusion:
    return fitted()


def test_log_loss_gives_the_labels_log_odds(log_loss):
    fused = log_loss.fuse(SCORES, features={"age": AGE})
    assert np.corrcoef(fused, LOGIT)[0, 1] > 0.95
    probability = 1 / (1 + np.exp(-fused))
    assert probability.mean() == pytest.approx(LOG["good"].mean(), abs=0.01)


def test_the_reported_quality_is_on_held_out_rows(log_loss):
    noise = {**LOG, "good": (RNG.random(ROWS) < 0.5).astype(np.float64)}
    told = fitted(noise, learning_rate=1.0, leaves=32, least_rows=1).state["held_out"]
    assert abs(told["value"] - 0.5) < 0.03  # what was fitted to these very labels would be far above
    told = log_loss.state["held_out"]
    assert told["measure"] == "AUC"
    assert told["value"] > told["best_objective_value"] + 0.05
    assert told["rows"] == ROWS


@pytest.mark.parametrize("loss", ["lambdarank", *LIST_OBJECTIVES])
def test_list_losses_order_requests_by_an_amount(loss):
    fusion = fitted(label="seconds", loss=loss, request="request")
    told = fusion.state["held_out"]
    assert told["measure"] == "NDCG@10"
    alone = max(measure(LOG["seconds"], SCORES[:, i], np.ones(ROWS), LOG["request"]) for i in range(2))
    assert told["best_objective_value"] == pytest.approx(alone)
    assert told["value"] > alone + 0.01


def test_the_order_of_the_log_does_not_leak_into_quality():
    """Logs have the rows of a request by position, and the first positions get the most clicks."""
    sorted_rows = np.lexsort((-LOG["seconds"], LOG["request"]))
    log = {name: column[sorted_rows] for name, column in LOG.items()}
    told = fitted(log, label="seconds", loss="lambdarank", request="request", features=[]).state["held_out"]
    noise = measure(log["seconds"], np.zeros(ROWS), np.ones(ROWS), log["request"])
    assert told["value"] == pytest.approx(noise, abs=0.02)  # scores and labels have nothing to do with each other


def test_weights_change_the_learned_odds():
    half = SCORES[:, 0] > 0.5
    log = {"a": half.astype(float), "b": (~half).astype(float), "heavy": np.ones(ROWS)}
    plain = {"label": "a", "weight": "heavy", "features": []}
    like_a, like_b = fitted(log, **plain), fitted(log, **{**plain, "label": "b"})
    assert like_a.fuse([[0.9, 0.5]])[0] > 0 > like_b.fuse([[0.9, 0.5]])[0]
    mixed = {**log, "a": RNG.integers(0, 2, ROWS).astype(float)}
    lifted = fitted(mixed, label="a", weight="1 + 9 * a", features=[])
    odds = np.exp(lifted.fuse(SCORES).mean())
    assert odds == pytest.approx(10 * mixed["a"].mean() / (1 - mixed["a"].mean()), rel=0.2)


def test_an_increasing_objective_never_lowers_the_score(log_loss):
    noisy = {**LOG, "good": np.where(RNG.random(ROWS) < 0.3, 1 - LOG["good"], LOG["good"])}
    held, free = (fitted(noisy, increasing=names, least_rows=5, leaves=20) for names in (["click"], []))
    steps = np.stack([np.linspace(0, 1, 200), np.full(200, 0.4)], axis=1)
    ages = np.full(200, 3.0)
    assert (np.diff(held.fuse(steps, features={"age": ages})) >= 0).all()
    assert (np.diff(free.fuse(steps, features={"age": ages})) < 0).any()


def test_shares_are_added_to_the_learned_score(log_loss):
    before = log_loss.fuse(SCORES, features={"age": AGE})
    after = log_loss.replaced({"share": {"like": 2.0}}).fuse(SCORES, features={"age": AGE})
    np.testing.assert_allclose(after, before + 2 * SCORES[:, 1], atol=1e-12)


def test_the_stored_state_is_plain_json_and_gives_the_same_scores(log_loss):
    state = json.loads(json.dumps(log_loss.state))
    again = build_fusion("learned", OBJECTIVES, {}, {"label": "good", "features": ["age"], **SMALL}, state)
    given = {"age": AGE}
    np.testing.assert_array_equal(again.fuse(SCORES, features=given), log_loss.fuse(SCORES, features=given))


def test_fitting_twice_gives_the_same_trees(log_loss):
    assert fitted().state == log_loss.state


def test_a_plan_calibrates_scores_before_the_trees():
    options = {"name": "learned", "options": {"label": "good", **SMALL}, "calibration": {"click": "platt"}}
    plan = build_plan(FusionOptions.model_validate(options), dict.fromkeys(OBJECTIVES, "binary"))
    labels = np.stack([LOG["good"]] * 2, axis=1)
    made = plan.fit(SCORES, labels, np.ones(SCORES.shape, dtype=bool), log=LOG)
    ranked = made.rank(Candidates.of(OBJECTIVES, SCORES[:50]))
    assert not np.allclose(ranked.scores[:, 0], SCORES[:50, 0])
    np.testing.assert_array_equal(ranked.order(), order(made.fusion.fuse(ranked.scores)))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"label": None}, "label"),
        ({"label": "good +"}, "not a valid formula"),
        ({"loss": "lambdarank"}, "request: is required by lambdarank"),
        ({"loss": "softmax"}, "request: is required by softmax"),
        ({"leaves": 33}, "32"),
        ({"increasing": ["clik"]}, "did you mean 'click'"),
        ({"features": ["click"]}, "'click' is an objective"),
        ({"tree": 3}, "did you mean 'trees'"),
    ],
)
def test_wrong_options_are_reported(options, text):
    with pytest.raises(FusionError, match=text):
        build_fusion("learned", OBJECTIVES, {}, {"label": "good", **options})


@pytest.mark.parametrize(
    ("label", "weight", "text"),
    [
        ("3 * good", None, r"'3 \* good' must be a number in \[0, 1\], got 3 in validation row"),
        ("good * 0", None, "unknown or constant in all rows"),
        ("good", "0 - good", r"weight: '0 - good' must be a number in \[0, inf\], got -1"),
        ("good", "hole", "got nan in validation row 5"),
        ("words", None, "column 'words' must be"),
    ],
)
def test_invalid_labels_and_weights_are_reported(label, weight, text):
    hole = np.where(np.arange(ROWS) == 5, np.nan, 1.0)
    log = {**LOG, "hole": hole, "words": np.array(["x"] * ROWS, dtype=object)}
    with pytest.raises(FusionError, match=text):
        labels_and_weights(label, weight, log, 1.0)


def test_rows_with_unknown_labels_are_excluded():
    log = {"good": np.array([0.0, 1.0, np.nan, 0.5])}
    labels, weights, known = labels_and_weights("good", None, log, 1.0)
    assert known.tolist() == [True, True, False, True]
    assert labels[known].tolist() == [0, 1, 0.5]
    assert weights.tolist() == [1, 1, 1, 1]


def test_too_few_requests_are_rejected():
    with pytest.raises(FusionError, match="at least 3 requests, got 2"):
        fitted({**LOG, "request": np.arange(ROWS) // 3000}, request="request")


def test_the_measure_by_hand():
    labels, scores = np.array([1.0, 0.0, 0.5]), np.array([3.0, 1.0, 2.0])
    # positives 1 and half of the third, negatives the second and half of the third: pairs won
    # 1*1 + 1*.5 + .5*1 and the third against itself, a tie of .25 that counts half, of 1.5 * 1.5 pairs
    assert measure(labels, scores, np.ones(3), None) == pytest.approx((1 + 0.5 + 0.5 + 0.125) / 2.25)
    assert measure(labels, scores, np.ones(3), np.zeros(3, dtype=np.intp)) == 1.0
