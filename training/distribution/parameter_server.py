"""Training with tables that are divided among servers, by workers that step each at its own pace."""

import os
import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import tensorflow as tf

from ranker.config.file import ConfigError
from ranker.layers.sharded_table import Partition
from ranker.log_files.log_reader import DataError
from ranker.lost_process import LostProcessError
from ranker.model import RankingModel
from ranker.step_plan import Turn
from training.config.distribute import ParameterServer
from training.config.training import Training
from training.data.batches import EncodedRows
from training.distribution.base import DISTRIBUTIONS, Distribution
from training.distribution.claims import Claims
from training.distribution.cluster import answers, cluster_of
from training.distribution.reading import signature_of
from training.distribution.serving_roles import LOOK, NAMES, listening, serve, wait_until_there
from training.distribution.shards import saved_partition
from training.distribution.step_logs import StepLogs
from training.distribution.worker_rows import Source, own_number, read_batch

WAIT = 600.0
"""Seconds that the chief waits for the other processes."""
AHEAD = 2
"""Steps that are handed out ahead, for each worker, without a bound on staleness."""
_TASK = re.compile(r"/job:ps/replica:0/task:(\d+)")
_GONE = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError)
_UNREAD = re.compile(r"(?:FileNotFoundError|PermissionError|NotADirectoryError): .*")
"""What a worker raised in reading a batch, in the message that TensorFlow hands on."""


class ServerLostError(LostProcessError):
    """A server has ended, and the rows that it held with it; the run can be resumed from its last checkpoint."""


