"""A worker's connection to one life of a scorer: requests in flight, and graphs that are loaded."""

import contextlib
import itertools
import logging
import os
import socket
import threading
from typing import Any, Protocol

import numpy as np
import orjson
from numpy.typing import NDArray

from ranker.encoding import Packed
from ranker.engines import EngineError
from serving.logs import event
from serving.protocol.errors import Refusal
from serving.scorer import messages
from serving.scorer.buffers import Buffer, Buffers, size_of
from serving.scorer.loaded_models import Spec
from serving.scorer.messages import Address, Done, Score

RETRY_AFTER = "1"
RESULT = NDArray[np.float32] | Exception | None
"""Scores, an error, or ``None`` for a request that was dropped."""


class LostError(Exception):
    """The scorer has died."""


class Waiter(Protocol):
    """A request in flight."""

    def end(self, result: RESULT, done: Done | None) -> None:
        """Take the result; called once, in the session's thread."""


class Session:
    """Thread-safe. ``read`` runs in a thread of its own until the scorer's end."""

    def __init__(self, address: Address) -> None:
        """Connect, and wait until the scorer is there: its listener outlives it. Raises ``OSError``."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            self._socket.connect(f"\0{address.name}")
            if not messages.same_user(self._socket, os.geteuid()):
                raise PermissionError("the scorer belongs to another user")
            messages.send(self._socket, address.secret.encode())
            if self._socket.recv(messages.LONGEST) != messages.HELLO:
                raise ConnectionResetError("the scorer has ended")
        except OSError:
            self._socket.close()
            raise
        self.alive = True
        self._lock = threading.Lock()
        self._buffers = Buffers()
        self._waiting: dict[int, tuple[Buffer, int, Waiter]] = {}
        self._calls: dict[int, _Call] = {}
        self._numbers = itertools.count()

    def in_flight(self) -> int:
        """Requests that the scorer has not answered."""
        return len(self._waiting)

    def submit(self, model: int, packed: Packed, columns: int, deadline: float, waiter: Waiter) -> Buffer:
        """Send a request for scores of ``columns`` objectives; return its buffer.

        Raises ``LostError``, and ``OSError`` if there is no memory or descriptor for it, or it cannot be sent.
        """
        rows = len(packed.candidate_ids)
        with self._lock:
            if not self.alive:
                raise LostError
            buffer = self._buffers.take(size_of(packed, rows * columns))
        try:
            places, scores_at = buffer.fill(packed)
            with self._lock:
                if not self.alive:
                    raise LostError
                self._waiting[buffer.number] = (buffer, scores_at, waiter)
        except BaseException:
            with self._lock:
                self._buffers.put(buffer)
            raise
        message = Score(buffer.number, model, deadline, scores_at, places).write()
        try:
            messages.send(self._socket, message, [] if buffer.file is None else [buffer.file])
        except OSError:
            with self._lock:
                unsent = self._waiting.pop(buffer.number, None)
                if unsent is not None:
                    self._buffers.put(buffer)
            if unsent is not None:  # else the thread that reads ends it, as all requests of a dead scorer
                raise
        return buffer

    def load(self, spec: Spec, timeout: float) -> dict[str, Any]:
        """Load a graph; return its number, engine and sizes. Raises ``EngineError`` and ``LostError``."""
        call, number = _Call(), next(self._numbers)
        with self._lock:
            if not self.alive:
                raise LostError
            self._calls[number] = call
        try:
            messages.send(self._socket, messages.write(messages.LOAD, {"call": number, "spec": spec.content()}))
        except OSError as error:
            if not self._abandoned(number) or isinstance(error, ConnectionError):
                raise LostError from None
            raise EngineError(f"{spec.path}: cannot ask the scorer to load it: {error}") from error
        if not call.ended.wait(timeout):
            if self._abandoned(number):
                raise EngineError(f"{spec.path}: the scorer has not loaded it within {timeout:g} s")
            call.ended.wait()  # it is being answered
        if call.result is None:
            raise LostError
        if "error" in call.result:
            raise EngineError(call.result["error"])
        return call.result

    def release(self, model: int) -> None:
        """Tell the scorer that a load has ended. May be called from a finalizer, so it takes no lock."""
        with contextlib.suppress(OSError):
            self._socket.send(messages.write(messages.RELEASE, {"model": model}), socket.MSG_DONTWAIT)

    def read(self) -> None:
        """Hand out results until the scorer ends or the session is closed; then end what is in flight."""
        try:
            while message := self._socket.recv(messages.LONGEST):
                self._handle(message[:1], message[1:])
        except ConnectionError:  # the scorer died with unread messages
            pass
        except Exception:  # a new session is better than one that nobody reads
            event(logging.ERROR, "session with the scorer failed", traceback=True)
        with self._lock:
            self.alive = False
            waiting, calls = self._waiting, self._calls
            self._waiting, self._calls, self._buffers = {}, {}, Buffers()
        self._socket.close()
        for call in calls.values():
            call.ended.set()
        for (
            _,
            _,
            waiter,
        ) in waiting.values():  # a buffer may be sent this moment, so it closes its file when it is freed
            waiter.end(LostError(), None)

    def close(self) -> None:
        """End the connection; the thread that reads ends, too."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def _handle(self, kind: bytes, body: bytes) -> None:
        if kind == messages.DONE:
            for done in messages.read_done(body):
                self._end(done.buffer, done, None)
        elif kind == messages.FAILED:
            content = orjson.loads(body)
            self._end(content["buffer"], None, RuntimeError(f"the engine failed: {content['error']}"))
        elif kind == messages.LOADED:
            content = orjson.loads(body)
            with self._lock:
                call = self._calls.pop(content["call"], None)
            if call is not None:
                call.result = content
                call.ended.set()
            elif "model" in content:  # the load was abandoned, so nobody else releases it
                self.release(content["model"])

    def _abandoned(self, number: int) -> bool:
        """Forget a load; return whether it was waiting still."""
        with self._lock:
            return self._calls.pop(number, None) is not None

    def _end(self, number: int, done: Done | None, error: Exception | None) -> None:
        with self._lock:
            buffer, scores_at, waiter = self._waiting.pop(number)
        result: RESULT = error
        if done is not None and done.rows >= 0:
            result = buffer.scores(scores_at, done.rows, done.columns)
        waiter.end(result, done)  # first, since it may be withdrawn until then
        buffer.close_file()  # here, not after sending: the next request may have the buffer by then
        with self._lock:
            self._buffers.put(buffer)


class _Call:
    """A load that waits for its answer; without a result once it has ended, the scorer has died."""

    def __init__(self) -> None:
        self.ended = threading.Event()
        self.result: dict[str, Any] | None = None


def no_scorer(reason: str = "no scorer is ready, since it is being restarted") -> Refusal:
    """The refusal (503) of a request that there is no scorer for, or that cannot be sent to it."""
    headers = {"Retry-After": RETRY_AFTER}
    return Refusal(503, "no_scorer", "service", f"{reason}; try again in {RETRY_AFTER} s", headers)
