"""The same rows for both versions, each with its own encoder and schema."""

import numpy as np
import pytest

from ranker.log_files.log_reader import DataError
from tests.training.promotion.linear import CONFIG, fitted, sigmoid
from training.config.experiment import ConfigError
from training.promotion.rows import TIMED, read_columns, shared_tasks

SCHEMA = CONFIG["schema"]


def with_tasks(**tasks):
    return {**SCHEMA, "tasks": tasks}


def test_each_version_scores_with_its_own_encoder(past, holdout, old, paired, tmp_path):
    shifted = past.assign(price=past["price"] * 3 + 10)  # its scale is another
    new = fitted(tmp_path, shifted, schema={**SCHEMA, "context": {}})
    rows = paired(new, old, holdout.assign(price=holdout["price"] * 3 + 10))
    assert len(rows) == len(holdout)
    assert rows.new.scores.shape == rows.old.scores.shape == (len(holdout), 2)
    assert np.corrcoef(rows.new.of("click"), -holdout["price"])[0, 1] > 0.9
    assert np.median(rows.old.of("click")) < 0.005  # a price of 10 is far beyond those that it knows
    np.testing.assert_array_equal(rows.labels[:, 0], holdout["click"])


def test_units_are_groups_and_rows_without_one_stand_alone(old, holdout, paired):
    frame = holdout[:40].copy()
    frame["request"] = frame["request"].astype(object).where(frame.index >= 3, None)
    rows = paired(old, old, frame)
    assert rows.unit_count == 3 + frame["request"][3:].nunique()
    assert rows.in_group.tolist() == [False] * 3 + [True] * 37
    assert len(set(rows.units[:3]) | {rows.units[3]}) == 4
    assert paired(old, old, frame, group_by=None).unit_count == 40


def test_values_to_slice_by_are_text(old, holdout, paired):
    frame = holdout[:4].assign(tab=["a", None, "", "b"])
    rows = paired(old, old, frame, by=("tab", "day"))
    assert rows.columns["tab"].tolist() == ["a", "(missing)", "(missing)", "b"]
    assert rows.columns["day"].tolist() == ["2"] * 4


def test_the_timed_call_has_one_context_and_as_many_candidates_as_a_request(old, holdout, paired):
    for count in (7, 600):
        call = paired(old, old, holdout[:count]).new.call
        assert (len(call.context_numbers), len(call.candidate_numbers)) == (1, TIMED)
    first = paired(old, old, holdout[:7]).new.call
    np.testing.assert_array_equal(first.candidate_numbers[:7], first.candidate_numbers[7:14])


def test_rows_that_one_version_drops_are_left_out_of_both_and_counted(past, holdout, old, paired, tmp_path):
    given = {"kind": "binary", "given": "click", "given_conflicts": "drop"}
    new = fitted(tmp_path, past, schema=with_tasks(click={"kind": "binary"}, like=given))
    rows = paired(new, old, holdout)
    conflicts = int(((holdout["like"] == 1) & (holdout["click"] == 0)).sum())
    assert 0 < conflicts < len(holdout) / 2
    assert len(rows) == len(rows.old.scores) == len(rows.new.scores) == len(holdout) - conflicts
    assert f"{conflicts:,} rows that only the new version's given_conflicts drops are left out of both" in rows.notes
    turned = paired(old, new, holdout)
    assert f"{conflicts:,} rows that only the old version's given_conflicts drops are left out of both" in turned.notes


def test_labels_that_differ_are_counted_and_the_new_versions_are_used(past, holdout, old, paired, tmp_path):
    either = {"kind": "binary", "label": "max(click, like)"}
    new = fitted(tmp_path, past, schema=with_tasks(click=either, like={"kind": "binary"}))
    rows = paired(new, old, holdout)
    labels = np.maximum(holdout["click"], holdout["like"])
    np.testing.assert_array_equal(rows.labels[:, 0], labels)
    differ = int((labels != holdout["click"]).sum())
    assert [note for note in rows.notes if "different labels" in note] == [
        f"click: the versions' schemas give {differ:,} rows different labels; both are measured against the new "
        "version's"
    ]


def test_only_objectives_of_both_versions_are_compared(past, holdout, old, paired, tmp_path):
    tasks = {"like": {"kind": "binary"}, "buy": {"kind": "binary", "column": "click"}}
    new = fitted(tmp_path, past, schema=with_tasks(**tasks))
    shared, notes = shared_tasks(new, old)
    assert list(shared) == ["like"]
    assert notes == [
        "objective 'buy' is new: there is nothing to compare it with",
        "objective 'click' is gone from the new version",
    ]
    rows = paired(new, old, holdout.drop(columns="click"))  # which no shared objective needs
    assert rows.labels.shape == (len(holdout), 1)
    np.testing.assert_allclose(rows.old.of("like"), rows.old.scores[:, 1])
    np.testing.assert_allclose(rows.new.of("like"), rows.new.scores[:, 0])


def test_versions_without_a_common_objective_are_refused(past, old, tmp_path):
    other = fitted(tmp_path, past, schema=with_tasks(buy={"kind": "binary", "column": "click"}))
    with pytest.raises(ConfigError, match=r"no objective in common: buy in .*, click, like in "):
        read_columns(other, old, [])


def test_bad_input_is_named(old, holdout, paired):
    with pytest.raises(DataError, match="no row that both versions can be measured on"):
        paired(old, old, holdout[:0])
    with pytest.raises(DataError, match="click"):
        paired(old, old, holdout[:5].assign(click=[0, 1, 7, 0, 0]))
    with pytest.raises(DataError, match="price"):
        paired(old, old, holdout[:5].drop(columns="price"))
    with pytest.raises(ConfigError, match="--by tags: the column holds lists"):
        paired(old, old, holdout[:2].assign(tags=[["a"], ["b", "c"]]), by=("tags",))


def test_the_models_of_these_tests_have_learnt_what_there_is(old, holdout, paired):
    rows = paired(old, old, holdout)
    best = sigmoid(-1.0 - holdout["price"].to_numpy() + 0.5 * holdout["age"].to_numpy())
    assert np.corrcoef(rows.new.of("click"), best)[0, 1] > 0.98
