"""What a trainer asks of the processes and devices that it trains on."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from ranker.layers.sharded_table import Partition
from ranker.lost_process import LostProcessError
from ranker.model import RankingModel
from ranker.registry import Registry
from training.config.experiment import Experiment
from training.config.training import Training
from training.data.batches import EncodedRows

Made = TypeVar("Made")


class ChiefEndedError(LostProcessError):
    """The process that writes has ended with an error, so the others end, too."""


class Distribution:
    """Base of the distributions; made, and joined, before TensorFlow has run an operation in the process.

    Attributes
    ----------
    settings
        The config's ``training``.
    chief
        Whether this process writes: records, checkpoints, logs, artifacts. One process of a training does.
    readers
        Streams of rows that make up a batch.
    processes
        Processes that train together, each with a copy of the model, and call the same methods in the same order.
    """

    name: ClassVar[str]
    copies: ClassVar[bool] = True
    """Whether its variables are copies, of which a plain model must be made to be measured and exported."""
    readers: int = 1
    processes: int = 1

    def __init__(self, settings: Training) -> None:
        self.settings = settings
        self.chief = True

    def serve(self, mark: Callable[[], Any]) -> None:
        """In a process that only does what the chief tells it: do so until the chief has ended, and end the process.

        ``mark`` reads what the chief leaves in the run's folder when all is done; nothing before.
        """
        del mark

    def join(self) -> None:
        """Wait until all processes that step together are there; what follows asks them all."""

    def scope(self) -> AbstractContextManager[Any]:
        """Context in which a model and its optimiser create their variables."""
        raise NotImplementedError

    def steps_per_epoch(self, rows: EncodedRows) -> int:
        """Number of steps in an epoch of these rows."""
        raise NotImplementedError

    def steps(
        self, model: RankingModel, rows: EncodedRows, epoch: int, skip: int, pause: int
    ) -> Iterator[Mapping[str, Any]]:
        """Train an epoch from step ``skip`` on; yield what each step logs (``RankingModel.train_step``), in order.

        Every ``pause`` steps, counted from the epoch's first, and after the last, no later step has begun when the log
        is yielded, so that the model can be saved as it is after that step.
        """
        raise NotImplementedError

    def partition(self, folder: Path) -> Partition | None:
        """How the tables of the run in ``folder`` are divided into shards; ``None`` for whole tables."""
        del folder
        return None

    def lost(self, error: Exception) -> Exception | None:
        """What to raise for an error in training that comes of another process; ``None`` for any other error."""
        del error
        return None

    def agreed(self, value: Any) -> Any:
        """The chief's ``value``, plain data, in every process; a barrier for those that step together."""
        raise NotImplementedError

    def decided(self, choose: Callable[[], Any]) -> Any:
        """What the chief's call of ``choose`` returns, plain data, in every process; the others wait meanwhile.

        Raises ``ChiefEndedError`` in the others if it raises.
        """
        told: Any = None
        if self.chief:
            try:
                told = {"value": choose()}
            except Exception as error:
                self.agreed({"ended": str(error)})
                raise
        told = self.agreed(told)
        if "ended" in told:
            raise ChiefEndedError(f"worker 0, which writes for all, has ended: {told['ended']}")
        return told["value"]

    def led(self, work: Callable[[], Made]) -> Made:
        """The result of ``work`` in each process, in the chief first: the others find what it has written."""
        made: list[Made] = []
        self.decided(lambda: made.append(work()))
        return made[0] if made else work()


DISTRIBUTIONS: Registry[type[Distribution]] = Registry("distribution")


def distribution_of(experiment: Experiment) -> Distribution:
    """The distribution that the config names. Raises ``ConfigError`` if this machine or its environment has it not."""
    return DISTRIBUTIONS[experiment.training.distribute.name](experiment.training)
