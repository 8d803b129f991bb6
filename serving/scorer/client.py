"""The worker's side of the scorers: engines whose graphs are in other processes."""

import contextlib
import logging
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ranker.artifact import Artifact, ArtifactError
from ranker.encoding import Packed
from ranker.engines import EngineError, EngineOptions
from ranker.inference.replay import replay
from serving.logs import Problems, event
from serving.protocol.compatibility import digest_of
from serving.protocol.errors import Refusal
from serving.scorer.buffers import Buffer
from serving.scorer.loaded_models import Spec
from serving.scorer.messages import Address, Done
from serving.scorer.session import RESULT, LostError, Session, no_scorer
from serving.settings import Settings, SettingsError

RETRY = 0.1
"""Seconds between attempts to connect."""
RESTART = 30.0
"""Longest time in seconds to wait for a scorer that is being restarted, before a version is refused."""
TOGETHER = 2.0
"""Seconds to wait for the other scorers once one is there; they load the version later."""
RETRY_LOAD = 2.0
"""Seconds between attempts to load a version into a new scorer, after it failed."""
ATTEMPTS = 2
"""Most times that a version is loaded whose scorer dies meanwhile: it may be the version that kills it."""


class Scorers:
    """A worker's connections to all scorers; each has every graph, and a request goes to the one with the least to do.

    After the death of a scorer, each engine is loaded by the next one, and takes requests once it has reproduced its
    golden requests.
    """

    def __init__(self, addresses: Sequence[Address], patience: float, attempts: int = ATTEMPTS) -> None:
        """``patience`` is the longest time in seconds that a scorer may take to load a graph."""
        self._patience, self._attempts = patience, attempts
        self._links = [_Link(address, patience) for address in addresses]

    @classmethod
    def of(cls, settings: Settings, attempts: int = ATTEMPTS) -> "Scorers | None":
        """The scorers that the settings name. Raises ``SettingsError`` if they need some and name none."""
        if settings.scorer != "on":
            return None
        if settings.scorers is None:
            raise SettingsError("RANKER_SERVE_SCORER: is on, but no scorer runs: start the service by ranker-serve")
        addresses = [Address.read(text) for text in settings.scorers.get_secret_value().split(",")]
        return cls(addresses, settings.start_timeout, attempts)

    def engine(self, artifact: Artifact, name: str, options: EngineOptions, tolerance: float) -> "RemoteEngine":
        """Load an artifact's graph. Raises ``EngineError``, and ``ArtifactError`` if golden scores differ."""
        engine = RemoteEngine(artifact, name, options, tolerance)
        for attempt in range(1, self._attempts + 1):
            for link, session in self._sessions():
                with contextlib.suppress(LostError):
                    link.bring(session, engine)
            if engine.ready:
                break
            event(logging.ERROR, "scorer died while it loaded a version", path=engine.spec.path, attempt=attempt)
        else:
            raise EngineError(f"{artifact.model_path}: the scorer died while it loaded this graph")
        for link in self._links:
            link.keep(engine)
        return engine

    def _sessions(self) -> "list[tuple[_Link, Session]]":
        """The links that have a session, once one has; others get ``TOGETHER`` seconds. Raises ``EngineError``."""
        begun = time.monotonic()
        while True:
            found = [(link, now) for link in self._links if (now := link.session) is not None and now.alive]
            waited = time.monotonic() - begun
            if len(found) == len(self._links) or (found and waited > TOGETHER):
                return found
            if waited > RESTART:
                raise EngineError(f"no scorer is there within {RESTART:g} s")
            time.sleep(0.005)

    def close(self) -> None:
        """End the connections; the scorers keep the graphs for a while."""
        for link in self._links:
            link.close()


