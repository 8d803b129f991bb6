import shutil

import pytest

from ranker.log_files.log_reader import Log
from tests.training.conftest import CONFIG, written
from training.config.experiment import load
from training.trainer.checkpoints import RunState, saved_state
from training.trainer.finished import finished
from training.trainer.finished import trained as known_as_trained


@pytest.mark.parametrize(
    ("state", "ended"),
    [
        (RunState(epoch=2), False),
        (RunState(epoch=3), True),
        (RunState(epoch=1, without_gain=1), False),
        (RunState(epoch=2, without_gain=2), True),
    ],
)
def test_a_training_ends_after_its_epochs_or_without_gain(tmp_path, state, ended):
    assert finished(load(written(tmp_path, CONFIG, early_stopping={"patience": 2})), state) is ended


def test_a_run_is_known_to_be_trained_without_its_model(trained, tmp_path):
    folder, log = tmp_path / "run", Log([trained.log])
    shutil.copytree(trained.output / "run", folder)
    state = saved_state(folder / "checkpoints")
    assert (state.epoch, state.step, [record["epoch"] for record in state.history]) == (3, 0, [1, 2, 3])
    assert known_as_trained(trained.experiment, log, folder, None)
    other = load(written(tmp_path, CONFIG, training={**CONFIG["training"], "epochs": 2}))
    assert not known_as_trained(other, log, folder, None)
    shutil.rmtree(folder / "checkpoints")
    assert not known_as_trained(trained.experiment, log, folder, None)
    assert saved_state(folder / "checkpoints") is None
