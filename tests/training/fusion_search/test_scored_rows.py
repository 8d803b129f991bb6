"""Rows that are scored once, and split by groups."""

import numpy as np
import pandas as pd
import pytest

from ranker.artifact import load
from ranker.log_files.log_reader import DataError, Log
from training.config.metric_names import parse_relevance
from training.fusion_search.scored_rows import scored_rows


def test_validation_rows_are_scored_once_and_read_again(trained, tmp_path) -> None:
    artifact, stages = load(trained.output), []

    def progress(stage: str, rows: int) -> None:
        stages.append(stage)

    columns = ["duration_s", "device"]
    rows, key = scored_rows(artifact, Log([trained.log]), "user_id", columns, tmp_path, progress)
    assert stages
    stages.clear()
    again, same = scored_rows(artifact, Log([trained.log]), "user_id", columns, tmp_path, progress)
    assert key == same
    assert not stages
    assert again.objectives == ("click", "like", "watch_time")
    for name in ("scores", "known", "groups"):
        np.testing.assert_array_equal(getattr(again, name), getattr(rows, name))
    np.testing.assert_array_equal(again.labels[again.known], rows.labels[rows.known])
    for name in columns:
        np.testing.assert_array_equal(again.columns[name], rows.columns[name])
    click = artifact.manifest.metrics["tasks"]["click"]
    assert len(rows) == click["rows"]
    assert rows.labels[:, 0].sum() == click["positives"]
    other, _ = scored_rows(artifact, Log([trained.log]), "item_id", columns, tmp_path, progress)
    assert stages
    assert not np.array_equal(other.groups, rows.groups)


def test_rows_are_those_that_training_held_out_though_the_log_has_grown(trained, tmp_path) -> None:
    artifact = load(trained.output)
    later = pd.read_parquet(trained.log)
    held_out = artifact.manifest.metrics["tasks"]["click"]["rows"]
    new = later[:50].assign(date=later["date"].max() + (later["date"].max() - later["date"].min()))
    pd.concat([later, new]).to_parquet(tmp_path / "log.parquet")
    rows, _ = scored_rows(artifact, Log([tmp_path / "log.parquet"]), "user_id", [], tmp_path, lambda *_: None)
    assert len(rows) == held_out + 50


def test_a_log_without_held_out_rows_is_told(trained, tmp_path) -> None:
    first = pd.read_parquet(trained.log)
    first[first["date"] == first["date"].min()].to_parquet(tmp_path / "log.parquet")
    with pytest.raises(DataError, match="no row that the artifact's split holds out"):
        scored_rows(load(trained.output), Log([tmp_path / "log.parquet"]), "user_id", [], tmp_path, lambda *_: None)


def test_formulas_read_columns_and_known_labels(rows) -> None:
    formulas = parse_relevance("--relevance", ["rel = 2*click + age", "liked = coalesce(like, 0)", "like_ = like"], {})
    with pytest.raises(
        DataError, match=r"--relevance like_: 'like' is null or infinite in \d+ of 1,200 rows; coalesce"
    ):
        rows.with_relevance(formulas)
    del formulas["like_"]
    found = rows.with_relevance(formulas).columns
    np.testing.assert_array_equal(found["rel"], 2 * rows.labels[:, 0] + rows.columns["age"])
    np.testing.assert_array_equal(found["liked"], np.where(rows.known[:, 1], rows.labels[:, 1], 0))
    assert set(found) == {*rows.columns, "rel", "liked"}


def test_halves_share_no_group_and_leave_out_no_row(rows) -> None:
    searching, held_out = rows.halves(0.3, seed=1)
    assert len(searching) + len(held_out) == len(rows)
    assert held_out.groups.max() + 1 == round(0.3 * (rows.groups.max() + 1))
    known = dict(zip(rows.columns["worth"], rows.groups, strict=True))
    first, second = ({known[worth] for worth in part.columns["worth"]} for part in (searching, held_out))
    assert not first & second
    np.testing.assert_array_equal(rows.halves(0.3, seed=1)[0].scores, searching.scores)
    assert not np.array_equal(rows.halves(0.3, seed=2)[1].columns["worth"], held_out.columns["worth"])


@pytest.mark.parametrize("share", [0.0, 1.0, 0.001])
def test_either_half_needs_groups(rows, share: float) -> None:
    with pytest.raises(DataError, match="90 groups cannot be split"):
        rows.halves(share, seed=0)
