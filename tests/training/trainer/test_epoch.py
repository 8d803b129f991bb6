"""How processes that train together start: from one checkpoint, or not at all."""

import errno
from pathlib import Path
from types import SimpleNamespace

import pytest

from ranker.log_files.log_reader import DataError
from tests.training.distribution.test_contract import Told
from training.disk_full import DiskFullError
from training.distribution.base import ChiefEndedError
from training.trainer.checkpoints import RunState
from training.trainer.epoch import start

FOLDER = Path("runs/run/checkpoints")
UNTRAINED = SimpleNamespace(architecture=SimpleNamespace(trainable=False), position=None)
"""A model that starts from nothing."""


def started(distribution, state, save=None):
    checkpoints = SimpleNamespace(folder=FOLDER, latest=lambda: state, save=save)
    distribution.processes = 2
    return start(distribution, UNTRAINED, checkpoints, SimpleNamespace(position=None), None, None, print)


def test_others_go_on_from_the_checkpoint_that_the_chief_has_read():
    values, saved = [], []
    assert started(Told(True, values), None, saved.append) == RunState()
    assert saved == [RunState()]
    assert started(Told(False, values), RunState()) == RunState()
    state = RunState(epoch=2, step=3, history=[{"mean_auc": float("nan")}] * 2)
    assert started(Told(True, values), state) is started(Told(False, values), state) is state


@pytest.mark.parametrize(
    ("mine", "at"), [(RunState(epoch=1, step=4), "epoch 2, step 4"), (RunState(), "epoch 1, step 0")]
)
def test_a_process_that_finds_another_checkpoint_ends(mine, at):
    values = []
    started(Told(True, values), RunState(epoch=2))
    with pytest.raises(DataError) as error:
        started(Told(False, values), mine)
    assert f"{FOLDER}: the latest checkpoint is of {at}, and worker 0 goes on from epoch 3, step 0" in str(error.value)
    assert "storage that they share" in str(error.value)


def test_a_disk_without_room_for_the_first_checkpoint_ends_all():
    def full(state):
        raise OSError(errno.ENOSPC, "No space left on device")

    values = []
    with pytest.raises(DiskFullError, match=f"{FOLDER}: no space left on the disk; make room"):
        started(Told(True, values), None, full)
    with pytest.raises(ChiefEndedError, match="no space left on the disk; make room"):
        started(Told(False, values), None)
