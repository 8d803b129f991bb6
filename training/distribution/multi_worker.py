"""Training in several processes, on one machine or many, that step together on one batch."""

import json
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any

import numpy as np
import tensorflow as tf

from ranker.config.file import ConfigError
from ranker.lost_process import LostProcessError
from ranker.model import RankingModel
from training.config.distribute import MultiWorker as Options
from training.config.training import Training
from training.data.batches import EncodedRows
from training.data.readers import steps_of
from training.distribution.base import DISTRIBUTIONS, Distribution
from training.distribution.cluster import Cluster, answers, cluster_of
from training.distribution.reading import dataset
from training.distribution.serving_roles import listening, say

PROBE = 2.0
"""Seconds to wait for a connection to another worker."""


class LostWorkerError(LostProcessError):
    """Another process has ended or cannot be reached, so this one cannot go on."""


@DISTRIBUTIONS.register("multi_worker")
class MultiWorker(Distribution):
    """Processes with a copy of the model each: ``tf.distribute.MultiWorkerMirroredStrategy``.

    Each reads its own readers' rows. Worker 0 is the chief.
    """

    name = "multi_worker"

    def __init__(self, settings: Training) -> None:
        super().__init__(settings)
        self.cluster = workers(settings)
        self.chief = self.cluster.number == 0
        self.readers, self.processes = readers_of(settings, self.cluster), len(self.cluster.workers)

    def join(self) -> None:
        """Wait for the other workers, and say for which. Raises ``ConfigError`` if this worker's port is in use."""
        if absent := unreachable(self.cluster):
            names = ", ".join(f"worker {number} at {self.cluster.workers[number]}" for number in absent)
            say(f"worker {self.cluster.number}: waiting for {names}")
        with self._naming(), listening(self.cluster):
            self.strategy = _strategy(self.cluster.tf_config())

    def scope(self) -> Any:
        """The strategy's scope; initial values are the chief's."""
        return self._scope()

    @contextmanager
    def _scope(self) -> Iterator[None]:
        with self._naming(), self.strategy.scope():
            yield

    def steps_per_epoch(self, rows: EncodedRows) -> int:
        """Steps of an epoch, the same in all workers."""
        return steps_of(rows, self.settings.batch_size, self.readers)

    def steps(
        self, model: RankingModel, rows: EncodedRows, epoch: int, skip: int, pause: int
    ) -> Iterator[Mapping[str, Any]]:
        """One step after the other; no worker begins one before the others have taken the one before."""
        del pause
        share = self.readers // self.processes
        own = range(self.cluster.number * share, (self.cluster.number + 1) * share)
        with self._naming():
            batches = iter(dataset(rows, self.settings, epoch, skip, self.readers, own))
            step = model.make_train_function()
            for _ in range(self.steps_per_epoch(rows) - skip):
                yield {name: value.numpy() for name, value in step(batches).items()}

    def agreed(self, value: Any) -> Any:
        """The chief's value, as JSON, by a sum to which the others add zeros."""
        text = np.frombuffer(json.dumps(value).encode(), np.uint8).astype(np.int32)
        with self._naming():
            length = int(self._summed(np.array([len(text) if self.chief else 0], np.int32))[0])
            whole = self._summed(text if self.chief else np.zeros(length, np.int32))
        return json.loads(whole.astype(np.uint8).tobytes())

    def _summed(self, values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """The sum of all processes' values; of a process's devices the first one has them, the others zeros."""
        own = iter([values])
        with self.strategy.scope():
            shares = self.strategy.experimental_distribute_values_from_function(
                lambda _: tf.constant(next(own, np.zeros_like(values)))
            )
            total = self.strategy.reduce(tf.distribute.ReduceOp.SUM, shares, axis=None)
        return np.asarray(total)

    @contextmanager
    def _naming(self) -> Iterator[None]:
        """Raise ``LostWorkerError`` that names the workers that cannot be reached, for TensorFlow's errors."""
        try:
            yield
        except tf.errors.OpError as error:
            lost = unreachable(self.cluster)
            if not lost and not isinstance(error, _LOST):
                raise
            raise LostWorkerError(_told(self.cluster, lost, error)) from None


_LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.InternalError,
)
"""What collective operations raise when a peer has gone."""


def workers(settings: Training) -> Cluster:
    """The config's cluster. Raises ``ConfigError`` if it has fewer than two workers, or this process is none."""
    options = settings.distribute
    assert isinstance(options, Options), "the registry's name is the config's"
    cluster = cluster_of(options.hosts, "multi_worker")
    if cluster.role not in ("chief", "worker"):
        raise ConfigError(
            f"{cluster.source}: multi_worker has workers only, and this process is of the role {cluster.role!r}; "
            "use distribute: parameter_server for tables on servers"
        )
    if len(cluster.workers) < 2:
        raise ConfigError(
            f"{cluster.source}: multi_worker needs two workers or more, got one; use distribute: one, or mirrored for "
            "several GPUs of one machine"
        )
    return cluster


def readers_of(settings: Training, cluster: Cluster) -> int:
    """The number of readers. Raises ``ConfigError`` if it is no multiple of the workers, or batches are too small."""
    options, count = settings.distribute, len(cluster.workers)
    assert isinstance(options, Options), "the registry's name is the config's"
    readers = options.readers or count
    if readers % count:
        raise ConfigError(
            f"training.distribute.readers: must be a multiple of the {count} workers, so that each reads as much, got "
            f"{readers}"
        )
    if settings.batch_size < readers:
        raise ConfigError(f"training.batch_size: must be at least the {readers} readers, got {settings.batch_size}")
    return readers


def unreachable(cluster: Cluster) -> list[int]:
    """Numbers of the other workers that accept no connection."""
    others = enumerate(cluster.workers)
    return [number for number, address in others if number != cluster.number and not answers(address, PROBE)]


def _told(cluster: Cluster, lost: list[int], error: Exception) -> str:
    names = ", ".join(f"worker {number} ({cluster.workers[number]})" for number in lost)
    if not names:
        reason = " ".join(line for line in str(error).splitlines() if "rror" not in line or ": " in line)[:300]
        names = f"another worker ({reason})"
    return (
        f"{names} cannot be reached any more, so this one, worker {cluster.number}, ends; unless it was killed, its "
        "output says why. Start all workers again with the same command: training resumes from the last checkpoint"
    )


@cache
def _strategy(tf_config: str) -> tf.distribute.Strategy:
    """The strategy of this process, which waits until all workers are there; one for all its trainings."""
    content = json.loads(tf_config)
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec(content["cluster"]),
        task_type=content["task"]["type"],
        task_id=content["task"]["index"],
        num_accelerators={"GPU": len(tf.config.list_physical_devices("GPU"))},
        rpc_layer="grpc",
    )
    strategy = tf.distribute.MultiWorkerMirroredStrategy(resolver)
    with suppress(ValueError):  # of a thread, to which signals do not come
        # TensorFlow takes SIGTERM to be a warning, and swallows it.
        signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGTERM))
    return strategy
