from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ranker.log_files.log_reader import DataError, Log
from tests.training.conftest import quick
from tests.training.stored import file_of
from training.config.experiment import Experiment
from training.data.split.held_out import split
from training.data.trained_on import (
    MOST_FILES,
    SeenFile,
    TrainedOn,
    check_held_out,
    first_split,
    held_out,
    overlap,
    trained_on,
)

ROWS = 1000
DAYS = [f"2026-01-{1 + i // 100:02d}" for i in range(ROWS)]
FRAME = pd.DataFrame({"row": np.arange(ROWS), "list": np.arange(ROWS) // 4, "day": DAYS, "at": pd.to_datetime(DAYS)})
BY_DAY = {"by": "time", "column": "day", "last": 2}


@pytest.fixture
def artifact_of(artifact, tmp_path):
    """An artifact as if it had been trained on files, split by a rule."""

    def made(rule, files, refit=False, **changes):
        experiment: Experiment = quick(tmp_path, data={"split": rule})
        seen = trained_on(split(Log(files), experiment.data.split, experiment.training.seed), refit=refit)
        manifest = artifact.manifest.model_copy(
            update={
                "experiment": experiment.model_dump(mode="json", by_alias=True),
                "trained_on": seen.model_dump(mode="json"),
                **changes,
            }
        )
        return replace(artifact, manifest=manifest)

    return made


@pytest.fixture
def file(tmp_path):
    FRAME.to_parquet(tmp_path / "log.parquet")
    return tmp_path / "log.parquet"


def rows_of(made):
    return [r for chunk, mask in made.validation(["row"]) for r in np.asarray(chunk.columns["row"])[mask].tolist()]


@pytest.mark.parametrize("column", ["day", "at"])
def test_rows_of_the_training_time_are_counted(artifact_of, file, column):
    artifact = artifact_of({**BY_DAY, "column": column}, [file])
    (caution,) = overlap(artifact, Log([file]))
    assert "800 of 1,000 rows (80.0%) are from the time range that the model was trained on" in caution
    assert f"({column} from 2026-01-01 to " in caution
    assert "to before 2026-01-09)" in caution
    assert overlap(artifact, Log([file_of(FRAME[800:])])) == []
    assert "100 of 300 rows (33.3%)" in overlap(artifact, Log([file_of(FRAME[700:])]))[0]


def test_the_time_in_another_form_is_counted_and_of_another_kind_is_told(artifact_of, file):
    artifact = artifact_of(BY_DAY, [file])
    stamps = FRAME.assign(day=FRAME["at"])
    assert "800 of 1,000 rows" in overlap(artifact, Log([file_of(stamps)]))[0]
    for other in (FRAME.assign(day=1), FRAME.drop(columns="day")):
        (caution,) = overlap(artifact, Log([file_of(other)]))
        assert f"cannot tell whether the model was trained on rows of this time: {file_of(other)}" in caution


def test_a_log_of_another_unit_of_time_is_told(artifact_of, tmp_path):
    seconds, other = tmp_path / "seconds.parquet", tmp_path / "milliseconds.parquet"
    at = FRAME["at"].to_numpy("datetime64[s]").astype(np.int64)
    FRAME.assign(at=at).to_parquet(seconds)
    FRAME.assign(at=at * 1000).to_parquet(other)
    artifact = artifact_of({"by": "time", "column": "at", "last": 2}, [seconds])
    told = "milliseconds since 1970, but the model was trained on seconds"
    assert told in overlap(artifact, Log([other]))[0]
    with pytest.raises(DataError, match=told):
        rows_of(held_out(artifact, Log([other])))


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ({"by": "random", "fraction": 0.25}, "the model was trained on copy.parquet, on about 75% of the rows"),
        ({"by": "group", "column": "list", "fraction": 0.25}, "trained on copy.parquet, on about 75% of the rows"),
        ({"by": "files", "paths": ["FILE"]}, "the model was trained on copy.parquet: metrics"),
    ],
)
def test_a_file_that_was_trained_on_is_known_by_its_content(artifact_of, file, tmp_path, rule, told):
    FRAME[500:].to_parquet(tmp_path / "held-out.parquet")
    rule = {name: [str(tmp_path / "held-out.parquet")] if name == "paths" else value for name, value in rule.items()}
    artifact = artifact_of(rule, [file])
    (tmp_path / "copy.parquet").write_bytes(file.read_bytes())
    FRAME[:500].to_parquet(tmp_path / "other.parquet")
    (caution,) = overlap(artifact, Log([tmp_path / "copy.parquet", tmp_path / "other.parquet"]))
    assert told in caution
    assert overlap(artifact, Log([tmp_path / "other.parquet"])) == []


def test_no_folder_of_the_log_is_kept(artifact_of, file):
    assert str(file.parent) not in str(artifact_of(BY_DAY, [file]).manifest.trained_on)


