"""Scorer processes: what the command and its supervisor start, one for each device."""

import contextlib
import logging.config
import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from functools import partial
from typing import Any, NoReturn

import orjson
from pydantic import SecretStr

from ranker.cpus import cores
from ranker.engines import EngineError
from serving.logs import CONFIG, event
from serving.process.child import ALIVE, LONGEST, Child, say, wait_for_supervisor
from serving.process.liveness import Liveness
from serving.process.supervisor import Slot, end
from serving.scorer.messages import Address
from serving.scorer.server import Scorer
from serving.settings import Settings

BACKLOG = 256
ORPHANED = 60.0
"""Longest time in seconds that a scorer goes on for the workers of a supervisor that was killed."""
ENDED = 5.0
SWITCH_INTERVAL = 5e-4
"""Python's thread switch interval in seconds: the thread that reads must not wait for the one that runs."""
VISIBLE = "CUDA_VISIBLE_DEVICES"


class ScorerProcess(Child):
    """The supervisor's handle of a scorer."""

    kind = "scorer"

    def __init__(self, listener: socket.socket, secret: str, settings: Settings, device: str) -> None:
        """Start the process. Raises ``OSError`` if the system cannot."""
        runs = 1 if settings.device_kind == "cuda" else max(cores() // len(settings.devices) // settings.threads, 1)
        liveness = Liveness(settings.hung_after, settings.start_timeout, ENDED)
        super().__init__(_score, (listener, secret, runs, visible(device, os.environ.get(VISIBLE))), liveness)

    @staticmethod
    def log_death(pid: int, **fields: Any) -> None:
        """Log that a scorer died."""
        event(logging.ERROR, "scorer died", scorer=pid, **fields)

    @staticmethod
    def log_failure(pid: int | None, **fields: Any) -> None:
        """Log that a scorer could not start."""
        event(logging.ERROR, "scorer cannot start", scorer=pid, **fields)


@contextlib.contextmanager
def scorers(settings: Settings) -> Iterator[tuple[Settings, list[Slot]]]:
    """Run a scorer for each device while the block runs; yield settings with their addresses, and their slots.

    Workers find a scorer by a socket with a random name, without a file that could be removed. The socket belongs to
    this process: connections made while a scorer is restarted wait for the next one. Since the name can be listed, as
    by other containers on the host's network, a scorer serves only those that send it a secret first. Raises
    ``EngineError`` if a scorer does not start.
    """
    slots, addresses = [], []
    with contextlib.ExitStack() as stack:
        for device in settings.devices:
            listener = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
            address = Address.random("ranker-serve")
            listener.bind(f"\0{address.name}")
            listener.listen(BACKLOG)
            addresses.append(address.text())
            slots.append(Slot(partial(ScorerProcess, listener, address.secret, settings, device), ScorerProcess))
        try:
            for slot in slots:
                slot.child, slot.started = slot.make(), True
            for slot in slots:
                _wait_until_served(slot.child, settings.start_timeout)
            yield settings.model_copy(update={"scorers": SecretStr(",".join(addresses))}), slots
        finally:
            end([slot.child for slot in slots if slot.child is not None and slot.child.alive])


def visible(device: str, allowed: str | None) -> str | None:
    """What ``CUDA_VISIBLE_DEVICES`` is for a device such as ``cuda:1``: one of ``allowed``, if devices are named."""
    _, _, number = device.partition(":")
    if not number:
        return allowed
    if not allowed:
        return number
    names = allowed.split(",")
    if int(number) >= len(names):
        raise EngineError(f"device {device!r}: {VISIBLE} is {allowed!r}, which has no device {number}")
    return names[int(number)]


def _wait_until_served(child: Child | None, timeout: float) -> None:
    assert child is not None, "it was started"
    until = time.monotonic() + timeout
    while not child.liveness.served:
        alive = child.alive
        child.listen()
        if not alive and not child.liveness.served:
            raise EngineError(f"the scorer did not start: {child.failure.get('reason', child.ended_by)}")
        if time.monotonic() > until:
            raise EngineError(f"the scorer did not start within {timeout:g} s")
        time.sleep(0.01)


def _score(listener: socket.socket, secret: str, runs: int, devices: str | None, signs: socket.socket) -> None:
    """Run the scorer in its process. It ends by its supervisor, not by signals, which all processes may get at once."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    logging.config.dictConfig(CONFIG)
    if devices is not None:
        os.environ[VISIBLE] = devices
    sys.setswitchinterval(SWITCH_INTERVAL)
    threading.excepthook = lambda failed: _fail(signs, failed.exc_value)
    try:
        scorer = Scorer(listener, secret, lambda: say(signs, ALIVE), runs)
        threading.Thread(target=_end_with_supervisor, args=(scorer, signs), daemon=True).start()
        scorer.run()
    except Exception as error:
        _fail(signs, error)


def _fail(signs: socket.socket, error: BaseException | None) -> NoReturn:
    """End the process and say why, whatever thread it is."""
    trace = "".join(traceback.format_exception(error))[-LONGEST // 4 :]
    say(signs, orjson.dumps({"reason": str(error) or type(error).__name__, "trace": trace}))
    logging.shutdown()
    os._exit(1)


def _end_with_supervisor(scorer: Scorer, signs: socket.socket) -> None:
    """When the supervisor is gone, go on until the last worker has finished its requests, and exit."""
    wait_for_supervisor(signs)
    until = time.monotonic() + ORPHANED
    while scorer.connections() and time.monotonic() < until:
        time.sleep(0.05)
    logging.shutdown()
    os._exit(0)
