"""The scorer: reads the workers' requests, and runs what waits for one graph as soon as the engine is free.

It never waits for more requests to come: while one run is on the device, the next ones gather. Threads take turns at
reading: the one that reads a request runs it itself if the engine is free, and another one reads on meanwhile. So a
lone request passes from no thread to another, and reading costs the device no time.
"""

import contextlib
import hmac
import logging
import mmap
import os
import selectors
import socket
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from ranker.encoding import Packed
from ranker.engines import MOST_MERGED, Engine, MergingEngine
from serving.logs import event
from serving.scorer import messages
from serving.scorer.buffers import is_withdrawn, mapped
from serving.scorer.loaded_models import LoadedModels, Spec
from serving.scorer.messages import Done, Place, Score

BEAT = 0.5
"""Longest time in seconds between two heartbeats."""
SLOW = 1.0
"""Seconds of a run after which heartbeats stop: if it never ends, the supervisor replaces the scorer."""
MOST_READ = 64
"""Most messages read from one worker before those of the others."""


class BrokenEngineError(RuntimeError):
    """An engine that scores nothing any more, as after an error of its device: only a new process helps."""


class _Peer:
    """A worker's connection, and the buffers that it has sent."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.buffers: dict[int, mmap.mmap] = {}
        self.admitted = False
        """Whether it has sent the secret."""
        self.closed = False


class _Waiting(NamedTuple):
    """A request that waits for its run."""

    peer: _Peer
    score: Score
    memory: mmap.mmap
    engine: Engine
    packed: Packed
    arrived: float

    def is_wanted(self, now: float) -> bool:
        """Whether anybody still waits for the scores."""
        return now <= self.score.deadline and not is_withdrawn(self.memory) and not self.peer.closed


class Scorer:
    """Serves the connections made to ``listener`` whose first message is ``secret``.

    ``runs`` runs of engines go on at once. ``beat`` is called at least every ``BEAT`` seconds while runs end in time.
    """

    def __init__(self, listener: socket.socket, secret: str, beat: Callable[[], None], runs: int = 1) -> None:
        self._listener, self._beat, self._most_runs = listener, beat, runs
        self._secret = secret.encode()
        self._models = LoadedModels()
        self._reading = threading.Lock()
        self._state = threading.Lock()
        self._waiting: deque[_Waiting] = deque()
        self._begun: dict[int, float] = {}
        self._peers: set[_Peer] = set()
        self._sound: weakref.WeakKeyDictionary[Engine, Packed] = weakref.WeakKeyDictionary()
        """A request that each engine has scored."""
        self._next_beat = 0.0
        listener.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(listener, selectors.EVENT_READ)

    def run(self) -> None:
        """Serve with this thread and one more for each run."""
        for number in range(self._most_runs):
            threading.Thread(target=self._serve, name=f"score-{number}", daemon=True).start()
        self._serve()

    def connections(self) -> int:
        """Number of connected workers."""
        return len(self._peers)

    def _serve(self) -> None:
        while True:
            with self._reading:
                batch = self._read()
            while batch:
                self._run(batch)
                del batch  # an engine lives no longer than its model
                batch = self._following()

    def _read(self) -> list[_Waiting]:
        """Read messages until there is a request and an engine run is free; return what to run."""
        while True:
            for key, _ in self._selector.select(BEAT):
                if key.data is None:
                    self._accept()
                else:
                    self._receive(key.data)
            now = time.monotonic()
            if now >= self._next_beat:
                self._tick(now)
            if batch := self._first():
                return batch

    def _tick(self, now: float) -> None:
        """Beat unless a run hangs, and unload what nobody holds."""
        self._next_beat = now + BEAT
        with self._state:
            oldest = min(self._begun.values(), default=now)
        if now - oldest < SLOW:
            self._beat()
        self._models.unload_unheld()

    def _first(self) -> list[_Waiting]:
        with self._state:
            if len(self._begun) >= self._most_runs:
                return []
            return self._next()

    def _following(self) -> list[_Waiting]:
        """What to run next in this thread; empty if nothing waits."""
        with self._state:
            del self._begun[threading.get_ident()]
            return self._next()

    def _next(self) -> list[_Waiting]:
        """The request that has waited longest, and with an engine that merges all others for the same one."""
        if not self._waiting:
            return []
        self._begun[threading.get_ident()] = time.monotonic()
        first = self._waiting.popleft()
        batch = [first]
        if self._waiting and isinstance(first.engine, MergingEngine):
            rest: deque[_Waiting] = deque()
            for other in self._waiting:
                fits = other.engine is first.engine and len(batch) < MOST_MERGED
                (batch if fits else rest).append(other)
            self._waiting = rest
        return batch

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:  # it left again
            return
        if not messages.same_user(connection, os.geteuid()):
            event(logging.WARNING, "connection to the scorer refused", reason="it belongs to another user")
            connection.close()
            return
        connection.setblocking(False)
        self._selector.register(connection, selectors.EVENT_READ, _Peer(connection))

    def _admit(self, peer: _Peer, message: bytes, files: list[int]) -> bool:
        """Take a connection's first message; return whether it is a worker's."""
        for file in files:
            os.close(file)
        peer.admitted = hmac.compare_digest(message, self._secret)
        if peer.admitted:
            self._peers.add(peer)
            self._send(peer, messages.HELLO)
        else:
            event(logging.WARNING, "connection to the scorer refused", reason="it does not know the secret")
            self._close(peer)
        return peer.admitted

    def _receive(self, peer: _Peer) -> None:
        """Read a worker's messages; close its connection once it has ended or is not understood."""
        arrived = time.monotonic()
        for _ in range(MOST_READ):
            try:
                message, files, _, _ = socket.recv_fds(peer.connection, messages.LONGEST, 1)
            except BlockingIOError:
                return
            except OSError:
                message, files = b"", []
            if not message:
                self._close(peer)
                return
            if not peer.admitted:
                if not self._admit(peer, message, files):
                    return
                continue
            try:
                self._handle(peer, message, files, arrived)
            except (ValueError, TypeError, KeyError, OSError) as error:
                event(logging.ERROR, "message not understood", traceback=True, reason=str(error))
                self._close(peer)
                return

    def _handle(self, peer: _Peer, message: bytes, files: list[int], arrived: float) -> None:
        kind, body = message[:1], message[1:]
        if kind == messages.SCORE:
            score = Score.read(body)
            for file in files:
                peer.buffers[score.buffer] = mapped(file)
            self._wait(peer, score, peer.buffers[score.buffer], arrived)
        elif kind == messages.LOAD:
            content = orjson.loads(body)

            def answer(result: dict[str, Any]) -> None:
                self._send(peer, messages.write(messages.LOADED, {"call": content["call"], **result}))
                if peer.closed:
                    self._models.forget(peer)

            self._models.load(Spec.read(content["spec"]), peer, answer)
        elif kind == messages.RELEASE:
            self._models.release(orjson.loads(body)["model"], peer)
        else:
            raise ValueError(f"there is no message of the kind {kind!r}")

    def _wait(self, peer: _Peer, score: Score, memory: mmap.mmap, arrived: float) -> None:
        engine = self._models.engine(score.model)
        if engine is None:
            raise ValueError(f"graph {score.model} is not loaded")
        packed = Packed(*(place.view(memory) for place in score.places))
        with self._state:
            self._waiting.append(_Waiting(peer, score, memory, engine, packed, arrived))

    def _run(self, batch: list[_Waiting]) -> None:
        """Run the requests that are still wanted, and tell the workers."""
        now = time.monotonic()
        results: dict[_Peer, list[Done]] = {}
        wanted = []
        for request in batch:
            if request.is_wanted(now):
                wanted.append(request)
            else:
                results.setdefault(request.peer, []).append(Done(request.score.buffer, -1, 0, 0, 0, 0.0))
        first = 1
        for request, scores in zip(wanted, _scored(wanted), strict=True):
            try:
                if isinstance(scores, Exception):
                    self._require_sound(request.engine)
                    raise scores
                if request.engine not in self._sound:
                    self._sound[request.engine] = Packed._make(array.copy() for array in request.packed)
                rows, columns = scores.shape
                Place(b"f4", rows, columns, request.score.scores_at).view(request.memory)[...] = scores
            except BrokenEngineError:
                raise
            except Exception as error:  # the worker reports it
                text = f"{type(error).__name__}: {error}"[: messages.MOST_TEXT]
                self._send(
                    request.peer, messages.write(messages.FAILED, {"buffer": request.score.buffer, "error": text})
                )
                continue
            done = Done(request.score.buffer, rows, columns, len(wanted), first, now - request.arrived)
            results.setdefault(request.peer, []).append(done)
            first = 0
        for peer, finished in results.items():
            self._send(peer, messages.write_done(finished))

    def _require_sound(self, engine: Engine) -> None:
        """Raise ``BrokenEngineError`` if an engine that failed cannot score its first request any more either."""
        if (known := self._sound.get(engine)) is not None:
            try:
                engine.score(known)
            except Exception as error:
                raise BrokenEngineError(f"engine {engine.name!r} fails whatever it is asked: {error}") from error

    def _send(self, peer: _Peer, message: bytes) -> None:
        """Send without waiting; a worker that does not read is disconnected, and connects again."""
        if peer.closed:
            return
        try:
            peer.connection.send(message)
        except OSError as error:
            if isinstance(error, BlockingIOError):
                event(logging.ERROR, "worker does not read its scores")
            peer.closed = True  # nothing of it is run any more; its end is read next
            with contextlib.suppress(OSError):
                peer.connection.shutdown(socket.SHUT_RDWR)

    def _close(self, peer: _Peer) -> None:
        peer.closed = True
        self._peers.discard(peer)
        self._selector.unregister(peer.connection)
        peer.connection.close()
        peer.buffers.clear()
        self._models.forget(peer)


def _scored(requests: Sequence[_Waiting]) -> Sequence[NDArray[np.float32] | Exception]:
    """Scores of requests to one engine, or the error of each."""
    engine = requests[0].engine if requests else None
    if len(requests) > 1 and isinstance(engine, MergingEngine):
        try:
            return engine.score_many([request.packed for request in requests])
        except Exception:  # one request's error must not be the others'
            event(logging.ERROR, "merged run failed", traceback=True, requests=len(requests))
    found: list[NDArray[np.float32] | Exception] = []
    for request in requests:
        try:
            found.append(request.engine.score(request.packed))
        except Exception as error:
            found.append(error)
    return found