class RemoteEngine:
    """An engine whose graph scorers have loaded. Requests come from :meth:`request`; ``score`` waits."""

    def __init__(self, artifact: Artifact, name: str, options: EngineOptions, tolerance: float) -> None:
        self.spec = Spec(str(artifact.model_path), digest_of(artifact), name, options)
        self.artifact, self.tolerance = artifact, tolerance
        self.columns = len(artifact.manifest.tasks)
        self.places: dict[_Link, _Place] = {}
        """Where the graph is loaded and has reproduced the golden requests."""
        self.name, self.precision = name, options.precision
        self.sizes: tuple[int, ...] = ()
        """None: each scorer's engine has reproduced the golden requests at its fixed sizes."""

    @property
    def ready(self) -> bool:
        """Whether there is a scorer for requests."""
        return any(place.session.alive for place in list(self.places.values()))

    def request(self, packed: Packed, deadline: float | None = None) -> "Request":
        """A request for scores, which is not sent yet."""
        return Request(self, packed, deadline)

    def score(self, packed: Packed) -> NDArray[np.float32]:
        """Score and wait, for replays; if the scorer dies, the next one is waited for. Raises ``EngineError``."""
        until = time.monotonic() + RESTART
        for _ in range(ATTEMPTS):
            with contextlib.suppress(Refusal):
                return self.request(packed).wait()
            while not self.ready and time.monotonic() < until:
                time.sleep(RETRY)
        raise EngineError(f"{self.spec.path}: the scorer died while it ran this graph")

    def place(self) -> "_Place":
        """The scorer with the fewest of this worker's requests. Raises ``Refusal`` (503) if there is none."""
        alive = [place for place in list(self.places.values()) if place.session.alive]
        if not alive:
            raise no_scorer()
        return min(alive, key=lambda place: place.session.in_flight())


class Request:
    """One request: ``start`` sends it, ``scores`` returns its scores once it is done."""

    def __init__(
        self, engine: RemoteEngine, packed: Packed, deadline: float | None, at: "_Place | None" = None
    ) -> None:
        self._engine, self._packed, self._at = engine, packed, at
        self._deadline = float("inf") if deadline is None else deadline
        self._lock = threading.Lock()
        self._buffer: Buffer | None = None
        self._ended = False
        self._done: Callable[[], None] | None = None
        self._result: RESULT = None
        self.done: Done | None = None
        """How the request was run; ``None`` if it was not."""

    def start(self, done: Callable[[], None]) -> None:
        """Send the request; ``done`` is called once it has ended.

        Raises ``Refusal`` (503) if there is no scorer, or the request cannot be sent.
        """
        self._done = done
        at = self._at or self._engine.place()
        try:
            buffer = at.session.submit(at.model, self._packed, self._engine.columns, self._deadline, self)
        except (LostError, ConnectionError):
            raise no_scorer() from None
        except OSError as error:
            raise no_scorer(f"the request cannot be sent to the scorer: {error}") from error
        with self._lock:
            if not self._ended:
                self._buffer = buffer

    def cancel(self) -> None:
        """Tell the scorer that nobody waits any more; it drops the request unless it runs already."""
        with self._lock:  # the buffer is another request's once this one has ended
            if self._buffer is not None:
                self._buffer.withdraw()

    def end(self, result: RESULT, done: Done | None) -> None:
        """Take the result."""
        with self._lock:
            self._ended, self._buffer = True, None
        self._result, self.done = result, done
        call, self._done = self._done, None  # it refers to what refers to this request
        if call is not None:
            call()

    def scores(self) -> NDArray[np.float32] | None:
        """The scores [N, T]; ``None`` if the request was dropped, as its deadline has passed.

        Raises ``Refusal`` (503) if the scorer died, and ``RuntimeError`` if the engine failed.
        """
        if isinstance(self._result, LostError):
            raise no_scorer()
        if isinstance(self._result, Exception):
            raise self._result
        return self._result

    def wait(self) -> NDArray[np.float32]:
        """Send the request and wait for its scores."""
        ended = threading.Event()
        self.start(ended.set)
        ended.wait()
        scores = self.scores()
        assert scores is not None, "a request without a deadline is not dropped"
        return scores


