"""`fit` from a DataFrame: a run that is resumed, exported, measured and searched like one from files."""

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import ranker
import training
from ranker.config.file import ConfigError
from ranker.log_files.errors import DataError
from tests.training.conftest import QUICK

CONFIG = {**QUICK, "training": {"epochs": 1, "batch_size": 256}, "evaluation": {"group_by": "user_id", "bootstrap": 0}}


@pytest.fixture(scope="module")
def frame(log) -> pd.DataFrame:
    return pq.read_table(log).to_pandas()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("api")


@pytest.fixture(scope="module")
def run(frame, folder):
    found = training.fit(CONFIG, frame, output=folder / "out", progress=False)
    assert found.artifact is None
    found.export()
    return found


def test_a_frame_trains_what_its_file_trains(run, log, folder, tmp_path):
    of_files = training.fit(CONFIG, log, output=tmp_path / "files", progress=False)
    assert of_files.metrics["mean_auc"] == pytest.approx(run.metrics["mean_auc"])
    assert [record["epoch"] for record in run.history] == [1]
    assert repr(run) == f"<TrainingRun in {str(folder / 'out')!r}, exported as version 1>"
    assert "not exported" in repr(of_files)


def test_what_is_exported_scores_without_the_run(run, folder, frame):
    assert run.export().folder == folder / "out" / "1"
    assert not (folder / "out" / "2").exists()
    model = ranker.load(folder / "out", engine="onnxruntime")
    shown = frame[frame["user_id"] == frame["user_id"].iloc[0]]
    ranking = model.rank(shown.head(1), shown, top_k=3)
    assert ranking.ids == [shown["item_id"].iloc[place] for place in ranking.positions]


def test_the_same_frame_is_taken_up_and_another_replaces_it(run, frame, folder):
    (stored,) = (folder / "out" / "tables").iterdir()
    again = training.fit(CONFIG, frame.copy(), output=folder / "out", progress=False)
    assert again.artifact.folder == folder / "out" / "1"
    assert [path.name for path in (folder / "out" / "tables").iterdir()] == [stored.name]
    assert again.metrics["mean_auc"] == run.metrics["mean_auc"]
    assert again.history == run.history


def test_a_run_can_be_exported_elsewhere(run, folder):
    other = training.TrainingRun(run.folder, run.experiment, run._console, None, run.artifact)
    assert other.export(folder / "elsewhere").folder == folder / "elsewhere" / "1"


def test_its_own_rows_are_known_when_it_is_measured(run, frame):
    held_out = training.evaluate(run.artifact, frame, validation=True, bootstrap=0, progress=False)
    assert held_out["mean_auc"] == pytest.approx(run.metrics["mean_auc"], abs=1e-4)
    whole = training.evaluate(run.folder, pa.Table.from_pandas(frame), bootstrap=0, progress=False)
    assert "are from the time range that the model was trained on" in whole["cautions"][0]


def test_rows_of_a_random_split_are_found_again_in_the_same_frame(frame, tmp_path):
    config = {**CONFIG, "data": {"split": {"by": "random", "fraction": 0.2}}}
    run = training.fit(config, frame, output=tmp_path / "out", progress=False)
    artifact = run.export()
    held_out = training.evaluate(artifact, frame, validation=True, bootstrap=0, progress=False)
    assert held_out["mean_auc"] == pytest.approx(run.metrics["mean_auc"], abs=1e-4)
    with pytest.raises(DataError, match="random depends on row positions"):
        training.evaluate(artifact, frame.head(50), validation=True, bootstrap=0, progress=False)


def test_a_frame_is_searched(run, frame, tmp_path):
    options = training.SearchOptions(budget=20, bootstrap=0, jobs=1)
    found = training.search(run.artifact, frame, options, output=tmp_path / "search", progress=False)
    assert found.to_dict()["parameters"]
    assert (tmp_path / "search" / "search.html").is_file()


def test_mistakes_are_named(frame, tmp_path):
    wrong = {**CONFIG, "trainin": {"epochs": 1}}
    with pytest.raises(ConfigError, match=r"the config has 1 mistake.*\n *trainin: .*did you mean 'training'"):
        training.fit(wrong, frame, output=tmp_path)
    with pytest.raises(DataError, match="data: must be a DataFrame, an Arrow table or paths of files, got int"):
        training.fit(CONFIG, 3, output=tmp_path)
    with pytest.raises(ConfigError, match=r"vary\['architecture'\]: must be a list of values to try, got 'mmoe'"):
        training.compare(CONFIG, frame, vary={"architecture": "mmoe"}, output=tmp_path)
    with pytest.raises(AttributeError, match="has no attribute 'fitt'"):
        training.fitt  # noqa: B018
