"""Measures of both versions: those of `evaluate`, and NDCG of the fused rankings."""

from dataclasses import replace

import numpy as np
import pytest

from ranker.log_files.log_reader import DataError
from ranker.metrics import gauc, ndcg, report
from ranker.tasks import Binary, Relevance
from tests.training.promotion.linear import CONFIG, fitted
from training.data.encode import NO_GROUP
from training.promotion.measures import Lists, families
from training.promotion.resampling import gain, resampled


def values(rows, lists=None, mask=None, bounds=()):
    parts = families(rows, list(rows.tasks), lists, mask, bounds)
    return {one.name: one for part in resampled(parts, rows.unit_count, 2, 0) for one in part}


def test_values_are_those_of_evaluate(old, equal, holdout, paired):
    frame = holdout.copy()
    frame["request"] = frame["request"].astype(object).where(frame.index % 50 > 0, None)
    rows = paired(equal, old, frame)
    found = values(rows)
    for i, (name, task) in enumerate(rows.tasks.items()):
        for side, version in (("new", rows.new), ("old", rows.old)):
            told = report(task, rows.labels[:, i], version.of(name), rows.groups, 0, 0, no_group=NO_GROUP)
            for metric in ("auc", "gauc", "log_loss", "calibration"):
                assert getattr(found[f"{name}.{metric}"], side) == pytest.approx(told[metric], abs=1e-12)
    assert set(found) == {f"{t}.{m}" for t in ("click", "like") for m in ("auc", "gauc", "log_loss", "calibration")}


@pytest.mark.parametrize(
    ("name", "task"),
    [("gauc", Binary(kind="binary")), ("graded_ndcg", Relevance(kind="relevance"))],
)
def test_a_grouped_metric_is_resampled_by_the_groups_that_it_counts(name, task, old, equal, holdout, paired):
    """A resample's value is that of the rows with each group as often as it was drawn."""
    frame = holdout[:600].assign(request=holdout["request"][:600].where(holdout.index[:600] % 50 > 0, None))
    rows = paired(equal, old, frame)
    labels = rows.labels.copy()
    labels[rows.groups == np.unique(rows.groups)[5], 0] = 1.0  # its GAUC is undefined, its NDCG is not
    rows = replace(rows, tasks={**rows.tasks, "click": task}, labels=labels)
    [family] = [f for f in families(rows, ["click"], None) if [m.name for m in f.measures] == [f"click.{name}"]]
    counts = np.random.default_rng(0).integers(0, 3, rows.unit_count).astype(float)
    drawn = [
        (rows.labels[at, 0], rows.new.of("click")[at], np.full(len(at), 100 * unit + copy))
        for unit, count in enumerate(counts.astype(int))
        for copy in range(count)
        for at in [np.flatnonzero((rows.units == unit) & rows.in_group)]
    ]
    told = report(task, *map(np.concatenate, zip(*drawn, strict=True)), 0, 0)
    assert family.measures[0].new(counts[family.units]) == pytest.approx(told[name], abs=1e-12)


def test_ndcg_is_that_of_the_fused_ranking(old, equal, holdout, paired):
    rows = paired(equal, old, holdout)
    found = values(rows, Lists(rows))
    fused = rows.new.scores.astype(np.float64).sum(axis=1)  # additive, with equal shares
    told = ndcg(holdout["click"], fused, holdout["request"], 10)
    assert found["fused(default).ndcg@10(click)"].new == pytest.approx(told.value, abs=1e-9)


def test_bounds_name_other_metrics_of_the_fused_ranking(old, equal, holdout, paired):
    rows = paired(equal, old, holdout)
    fused = rows.new.scores.astype(np.float64).sum(axis=1)
    names = ["fused(default).gauc(like)", "fused(default).ndcg@3(click)", "click.auc"]
    found = values(rows, Lists(rows), bounds=names)
    assert set(found) - set(values(rows, Lists(rows))) == set(names[:2])
    told = ndcg(holdout["click"], fused, holdout["request"], 3)
    assert found[names[1]].new == pytest.approx(told.value, abs=1e-9)
    told = gauc(holdout["like"], fused, holdout["request"])
    assert found[names[0]].new == pytest.approx(told.value, abs=1e-9)


def test_rows_without_a_list_and_lists_of_one_row_are_not_ranked(old, holdout, paired):
    frame = holdout[:30].copy()
    frame["request"] = [None] * 4 + ["alone"] + ["a"] * 12 + ["b"] * 13
    lists = Lists(paired(old, old, frame))
    assert lists.members.tolist() == list(range(5, 30))
    assert len(lists.units) == lists.groups.count == 2


def test_on_a_slice_only_its_rows_gain(old, equal, holdout, paired):
    rows = paired(equal, old, holdout)
    inside = (holdout["tab"] == "home").to_numpy()
    found = values(rows, Lists(rows), inside)
    fused = rows.new.scores.astype(np.float64).sum(axis=1)
    told = ndcg(holdout["click"] * inside, fused, holdout["request"], 10)
    assert found["fused(default).ndcg@10(click)"].new == pytest.approx(told.value, abs=1e-9)
    told = report(rows.tasks["click"], rows.labels[inside, 0], rows.new.of("click")[inside], None, 0, 0)
    assert found["click.auc"].new == pytest.approx(told["auc"], abs=1e-12)


def test_candidates_that_a_rule_drops_are_ranked_last(past, holdout, old, paired, tmp_path):
    rules = {"short": {"kind": "floor", "least": {"click": 0.3}, "below": "drop"}}
    new = fitted(tmp_path, past, fusion={**CONFIG["fusion"], "rules": rules})
    rows = paired(new, old, holdout)
    lists = Lists(rows)
    dropped = rows.new.of("click")[lists.members] < 0.3
    assert dropped.any()
    assert lists.new[dropped].max() < lists.new[~dropped].min()


def test_negative_labels_have_no_ndcg(past, old, tmp_path, paired, holdout):
    schema = {**CONFIG["schema"], "tasks": {"click": {"kind": "binary"}, "gain": {"kind": "regression"}}}
    frames = [frame.assign(gain=frame["length"]) for frame in (past, holdout)]
    new = fitted(tmp_path, frames[0], schema=schema)
    found = values(rows := paired(new, new, frames[1]), Lists(rows))
    assert "fused(default).ndcg@10(gain)" not in found
    assert {"gain.rmse", "gain.mae", "fused(default).ndcg@10(click)"} <= set(found)


def test_a_fusion_that_cannot_rank_the_rows_is_named(past, old, holdout, paired, tmp_path):
    unfitted = {**CONFIG["fusion"], "calibration": {"click": "platt"}}
    new = fitted(tmp_path, past, fusion=unfitted)
    with pytest.raises(DataError, match=r"its fusion 'additive' cannot rank these rows: the calibration of 'click'"):
        Lists(paired(new, old, holdout))


def test_a_slice_of_one_group_has_no_interval(old, equal, holdout, paired):
    """Its rows are drawn together or not at all, so resamples say nothing about its error."""
    rows = paired(equal, old, holdout)
    inside = (holdout["request"] == holdout["request"].iloc[0]).to_numpy()
    found = values(rows, Lists(rows), inside)
    assert {"click.auc", "click.log_loss", "click.gauc", "fused(default).ndcg@10(click)"} <= set(found)
    for one in found.values():
        assert one.units <= 1
        assert np.isnan(gain(one).value)
    assert all(one.units > 100 for one in values(rows, Lists(rows)).values())
