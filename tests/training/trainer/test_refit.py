"""Runs whose model is trained again on all rows: what that model is, what stays, and what a kill leaves."""

import io
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from ranker.engines.row_tables import described
from ranker.log_files.log_reader import DataError
from tests.training.days import CONFIG, rows
from tests.training.trainer.states import state_arrays
from training.commands.evaluate import evaluate
from training.commands.export import exports, finish
from training.config.experiment import Experiment, checked
from training.data.earlier import opened
from training.export.report_data import read
from training.export.tables import TableOptions
from training.progress_listener import RunListener
from training.reports.artifact.page import to_html
from training.reports.run import run_page
from training.trainer.refit import refitted
from training.trainer.train import Run, reopen, train

ROWS = 160
ADAM = {"name": "adam", "schedule": "cosine"}


def config(**training) -> Experiment:
    """Trains for two epochs along a cosine, with dropout, and saves each step."""
    changes = {
        "training": {**CONFIG["training"], "checkpoint_every": 1, "refit": True, **training},
        "architecture": {**CONFIG["architecture"], "dropout": 0.2},
        "optimizer": {"dense": ADAM, "embeddings": {**ADAM, "learning_rate": 0.01}},
        "fusion": {"name": "additive", "calibration": {"click": "platt"}},
    }
    return checked({**CONFIG, **changes})


def variables(run: Run):
    """Values and moments of the model's variables."""
    return state_arrays(run.model, run.prepared, run.experiment, run.parent)[1]


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)


@pytest.fixture(scope="module")
def parent(first):
    """The artifact of the day before."""
    return opened(first)


@pytest.fixture(scope="module")
def day(tmp_path_factory) -> Path:
    file = tmp_path_factory.mktemp("day") / "day.parquet"
    rows(2, "abcd", 1).to_parquet(file)
    return file


@pytest.fixture(scope="module")
def cut(tmp_path_factory) -> Path:
    """What a kill in the second step of the refit's second epoch leaves of the run."""
    return tmp_path_factory.mktemp("cut") / "out"


@pytest.fixture(scope="module")
def run(parent, day, cut, tmp_path_factory) -> Run:
    output = tmp_path_factory.mktemp("run")

    def keep(epoch: int, step: int, *_: object) -> None:
        if (epoch, step) == (2, 2):
            shutil.copytree(output, cut)

    return train(config(), [day], output, RunListener(refit_step=keep), earlier=parent)


@pytest.fixture(scope="module")
def unfinished(run, cut) -> Run:
    """The run that a kill leaves: its first training."""
    return reopen(cut)


@pytest.fixture(scope="module")
def artifact(run):
    """Exported with rounded rows beside the graph."""
    output = run.folder.parent
    return finish(run, output, Console(file=io.StringIO()), TableOptions("beside", "float16", 0.9))


def test_it_is_trained_as_a_run_on_all_rows_is_and_cut_where_the_first_training_was_best(run, parent, day, tmp_path):
    class Killed(BaseException):
        pass

    def kill(record):
        raise Killed

    rows(2, "abcd", 2).to_parquet(tmp_path / "other.parquet")
    split = {"by": "files", "paths": [str(tmp_path / "other.parquet")]}
    of_all = config(refit=False).model_copy(update={"data": checked({**CONFIG, "data": {"split": split}}).data})
    with pytest.raises(Killed):  # after the first of two epochs
        train(of_all, [day], tmp_path / "of_all", RunListener(epoch=kill), earlier=parent)
    history = [{**record, "best": record["epoch"] == 1} for record in run.history]
    found = refitted(replace(run, refit=None, history=history, folder=tmp_path / "run"), earlier=parent)
    assert found.refit is not None
    assert (found.refit.epochs, found.refit.rows) == (1, ROWS)
    assert_same(variables(found), variables(reopen(tmp_path / "of_all")))


def test_killed_it_goes_on_to_the_same_bits(run, cut, unfinished, parent, day):
    assert unfinished.refit is None
    assert len(unfinished.prepared.training) < ROWS
    notes: list[str] = []
    again = train(config(), [day], cut, RunListener(note=notes.append), earlier=parent)
    assert any("refit: resuming from epoch 2, step 1" in note for note in notes)
    assert_same(variables(again), variables(run))
    assert again.metrics == run.metrics
    assert_same(variables(reopen(cut)), variables(run))


def test_the_artifact_is_of_the_second_training_and_all_measures_are_of_the_first(artifact, run, unfinished):
    first, manifest = unfinished, artifact.manifest
    assert manifest.refit.model_dump() == {"epochs": 2, "rows": ROWS, "first_rows": len(first.prepared.training)}
    assert exports(run, artifact)
    assert not exports(first, artifact)
    assert first.metrics == run.metrics == manifest.metrics
    data = read(artifact.folder)
    np.testing.assert_array_equal(data.rows.scores, first.predictions.scores[: len(data.rows.scores)])
    assert described(artifact.model_path)["agreement"]["ndcg"] > 0.9999  # of rounded rows with the model's own scores
    golden = artifact.golden[0]
    packed = artifact.encoder.encode({k: [v] for k, v in golden.context.items()}, golden.candidates)
    arrays = {name: array for name, array in packed._asdict().items() if array.shape[1]}
    np.testing.assert_allclose(run.model(arrays).numpy()[:, 0], golden.scores["click"], atol=1e-4)
    assert np.abs(first.model(arrays).numpy()[:, 0] - golden.scores["click"]).max() > 1e-3


def test_reports_say_so(artifact, run):
    told = f"trained again on all {ROWS} rows for 2 epoch(s); metrics and calibration are those of the first training"
    assert told in to_html(artifact, read(artifact.folder), sets=2)
    assert told in run_page({}, run.history, {}, run.best_epoch, run.refit)


def test_held_out_rows_were_trained_on(artifact, day):
    (caution,) = evaluate(artifact, day, bootstrap=0, progress=False)["cautions"]
    assert "the model was trained on day.parquet: metrics on those rows are too good. A refit" in caution
    with pytest.raises(DataError, match="no row is held out: the model was trained again on all rows"):
        evaluate(artifact, day, validation=True, progress=False)


def test_rows_that_cannot_be_trained_on_are_told_before_training(day, tmp_path):
    rows(2, "abcd", 2).drop(columns="date").to_parquet(tmp_path / "other.parquet")  # validation alone needs no day
    split = {"by": "files", "paths": [str(tmp_path / "other.parquet")]}
    experiment = config().model_copy(update={"data": checked({**CONFIG, "data": {"split": split}}).data})
    with pytest.raises(DataError, match=r"other\.parquet has no column 'date'"):
        train(experiment, [day], tmp_path / "out")
    assert not (tmp_path / "out" / "run" / "checkpoints").exists()
