"""Training in one process, on one device."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from ranker.model import RankingModel
from training.config.distribute import Mirrored, OneProcess
from training.config.training import Training
from training.data.batches import EncodedRows
from training.data.readers import steps_of
from training.distribution.base import DISTRIBUTIONS, Distribution
from training.distribution.reading import dataset


@DISTRIBUTIONS.register("one")
class One(Distribution):
    """One process and one device."""

    name = "one"
    copies = False

    def __init__(self, settings: Training) -> None:
        super().__init__(settings)
        options = settings.distribute
        self.readers = options.readers if isinstance(options, OneProcess | Mirrored) else 1

    def scope(self) -> AbstractContextManager[Any]:
        """No context: variables are plain ones."""
        return nullcontext()

    def steps_per_epoch(self, rows: EncodedRows) -> int:
        """Batches of an epoch."""
        return steps_of(rows, self.settings.batch_size, self.readers)

    def steps(
        self, model: RankingModel, rows: EncodedRows, epoch: int, skip: int, pause: int
    ) -> Iterator[Mapping[str, Any]]:
        """One step after the other; batches are read ahead."""
        del pause  # a step begins when the log of the one before has been taken
        batches, step = iter(dataset(rows, self.settings, epoch, skip, self.readers)), model.make_train_function()
        for _ in range(self.steps_per_epoch(rows) - skip):
            yield step(batches)

    def agreed(self, value: Any) -> Any:
        """The value: there is no other process."""
        return value
