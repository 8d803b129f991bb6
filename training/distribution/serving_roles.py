"""The processes of a training with parameter servers that serve its chief: servers and workers."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import tensorflow as tf

from ranker.config.file import ConfigError
from ranker.lost_process import LOST
from training.config.training import Training
from training.distribution.cluster import Cluster, answers
from training.distribution.worker_rows import WorkerRows, offer

NAMES = {"ps": "server", "worker": "worker"}
GRACE = 5.0
"""Seconds without the chief after which it is gone."""
LOOK = 1.0
"""Seconds between looks, and that a connection may take."""


def serve(cluster: Cluster, settings: Training, mark: Callable[[], Any]) -> None:
    """Serve the chief until it has ended, then end this process. Waits for a chief that is yet to come.

    The status is 0 if the chief has left a ``mark`` meanwhile, since all is done then, and else that of a lost process.
    TensorFlow's server cannot be stopped, and its threads keep a process from ending by itself. Raises ``ConfigError``
    if the port is in use.
    """
    before = mark()
    if settings.threads is not None:
        tf.config.threading.set_intra_op_parallelism_threads(settings.threads)
    os.environ["GRPC_FAIL_FAST"] = "use_caller"  # else a worker waits for ever for a server that is gone
    kept = offer(WorkerRows(), cluster.index) if cluster.role == "worker" else []
    jobs = {role: list(addresses) for role, addresses in cluster.jobs.items()}
    with listening(cluster):
        tf.distribute.Server(
            tf.train.ClusterSpec(jobs), job_name=cluster.role, task_index=cluster.index, protocol="grpc"
        )
    name = f"{NAMES[cluster.role]} {cluster.index}"
    say(f"{name}: waiting for the chief at {chief_of(cluster)}")
    wait_for_end(cluster)
    now = mark()
    done = bool(now) and now != before
    say(f"{name}: {'the training is done' if done else _UNFINISHED}, so this process ends too")
    del kept
    os._exit(0 if done else LOST)


_UNFINISHED = (
    "the chief has ended before it exported the model (start all processes again with the same command: the run "
    "resumes from its last checkpoint)"
)


@contextmanager
def listening(cluster: Cluster) -> Iterator[None]:
    """Raise ``ConfigError`` that names the port, if TensorFlow's server in the ``with`` block cannot have it."""
    try:
        yield
    except tf.errors.OpError as error:
        if "start gRPC server" not in str(error):
            raise
        raise ConfigError(
            f"{cluster.source}: {NAMES.get(cluster.role, cluster.role)} {cluster.index}: the port of "
            f"{cluster.address} is in use on this machine; is the same process running already? Else choose another "
            "port, in all processes"
        ) from None


def wait_for_end(cluster: Cluster) -> None:
    """Return once the chief has been there and is gone."""
    address, seen = chief_of(cluster), None
    while seen is None or time.monotonic() - seen < GRACE:
        if answers(address, LOOK):
            seen = time.monotonic()
        time.sleep(LOOK)


def chief_of(cluster: Cluster) -> str:
    """The chief's address."""
    return cluster.jobs["chief"][0]


def wait_until_there(cluster: Cluster, seconds: float) -> list[str]:
    """Wait for the servers and workers; return those, by role, number and address, that have not come in time."""
    missing = {
        f"{NAMES[role]} {number} at {address}": address
        for role in NAMES
        for number, address in enumerate(cluster.jobs[role])
    }
    end = time.monotonic() + seconds
    while missing and time.monotonic() < end:
        missing = {name: address for name, address in missing.items() if not answers(address, LOOK)}
        if missing:
            time.sleep(LOOK)
    return list(missing)


def say(text: str) -> None:
    """Tell who started the process what it waits for, and why it ends."""
    print(text, file=sys.stderr, flush=True)
