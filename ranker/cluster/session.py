"""A connection to a Ray cluster, or a Ray of this process's own for the time of a job."""

import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from socket import create_connection
from typing import Any, NamedTuple

from ranker.cluster.size import SHARE, Pool, pool_of
from ranker.cpus import cores

LOCAL = "local"
"""The address that starts Ray on this machine."""
AUTO = "auto"
"""The address of the cluster that this machine belongs to."""
ANSWER = 10.0
"""Seconds in which a cluster must answer."""
HINT = (
    "name HOST:PORT of a running cluster (`ray start --head` prints it), or leave the address out to start Ray on this "
    "machine"
)
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".*",
    "RAY_ENABLE_AUTO_CONNECT": "0",
}
"""Environment of a Ray that is started here: no usage statistics, no lines of its own on the terminal, and no other Ray
started by the threads of one that was stopped."""
CLIENT = "ray://"


class ClusterError(RuntimeError):
    """A cluster that cannot be used; the message says why and what to do."""


class Cluster(NamedTuple):
    """A cluster in use: the module ``ray``, its number of processors, and whether it was started for this job alone."""

    ray: Any
    cpus: float
    own: bool

    def pool(self, share: int = SHARE) -> Pool:
        """The pool for the processors that the cluster has now."""
        return pool_of(self.cpus, share)


@contextmanager
def cluster_at(address: str) -> Iterator[Cluster]:
    """Connect to ``HOST:PORT``, or start Ray with the address ``local``; what was started here is stopped at the end.

    A connection that the process has already is used and left as it is. Raises ``ClusterError`` if Ray is not
    installed, for an address that does not answer, and for ``ray://``, which Ray Data does not support.
    """
    if address.startswith(CLIENT):
        raise ClusterError(
            f"--ray {address}: Ray Data does not work through Ray's client; run the command on a machine of the "
            "cluster with --ray HOST:PORT or --ray auto, or send it there with `ray job submit`"
        )
    ray = _imported()
    before, at_end = ray.is_initialized(), signal.getsignal(signal.SIGTERM)
    if not before:
        _require_answer(address)
        _started(ray, address)
    try:
        if not before:
            _on_sigterm(_end if at_end == signal.SIG_DFL else at_end)  # in the place of Ray's own
        _quiet(ray)
        yield Cluster(ray, float(ray.cluster_resources().get("CPU", 1)), address == LOCAL and not before)
    finally:
        if not before:
            ray.shutdown()
            _on_sigterm(at_end)


def _imported() -> Any:
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    try:
        ray = import_module("ray")
        import_module("ray.data")
    except ImportError as error:
        raise ClusterError(f"--ray needs Ray ({error.name} is missing): pip install 'ranker[ray]'") from None
    return ray


def _require_answer(address: str) -> None:
    """Raise ``ClusterError`` if nothing listens at ``HOST:PORT``, where Ray itself would wait for minutes."""
    if address in (LOCAL, AUTO):
        return
    host, _, port = address.rpartition(":")
    if not (host and port.isdecimal() and 0 < int(port) < 65_536):
        raise ClusterError(f"--ray {address}: must be HOST:PORT, {AUTO} or {LOCAL}")
    try:
        create_connection((host.strip("[]"), int(port)), ANSWER).close()
    except (OSError, UnicodeError) as error:
        raise ClusterError(f"--ray {address}: nothing answers there ({error}); {HINT}") from None


def _started(ray: Any, address: str) -> None:
    how = {"log_to_driver": False, "logging_level": logging.CRITICAL}
    try:
        with _silent():
            if address == LOCAL:
                ray.init(address=LOCAL, num_cpus=cores(), include_dashboard=False, **how)
            else:
                ray.init(address=address, **how)
    except Exception as error:  # Ray raises many kinds, for a start that takes too long a plain one
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ClusterError(f"--ray {address}: {first}; {HINT}") from None


def _on_sigterm(handler: Any) -> None:
    with suppress(ValueError):  # of a thread, to which signals do not come
        signal.signal(signal.SIGTERM, handler)


def _end(*_: object) -> None:
    """End the process, but not at once: some processes of Ray would be left behind."""
    raise SystemExit(128 + signal.SIGTERM)


@contextmanager
def _silent() -> Iterator[None]:
    """Drop what Ray's C++ part writes to standard error while it starts; its errors are raised, too."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _quiet(ray: Any) -> None:
    """Keep the lines of Ray Data off the terminal; it writes them to files of the session, too."""
    logger = logging.getLogger("ray.data")
    logger.setLevel(logging.CRITICAL)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
