"""Training in one process, on several devices, each with a copy of the model."""

from contextlib import AbstractContextManager
from functools import cache
from typing import Any

import tensorflow as tf

from ranker.config.file import ConfigError
from training.config.distribute import Mirrored as Options
from training.config.training import Training
from training.distribution.base import DISTRIBUTIONS
from training.distribution.one import One


@DISTRIBUTIONS.register("mirrored")
class Mirrored(One):
    """Devices that step together, each on its share of a batch: ``tf.distribute.MirroredStrategy``."""

    name = "mirrored"

    def __init__(self, settings: Training) -> None:
        super().__init__(settings)
        assert isinstance(settings.distribute, Options), "the registry's name is the config's"
        self.strategy = _strategy(settings.distribute.devices or _devices())

    def scope(self) -> AbstractContextManager[Any]:
        """The strategy's scope: every device gets a copy of a variable."""
        scope: AbstractContextManager[Any] = self.strategy.scope()
        return scope


def _devices() -> tuple[str, ...]:
    """All GPUs, or the CPU."""
    gpus = tf.config.list_logical_devices("GPU")
    return tuple(f"GPU:{number}" for number in range(len(gpus))) or ("CPU:0",)


@cache
def _strategy(devices: tuple[str, ...]) -> tf.distribute.Strategy:
    """One strategy for all trainings of this process on these devices."""
    known = [device.name.removeprefix("/device:") for device in tf.config.list_logical_devices()]
    for number, device in enumerate(devices):
        if device.removeprefix("/").removeprefix("device:").upper() not in known:
            raise ConfigError(
                f"training.distribute.devices: {device!r} is not here; this machine has {', '.join(known)}"
            )
        if device in devices[:number]:
            raise ConfigError(f"training.distribute.devices: {device!r} is there twice")
    return tf.distribute.MirroredStrategy(devices)
