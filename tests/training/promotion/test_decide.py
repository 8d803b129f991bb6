"""The decision: bounds, slices, and reasons that no bound excuses."""

import numpy as np
import orjson
import pytest

from tests.training.promotion.linear import CONFIG, fitted
from training.config.promotion import Bound, default_bounds
from training.promotion.decide import How, decide

HOW = How(level=0.05, resamples=60, slice_rows=500, seed=0, engine="onnxruntime")
AUC = {"click.auc": Bound(least=-0.002), "like.auc": Bound(least=-0.002)}


def constant(kernel, bias):
    kernel[:, 0] = 0.0


def not_finite(kernel, bias):
    bias[0] = np.nan


def turned(kernel, bias):
    kernel[:, 0] *= -1.0


def causes(decision):
    return [(reason.cause, reason.objective) for reason in decision.reasons]


def test_an_equal_version_is_promoted(old, equal, holdout, paired):
    rows = paired(equal, old, holdout, by=("tab",))
    decision = decide(rows, AUC, ("tab",), HOW)
    assert decision.promoted
    assert decision.why == []
    assert list(decision.slices) == ["tab = home", "tab = search", "tab = shop"]
    assert sum(decision.slices.values()) < decision.rows == len(holdout)
    assert [note for note in decision.notes if "too few rows for a slice" in note]
    assert decision.tests == 2 * 4 + 2  # two bounds on all rows and three slices, and two AUCs that may be reversed
    assert len(decision.checks) == 8
    assert orjson.loads(orjson.dumps(decision.to_dict()))["promoted"] is True


def test_a_version_that_is_worse_on_one_slice_is_refused_for_it(past, old, holdout, paired, tmp_path):
    """The new version learnt from a past in which everybody clicked in the shop."""
    past, frame = (each.assign(shop=(each["tab"] == "shop").astype(float)) for each in (past, holdout))
    schema = {**CONFIG["schema"], "context": {**CONFIG["schema"]["context"], "shop": {"kind": "numeric"}}}
    clicked = past.assign(click=np.where(past["shop"] == 1, 1, past["click"]))
    new = fitted(tmp_path, clicked, schema=schema)
    decision = decide(paired(new, old, frame, by=("tab",)), {"click.calibration": Bound(within=0.4)}, ("tab",), HOW)
    assert [(check.measure, check.slice) for check in decision.failed] == [("click.calibration", "tab = shop")]
    assert not decision.promoted


@pytest.mark.parametrize(
    ("change", "finish", "expected"),
    [
        (constant, None, ("constant", "click")),
        (not_finite, None, ("not_finite", "click")),
        (turned, None, ("reversed", "click")),
        (None, "Add", ("not_probabilities", "click")),
    ],
)
def test_scores_of_no_use_are_refused_whatever_the_bounds(
    past, old, holdout, paired, tmp_path, change, finish, expected
):
    new = fitted(tmp_path, past, seed=1, change=change, finish=finish)
    generous = {"like.auc": Bound(least=-1.0), "click.auc": Bound(least=-1.0)}
    decision = decide(paired(new, old, holdout), generous, (), HOW)
    assert not decision.promoted
    assert expected in causes(decision)
    assert decision.failed == []
    assert decision.why[0].startswith("click")
    decision.to_dict()


def test_an_old_version_of_no_use_is_noted_and_does_not_count_against_the_new_one(past, old, holdout, paired, tmp_path):
    broken = fitted(tmp_path, past, change=not_finite)
    decision = decide(paired(old, broken, holdout), AUC, (), HOW)
    assert decision.promoted
    assert [note for note in decision.notes if note.startswith("old version: click: scores of")]
    states = {check.measure: check.state for check in decision.checks}
    assert states == {"click.auc": "undefined", "like.auc": "met"}


def test_nothing_is_promoted_where_nothing_could_be_checked(old, equal, holdout, paired):
    decision = decide(paired(equal, old, holdout.assign(click=0, like=0)), AUC, (), HOW)
    assert not decision.promoted
    assert causes(decision) == [("undecided", None)]
    assert decision.why == ["no bound could be checked on these rows"]


def test_a_bound_for_certain_needs_enough_rows(old, equal, holdout, paired):
    bounds = {"click.auc": Bound(least=-0.002, certain=True)}
    assert decide(paired(equal, old, holdout), bounds, (), HOW).promoted
    few = decide(paired(equal, old, holdout[:60]), bounds, (), HOW)
    assert not few.promoted
    assert few.failed[0].state == "open"


def test_without_groups_rows_are_resampled_and_nothing_is_ranked(old, equal, holdout, paired):
    rows = paired(equal, old, holdout[:3000], group_by=None)
    decision = decide(rows, default_bounds(rows.tasks), (), HOW)
    assert (decision.units, decision.grouped) == (3000, False)
    assert {check.measure for check in decision.checks if check.state == "undefined"} == {
        "fused(default).ndcg@10(click)",
        "fused(default).ndcg@10(like)",
    }
    assert [shift.name for shift in decision.rankings] == ["click", "like"]


def test_groups_of_one_row_are_no_lists(old, holdout, paired):
    frame = holdout[:200].assign(request=range(200))
    decision = decide(paired(old, old, frame), AUC, (), HOW)
    assert "no group has two rows, so there is no ranking to compare" in decision.notes
