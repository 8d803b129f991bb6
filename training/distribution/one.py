"""Training in one process, on one device."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import tensorflow as tf

from ranker.model import RankingModel
from training.config.training import Training
from training.data.batches import Batch, EncodedRows
from training.distribution.base import DISTRIBUTIONS, Distribution


@DISTRIBUTIONS.register("one")
class One(Distribution):
    """One process and one device."""

    name = "one"

    def scope(self) -> AbstractContextManager[Any]:
        """No context: variables are plain ones."""
        return nullcontext()

    def steps_per_epoch(self, rows: EncodedRows) -> int:
        """Batches of an epoch."""
        return rows.steps(self.settings.batch_size)

    def steps(
        self, model: RankingModel, rows: EncodedRows, epoch: int, skip: int, pause: int
    ) -> Iterator[Mapping[str, Any]]:
        """One step after the other; batches are read ahead."""
        del pause  # a step begins when the log of the one before has been taken
        batches, step = iter(dataset(rows, self.settings, epoch, skip)), model.make_train_function()
        for _ in range(self.steps_per_epoch(rows) - skip):
            yield step(batches)

    def agreed(self, value: Any) -> Any:
        """The value: there is no other process."""
        return value


def dataset(rows: EncodedRows, settings: Training, epoch: int, skip: int) -> tf.data.Dataset:
    """One epoch's shuffled batches from step ``skip`` on; ``settings`` are the config's ``training``."""
    first = next(rows.chunks())
    signature = {n: tf.TensorSpec([None, *a.shape[1:]], tf.as_dtype(a.dtype)) for n, a in first.items()}

    def batches() -> Iterator[Batch]:
        return rows.batches(settings.batch_size, settings.shuffle_rows, settings.seed, epoch, skip)

    return tf.data.Dataset.from_generator(batches, output_signature=signature).prefetch(2)