class _Place(NamedTuple):
    """A loaded graph of one session."""

    session: Session
    model: int


class _AtPlace:
    """One scorer's engine, for the replay of golden requests before it takes others."""

    def __init__(self, engine: RemoteEngine, place: _Place, name: str, sizes: tuple[int, ...]) -> None:
        self._engine, self._place, self.name, self.sizes = engine, place, name, sizes
        self.precision = engine.precision

    def score(self, packed: Packed) -> NDArray[np.float32]:
        """Score and wait. Raises ``LostError``."""
        try:
            return Request(self._engine, packed, None, self._place).wait()
        except Refusal:
            raise LostError from None

    def score_many(self, requests: Sequence[Packed]) -> list[NDArray[np.float32]]:
        """Score requests that wait at the same time, so that an engine that merges does. Raises ``LostError``."""
        with ThreadPoolExecutor(len(requests)) as pool:
            return list(pool.map(self.score, requests))


class _Link:
    """Keeps a session with the scorer at an address, and loads this worker's engines into every new one."""

    def __init__(self, address: Address, patience: float) -> None:
        self._address, self._patience = address, patience
        self.engines: weakref.WeakSet[RemoteEngine] = weakref.WeakSet()
        self.session: Session | None = None
        """The session, while there is one."""
        self._bringing = threading.Lock()
        self._closed = False
        threading.Thread(target=self._follow, name="scorer", daemon=True).start()

    def keep(self, engine: RemoteEngine) -> None:
        """Load an engine into every session from now on, in the background."""
        self.engines.add(engine)
        session, known = self.session, engine.places.get(self)
        if session is not None and (known is None or known.session is not session):
            self._restore_later(session)

    def bring(self, session: Session, engine: RemoteEngine) -> None:
        """Load an engine into a session and replay its golden requests, unless that is done.

        Raises ``EngineError``, ``ArtifactError`` and ``LostError``.
        """
        with self._bringing:
            known = engine.places.get(self)
            if known is not None and known.session is session:
                return
            loaded = session.load(engine.spec, self._patience)
            place = _Place(session, loaded["model"])
            try:
                replay(
                    engine.artifact, _AtPlace(engine, place, loaded["engine"], tuple(loaded["sizes"])), engine.tolerance
                )
            except BaseException:
                session.release(place.model)
                raise
            engine.name = loaded["engine"]
            engine.places[self] = place
            weakref.finalize(engine, session.release, place.model).atexit = False

    def close(self) -> None:
        """End the session for good."""
        self._closed = True
        if self.session is not None:
            self.session.close()

    def _follow(self) -> None:
        while not self._closed:
            try:
                session = Session(self._address)
            except OSError:  # nobody listens: the service ends
                time.sleep(RETRY)
                continue
            self.session = session
            if self._closed:
                session.close()
            if len(self.engines):
                self._restore_later(session)
            session.read()
            self.session = None
            if not self._closed:
                event(logging.WARNING, "scorer lost")

    def _restore_later(self, session: Session) -> None:
        threading.Thread(target=self._restore, args=(session,), name="restore", daemon=True).start()

    def _restore(self, session: Session) -> None:
        """Load all engines again; try again those that fail, while the session lives."""
        problems = Problems()
        while session.alive:
            if self._bring_all(session, problems):
                event(logging.INFO, "scorer found again")
                return
            time.sleep(RETRY_LOAD)

    def _bring_all(self, session: Session, problems: Problems) -> bool:
        """Load the engines that a session lacks; return whether it lacks none then."""
        complete = True
        for engine in list(self.engines):
            try:
                self.bring(session, engine)
            except LostError:
                return False
            except (EngineError, ArtifactError) as error:
                complete = False
                if problems.note(engine.spec.path, str(error)):
                    event(logging.ERROR, "version not loaded again", path=engine.spec.path, reason=str(error))
        return complete
