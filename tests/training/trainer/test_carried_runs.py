"""Runs that carry an artifact on: killed and resumed, called again, and exported without state."""

import shutil

import numpy as np
import pytest

from ranker.artifact import ArtifactError, load
from ranker.log_files.log_reader import DataError
from tests.training.days import CONFIG, rows
from tests.training.trainer.states import state_arrays
from training.commands.fit import TrainingRun, fit
from training.config.experiment import checked
from training.data.earlier import Arrays, opened
from training.data.trained_on import TrainedOn
from training.progress_listener import RunListener
from training.trainer.run_folder import EXPORTED
from training.trainer.train import train

STATELESS = checked(
    {**CONFIG, "export": {"keep_state": False}, "training": {**CONFIG["training"], "checkpoint_every": 1}}
)


def state(run: TrainingRun) -> Arrays:
    """Variables and moments of the best epoch."""
    made = run.trained
    facts, variables = state_arrays(made.model, made.prepared, made.experiment, made.parent)
    assert (facts.fits, facts.first_day, facts.day) == (2, 20454, 20455)
    return variables


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    file = tmp_path_factory.mktemp("log") / "day.parquet"
    rows(2, "abcd", 1).to_parquet(file)
    return file


@pytest.fixture(scope="module")
def unbroken(first, log, tmp_path_factory) -> TrainingRun:
    """In the folder of the artifact that it carries on, exported without state."""
    output = tmp_path_factory.mktemp("unbroken")
    shutil.copytree(first.folder, output / "1")
    run = fit(STATELESS, log, output=output, from_artifact=output, progress=False)
    run.export()
    return run


def test_killed_in_the_middle_it_goes_on_to_the_same_bits(first, unbroken, log, tmp_path):
    class Killed(BaseException):
        pass

    def kill(epoch: int, step: int, *_: object) -> None:
        if (epoch, step) == (2, 2):
            raise Killed

    with pytest.raises(Killed):
        train(STATELESS, [log], tmp_path, RunListener(step=kill), earlier=opened(first))
    with pytest.raises(DataError, match=r"differs in the artifact that it carries on \(--from\)"):
        fit(STATELESS, log, output=tmp_path, progress=False)
    again = fit(STATELESS, log, output=tmp_path, from_artifact=first, progress=False)
    expected = state(unbroken)
    found = state(again)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)
    moved = [name for name in expected if not np.array_equal(expected[name], opened(first).variables.get(name))]
    assert any(name.startswith("embedding/") for name in moved)


def test_called_again_it_does_not_carry_its_own_result_on(unbroken, log):
    output = unbroken.folder
    again = fit(STATELESS, log, output=output, from_artifact=output, progress=False)
    assert again.artifact is not None
    assert again.artifact.manifest.version == 2


def test_killed_between_the_export_and_its_record_it_is_not_exported_again(unbroken, log):
    output = unbroken.folder
    (output / "run" / EXPORTED).unlink()
    resumed = fit(STATELESS, log, output=output, from_artifact=output, progress=False)
    assert resumed.trained.parent is not None
    assert resumed.trained.parent.version == 1
    assert resumed.history == unbroken.history
    assert resumed.export().folder == output / "2"
    assert not (output / "3").exists()
    assert (output / "run" / EXPORTED).is_file()


def test_files_of_the_fits_before_are_remembered(first, unbroken):
    seen = TrainedOn.model_validate(load(unbroken.folder).manifest.trained_on)
    assert seen.earlier == TrainedOn.model_validate(first.manifest.trained_on).files
    assert seen.all_files() == (*seen.earlier, *seen.files)


def test_an_artifact_without_state_is_served_and_not_carried_on(unbroken, log):
    artifact = load(unbroken.folder)
    assert artifact.manifest.chain is not None
    assert not (artifact.folder / "state").exists()
    with pytest.raises(ArtifactError, match=r"export: \{keep_state: false\}"):
        fit(STATELESS, rows(3, "abcd", 2), output=unbroken.folder, from_artifact=artifact, progress=False)
