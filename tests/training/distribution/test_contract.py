"""What a trainer may ask of every distribution; those of several processes are tested with real ones."""

from pathlib import Path

import pytest
import tensorflow as tf

from ranker.config.file import ConfigError
from tests.training.data.test_batches import rows
from tests.two_devices import DEVICES
from training.config.distribute import Mirrored as MirroredOptions
from training.config.distribute import MultiWorker as MultiWorkerOptions
from training.config.distribute import OneProcess, ParameterServer
from training.config.training import Training
from training.distribution import DISTRIBUTIONS, Mirrored, MultiWorker
from training.distribution.base import ChiefEndedError, Distribution

OPTIONS = {kind().name: kind for kind in (OneProcess, MirroredOptions, MultiWorkerOptions, ParameterServer)}
HERE = {"one": {"readers": 4}, "mirrored": {"devices": DEVICES, "readers": 4}}


def made(name):
    return DISTRIBUTIONS[name](Training(batch_size=32, distribute={"name": name, **HERE[name]}))


@pytest.mark.parametrize("name", list(DISTRIBUTIONS))
def test_its_options_are_in_the_config(name):
    assert DISTRIBUTIONS[name].name == name
    assert Training.model_validate({"distribute": name}).distribute == OPTIONS[name]()


@pytest.mark.parametrize("name", list(HERE))
def test_variables_steps_and_decisions(tmp_path, name):
    distribution = made(name)
    with distribution.scope():
        assert tf.Variable([1.0]).numpy() == [1.0]
    assert distribution.steps_per_epoch(rows(tmp_path)) == 10
    assert distribution.chief
    assert distribution.agreed({"best": float("-inf")}) == {"best": float("-inf")}
    assert distribution.decided(lambda: [1, 2]) == [1, 2]
    assert distribution.led(lambda: tmp_path) is tmp_path
    with pytest.raises(ZeroDivisionError):
        distribution.decided(lambda: 1 // 0)


class Told(Distribution):
    """One of two processes in one thread: the chief's values wait to be read."""

    name = "told"

    def __init__(self, chief, values):
        self.chief, self.values = chief, values

    def agreed(self, value):
        if self.chief:
            self.values.append(value)
            return value
        return self.values.pop(0)


def test_the_chief_decides_and_its_errors_end_the_others():
    values, written = [], []
    chief, other = Told(True, values), Told(False, values)
    assert chief.decided(lambda: "stop") == other.decided(lambda: "go on") == "stop"
    chief.led(lambda: written.append("rows"))
    assert other.led(lambda: list(written)) == ["rows"]
    with pytest.raises(OSError, match="disk"):
        chief.decided(Path("/dev/null/disk").read_bytes)
    with pytest.raises(ChiefEndedError, match=r"worker 0, which writes for all, has ended: .*disk"):
        other.decided(list)


def test_workers_with_several_devices_agree():
    """Devices of one process stand for those of all: they take part in the same exchange."""
    worker = object.__new__(MultiWorker)
    worker.chief, worker.strategy = True, tf.distribute.MirroredStrategy(DEVICES)
    value = {"best": float("-inf"), "history": [{"mean_auc": 0.1, "task": "öffnen"}]}
    assert worker.agreed(value) == value


def test_devices_that_are_not_here():
    for devices, problem in ((("GPU:7",), "'GPU:7' is not here; this machine has CPU:0"), (("CPU:0",) * 2, "twice")):
        with pytest.raises(ConfigError, match=f"training.distribute.devices: .*{problem}"):
            Mirrored(Training(distribute={"name": "mirrored", "devices": devices}))