@DISTRIBUTIONS.register("parameter_server")
class ParameterServers(Distribution):
    """Tables on servers, steps on workers, and a chief that hands out steps, measures, saves and exports.

    Raises ``ConfigError`` if ``TF_CONFIG`` lacks a role.
    """

    name = "parameter_server"
    copies = False

    def __init__(self, settings: Training) -> None:
        super().__init__(settings)
        assert isinstance(settings.distribute, ParameterServer), "the registry is by name"
        self.options = settings.distribute
        self.cluster = cluster_of(None, self.name)
        for role, what in (("chief", "the chief"), ("ps", "each server"), ("worker", "each worker")):
            if not self.cluster.jobs.get(role):
                raise ConfigError(f"TF_CONFIG: cluster.{role}: {self.name} needs the address of {what}")
        if self.cluster.role not in ("chief", *NAMES):
            raise ConfigError(f"TF_CONFIG: task.type: {self.name} has no {self.cluster.role}; use chief, ps, worker")
        self._strategy: tf.distribute.Strategy | None = None
        self._folder: Path | None = None
        self._claims: Claims | None = None
        self._traced: _Traced | None = None

    def serve(self, mark: Callable[[], Any]) -> None:
        """In a server or worker, serve the chief until that has ended, and end the process."""
        if self.cluster.role in NAMES:
            serve(self.cluster, self.settings, mark)

    @property
    def workers(self) -> int:
        """Number of workers."""
        return len(self.cluster.jobs["worker"])

    def partition(self, folder: Path) -> Partition:
        """By the number of servers that the run in ``folder`` was begun with; others may hold its shards later."""
        self._folder = folder
        return saved_partition(folder, Partition(len(self.cluster.servers), self.options.shard_bytes))

    def scope(self) -> AbstractContextManager[Any]:
        """Variables are created on the servers, in turn. Raises ``ConfigError`` if a process does not come."""
        return self._connected().scope()  # type: ignore[no-any-return]

    def steps_per_epoch(self, rows: EncodedRows) -> int:
        """Batches of all readers."""
        return sum(self._source(rows).sizes())

    def steps(
        self, model: RankingModel, rows: EncodedRows, epoch: int, skip: int, pause: int
    ) -> Iterator[Mapping[str, Any]]:
        """Hand out steps, and yield their logs in order. Each worker reads its own row groups, then others' rest."""
        source, total = self._source(rows), self.steps_per_epoch(rows)
        self._connected()
        if self._claims is None or self._claims.sizes != source.sizes():
            with self.scope():
                self._claims = Claims(source.sizes(), self._folder)
        self._claims.start(epoch, skip)
        most = AHEAD * self.workers if self.options.staleness is None else self.options.staleness + 1
        if self._traced is None or self._traced.model is not model or self._traced.source != source:
            signature = signature_of(next(rows.chunks()))
            claim = None if self.options.staleness == 0 else self._claims.claimed
            with self.scope():
                self._traced = _Traced(model, source, signature, claim, StepLogs(most), self._strategy)
        traced = self._traced
        waiting: deque[Any] = deque()
        begun = skip
        for done in range(skip, total):
            until = min(total, (done // pause + 1) * pause)
            while begun < until and len(waiting) < most:
                numbers = (tf.constant(epoch, tf.int64), tf.constant(begun, tf.int64))
                waiting.append(self._coordinator.schedule(traced.step(next(model.turns)), args=numbers))
                begun += 1
            waiting.popleft().get()
            logs = traced.logs.read(done)
            if done + 1 == until:
                self._claims.save(epoch, until)
            yield logs

    def agreed(self, value: Any) -> Any:
        """The value: servers and workers only do what the chief tells them."""
        return value

    def lost(self, error: Exception) -> Exception | None:
        """An error of TensorFlow as one that names the server that was lost, or what a worker cannot read."""
        if (unread := _UNREAD.search(str(error))) is not None:
            return DataError(
                f"a worker cannot read the encoded rows that the chief has written ({unread[0]}): --output must be on "
                "storage that all processes share, under the same path"
            )
        if not isinstance(error, _GONE) and "UNAVAILABLE" not in str(error):
            return None
        servers = self.cluster.servers
        missing = [number for number, address in enumerate(servers) if not answers(address, LOOK)]
        found = _TASK.search(str(error))
        numbers = missing or ([int(found[1])] if found is not None else [])
        names = ", ".join(f"server {number} at {servers[number]}" for number in numbers) or "a server, started again,"
        return ServerLostError(
            f"{names} has ended, and the rows of tables that it held with it. Start all processes again with the same "
            "command: the run resumes from its last checkpoint"
        )

    def _connected(self) -> tf.distribute.Strategy:
        if self._strategy is None:
            os.environ["GRPC_FAIL_FAST"] = "use_caller"
            if missing := wait_until_there(self.cluster, WAIT):
                raise ConfigError(
                    f"TF_CONFIG: no answer within {WAIT:.0f} s from {', '.join(missing)}: start the same command "
                    "there, with its own task in TF_CONFIG"
                )
            jobs = {role: list(addresses) for role, addresses in self.cluster.jobs.items()}
            resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
                tf.train.ClusterSpec(jobs), task_type="chief", task_id=0, rpc_layer="grpc"
            )
            with listening(self.cluster):
                self._strategy = tf.distribute.ParameterServerStrategy(resolver)
            self._coordinator = tf.distribute.coordinator.ClusterCoordinator(self._strategy)
        return self._strategy

    def _source(self, rows: EncodedRows) -> Source:
        """One reader if steps come one after the other, so that their order is exact; else one for each worker."""
        return Source.of(rows, self.settings, 1 if self.options.staleness == 0 else self.workers)


@dataclass
class _Traced:
    """The steps of a model on some rows, traced once for all epochs."""

    model: RankingModel
    source: Source
    signature: Mapping[str, tf.TensorSpec]
    claim: Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]] | None
    logs: StepLogs
    strategy: tf.distribute.Strategy
    _steps: dict[Turn, Any] = field(default_factory=dict)

    def step(self, turn: Turn) -> Any:
        """A step of this turn, of the numbers of an epoch and of the step in it."""
        if turn not in self._steps:
            replica = partial(self._in_worker, turn)

            def run(epoch: tf.Tensor, number: tf.Tensor) -> Any:
                return self.strategy.run(replica, args=(epoch, number))

            self._steps[turn] = tf.function(run, autograph=False)
        return self._steps[turn]

    def _in_worker(self, turn: Turn, epoch: tf.Tensor, step: tf.Tensor) -> None:
        """One step, in the worker that takes it: choose a batch, read it, train on it, keep what it logs."""
        reader, number = (tf.constant(0), step) if self.claim is None else self.claim(own_number())
        batch = read_batch(self.source, self.signature, epoch, reader, number)
        self.logs.write(step, self.model.train_step(batch, turn))
