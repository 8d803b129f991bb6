"""The processes of a training with parameter servers that serve its chief: servers and workers."""

import os
import socket
import sys
import time

import tensorflow as tf

from training.config.training import Training
from training.distribution.cluster import Cluster
from training.distribution.worker_rows import WorkerRows, offer

NAMES = {"ps": "server", "worker": "worker"}
GRACE = 5.0
"""Seconds without the chief after which it is gone."""
LOOK = 1.0
"""Seconds between looks."""


def serve(cluster: Cluster, settings: Training) -> None:
    """Serve the chief until it has ended, then end this process with status 0. Waits for a chief that is yet to come.

    TensorFlow's server cannot be stopped, and its threads keep a process from ending by itself.
    """
    if settings.threads is not None:
        tf.config.threading.set_intra_op_parallelism_threads(settings.threads)
    os.environ["GRPC_FAIL_FAST"] = "use_caller"  # else a worker waits for ever for a server that is gone
    kept = offer(WorkerRows(), cluster.index) if cluster.role == "worker" else []
    jobs = {role: list(addresses) for role, addresses in cluster.jobs.items()}
    tf.distribute.Server(tf.train.ClusterSpec(jobs), job_name=cluster.role, task_index=cluster.index, protocol="grpc")
    name = f"{NAMES[cluster.role]} {cluster.index}"
    _say(f"{name}: waiting for the chief at {chief_of(cluster)}")
    wait_for_end(cluster)
    _say(f"{name}: the chief has ended, so this process ends too")
    del kept
    os._exit(0)


def wait_for_end(cluster: Cluster) -> None:
    """Return once the chief has been there and is gone."""
    address, seen = chief_of(cluster), None
    while seen is None or time.monotonic() - seen < GRACE:
        if answers(address):
            seen = time.monotonic()
        time.sleep(LOOK)


def chief_of(cluster: Cluster) -> str:
    """The chief's address."""
    return cluster.jobs["chief"][0]


def answers(address: str) -> bool:
    """Whether something listens at ``host:port``."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=LOOK):
            return True
    except OSError:
        return False


def wait_until_there(cluster: Cluster, seconds: float) -> list[str]:
    """Wait for the servers and workers; return those, by role, number and address, that have not come in time."""
    missing = {
        f"{NAMES[role]} {number} at {address}": address
        for role in NAMES
        for number, address in enumerate(cluster.jobs[role])
    }
    end = time.monotonic() + seconds
    while missing and time.monotonic() < end:
        missing = {name: address for name, address in missing.items() if not answers(address)}
        if missing:
            time.sleep(LOOK)
    return list(missing)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