def test_an_artifact_of_before_says_that_it_does_not_know(artifact_of, file):
    (caution,) = overlap(artifact_of(BY_DAY, [file], trained_on={}), Log([file]))
    assert "does not say which rows it was trained on" in caution


def test_rows_are_held_out_where_the_artifacts_were(artifact_of, file):
    artifact = artifact_of(BY_DAY, [file])
    longer = pd.concat([FRAME, FRAME[:100].assign(day="2026-01-11", row=np.arange(1000, 1100))])
    assert rows_of(held_out(artifact, Log([file_of(longer)]))) == list(range(800, 1100))
    assert rows_of(held_out(artifact, Log([file_of(FRAME[:300])]))) == []
    for rule in ({"by": "random", "fraction": 0.25}, {"by": "group", "column": "list", "fraction": 0.25}):
        artifact = artifact_of(rule, [file])
        own = split(Log([file]), Experiment.model_validate(artifact.manifest.experiment).data.split, 0)
        assert rows_of(held_out(artifact, Log([file]))) == rows_of(own) != []


@pytest.mark.parametrize("column", ["day", "at", "row", "part"])
def test_of_a_refit_by_time_all_rows_were_trained_on_and_later_ones_are_held_out(artifact_of, file, column):
    fractions = FRAME.assign(part=FRAME["row"] / 7)
    fractions.to_parquet(file)
    artifact = artifact_of({"by": "time", "column": column, "fraction": 0.2}, [file], refit=True)
    log = Log([file])
    (caution,) = overlap(artifact, log)
    assert "1,000 of 1,000 rows (100.0%) are from the time range that the model was trained on" in caution
    assert "--validation" not in caution
    assert rows_of(held_out(artifact, log)) == []
    assert rows_of(first_split(artifact, log)) == list(range(800, 1000))
    later = fractions[:1].assign(day="2026-01-11", at=pd.Timestamp("2026-01-11"), row=1000, part=143.0)
    longer = Log([file_of(pd.concat([fractions, later]))])
    assert rows_of(held_out(artifact, longer)) == [1000]
    assert overlap(artifact, Log([file_of(later)])) == []


@pytest.mark.parametrize(
    "rule",
    [
        {"by": "random", "fraction": 0.25},
        {"by": "group", "column": "list", "fraction": 0.25},
        {"by": "files", "paths": ["FILE"]},
    ],
)
def test_of_another_refit_no_row_is_held_out(artifact_of, file, tmp_path, rule):
    held = tmp_path / "held-out.parquet"
    FRAME[:100].to_parquet(held)
    rule = {name: [str(held)] if name == "paths" else value for name, value in rule.items()}
    artifact = artifact_of(rule, [file], refit=True)
    for check in (lambda: check_held_out(artifact), lambda: held_out(artifact, Log([file]))):
        with pytest.raises(DataError, match=r"no row is held out: the model was trained again on all rows"):
            check()
    (caution,) = overlap(artifact, Log([held if rule["by"] == "files" else file]))
    assert ".parquet: metrics on those rows are too good. A refit trained on the held-out rows, too" in caution
    assert rows_of(first_split(artifact, Log([file])))


def test_a_random_split_of_other_files_is_refused(artifact_of, file, tmp_path):
    artifact = artifact_of({"by": "random", "fraction": 0.25}, [file])
    FRAME[:500].to_parquet(tmp_path / "other.parquet")
    with pytest.raises(DataError, match=r"only in the same files in the same order: log\.parquet"):
        held_out(artifact, Log([tmp_path / "other.parquet"]))


def test_a_file_of_an_earlier_fit_is_known_whatever_the_split(artifact_of, file, tmp_path):
    FRAME[:500].to_parquet(tmp_path / "before.parquet")
    by_group = {"by": "group", "column": "list", "fraction": 0.25}
    made = artifact_of(by_group, [tmp_path / "before.parquet"])
    before = TrainedOn.model_validate(made.manifest.trained_on).all_files()
    for rule in (BY_DAY, by_group):
        artifact = artifact_of(rule, [file])
        seen = TrainedOn.model_validate(artifact.manifest.trained_on).model_copy(update={"earlier": before})
        manifest = artifact.manifest.model_copy(update={"trained_on": seen.model_dump(mode="json")})
        cautions = overlap(replace(artifact, manifest=manifest), Log([tmp_path / "before.parquet"]))
        assert "an earlier fit, which the model carries on, was trained on before.parquet" in cautions[-1]
        assert not any("earlier fit" in text for text in overlap(replace(artifact, manifest=manifest), Log([file])))


def test_the_last_files_of_a_chain_are_kept_each_once():
    files = [SeenFile(name=f"{i}.parquet", size=1, digest=str(i)) for i in range(MOST_FILES + 5)]
    seen = TrainedOn(files=(*files[-2:], files[7]), earlier=tuple(files[:-2]))
    assert seen.all_files() == (*files[5:7], *files[8:], files[7])
