"""A worker's session with a scorer whose engine is a stand-in: descriptors, failed sends and loads that time out."""

import contextlib
import errno
import os
import socket
import threading
from types import SimpleNamespace

import numpy as np
import pytest

from ranker.encoding import Packed
from ranker.engines import EngineError, EngineOptions
from serving.protocol.errors import Refusal
from serving.scorer import loaded_models, messages
from serving.scorer.client import Request, _Place
from serving.scorer.loaded_models import Spec
from serving.scorer.messages import Address
from serving.scorer.server import Scorer
from serving.scorer.session import LostError, Session
from tests.serving.asking import patiently

SPEC = Spec("/model.onnx", "digest", "zeros", EngineOptions())
PACKED = Packed(*(np.zeros((rows, 1), kind) for rows, kind in ((1, "i4"), (1, "f4"), (3, "i4"), (3, "f4"))))


class Zeros:
    """An engine that scores 0."""

    name, sizes, precision = "zeros", (), "float32"

    def __init__(self, *_):
        """Load nothing."""

    def score(self, packed):
        return np.zeros((len(packed.candidate_ids), 1), np.float32)


class Waiter:
    """Keeps a result."""

    def __init__(self):
        self.ended, self.result = threading.Event(), None

    def end(self, result, _):
        self.result = result
        self.ended.set()


@pytest.fixture
def scorer(monkeypatch):
    """A scorer and its address."""
    monkeypatch.setattr(loaded_models, "engine_of", Zeros)
    address = Address.random("ranker-test")
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(f"\0{address.name}")
        listener.listen(8)
        scorer = Scorer(listener, address.secret, lambda: None)
        threading.Thread(target=scorer.run, daemon=True).start()
        yield scorer, address


@pytest.fixture
def session(scorer):
    """A session, and the thread that reads it."""
    session = Session(scorer[1])
    reader = threading.Thread(target=session.read, daemon=True)
    reader.start()
    yield session, reader
    session.close()
    reader.join(30)


def is_open(file):
    """Whether a descriptor is that of a buffer."""
    with contextlib.suppress(FileNotFoundError):
        return os.readlink(f"/proc/self/fd/{file}").startswith("/memfd:ranker-scorer")
    return False


class HeldSend:
    """Holds up the first send, after the message or before it; notes the descriptors of all."""

    def __init__(self, monkeypatch, after):
        self.files, self.reached, self.free = [], threading.Event(), threading.Event()
        self._after, self._send = after, messages.send
        monkeypatch.setattr(messages, "send", self)

    def __call__(self, connection, message, files=()):
        first = not self.files
        self.files.append(list(files))
        if self._after or not first:
            self._send(connection, message, files)
        if first:
            self.reached.set()
            assert self.free.wait(30)
            if not self._after:
                self._send(connection, message, files)


def submitted(session, model, waiter):
    """The thread of a sender."""
    sender = threading.Thread(target=session.submit, args=(model, PACKED, 1, float("inf"), waiter))
    sender.start()
    return sender


def test_a_buffer_given_back_before_its_sender_goes_on_has_no_descriptor(session, monkeypatch):
    session, _ = session
    model, waiters = session.load(SPEC, 30)["model"], [Waiter(), Waiter()]
    send = HeldSend(monkeypatch, after=True)
    sender = submitted(session, model, waiters[0])
    assert waiters[0].ended.wait(30)
    patiently(lambda: session._buffers._idle)
    assert not is_open(send.files[0][0])
    other = os.memfd_create("other")  # it may get the same number
    session.submit(model, PACKED, 1, float("inf"), waiters[1])
    assert waiters[1].ended.wait(30)
    send.free.set()
    sender.join(30)
    assert [len(files) for files in send.files] == [1, 0]
    os.close(other)  # nobody else has closed it
    assert [waiter.result.shape for waiter in waiters] == [(3, 1), (3, 1)]


def test_a_session_that_ends_closes_a_descriptor_after_it_is_sent(session, monkeypatch):
    session, reader = session
    model, waiter = session.load(SPEC, 30)["model"], Waiter()
    send = HeldSend(monkeypatch, after=False)
    sender = submitted(session, model, waiter)
    assert send.reached.wait(30)
    session.close()
    reader.join(30)
    assert isinstance(waiter.result, LostError)
    (file,) = send.files[0]
    assert is_open(file)
    send.free.set()
    sender.join(30)
    assert not is_open(file)


@pytest.mark.parametrize("failing", ["send", "memfd_create"])
def test_a_request_that_cannot_be_sent_gets_a_503_and_the_next_ones_are_served(session, monkeypatch, failing):
    session, _ = session
    place = _Place(session, session.load(SPEC, 30)["model"])
    request = Request(SimpleNamespace(columns=1), PACKED, None, place)
    with monkeypatch.context() as broken:
        broken.setattr(messages if failing == "send" else os, failing, fail)
        with pytest.raises(Refusal, match=r"cannot be sent to the scorer: .* many .*; try again in 1 s") as refused:
            request.start(lambda: None)
    assert (refused.value.status, refused.value.headers) == (503, {"Retry-After": "1"})
    assert (session.in_flight(), session.alive) == (0, True)
    for _ in range(2):
        assert Request(SimpleNamespace(columns=1), PACKED, None, place).wait().shape == (3, 1)
        patiently(lambda: session._buffers._idle)  # the buffer is given back after the result
    assert session._buffers._count == 1  # the buffer was kept, and its descriptor sent by the next request


def test_a_load_that_cannot_be_sent_is_an_error_at_once(session, monkeypatch):
    session, _ = session
    with monkeypatch.context() as broken:
        broken.setattr(messages, "send", fail)
        with pytest.raises(EngineError, match=r"/model\.onnx: cannot ask the scorer to load it: .* many"):
            session.load(SPEC, 30)
    assert (session._calls, session.load(SPEC, 30)["engine"]) == ({}, "zeros")


def test_a_graph_that_was_loaded_too_late_is_unloaded(scorer, session, monkeypatch):
    session, _ = session
    free = threading.Event()
    monkeypatch.setattr(loaded_models, "engine_of", lambda *_: free.wait(30) and Zeros())
    with pytest.raises(EngineError, match=r"/model\.onnx: the scorer has not loaded it within 0 s"):
        session.load(SPEC, 0)
    free.set()
    other = session.load(SPEC._replace(path="/other.onnx"), 30)["model"]  # loads are answered in turn
    patiently(lambda: scorer[0]._models._models.keys() == {other})
    assert (session._calls, session.alive) == ({}, True)


@pytest.mark.parametrize("first", [b"s3cret", messages.write(messages.LOAD, {"call": 0, "spec": SPEC.content()})])
def test_a_connection_without_the_secret_is_closed_and_logged(scorer, session, caplog, first):
    scorer, address = scorer
    patiently(lambda: scorer.connections() == 1)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as stranger, open(os.devnull) as file:
        stranger.settimeout(30)
        stranger.connect(f"\0{address.name}")
        messages.send(stranger, first, [file.fileno()])
        assert stranger.recv(messages.LONGEST) == b""
    assert [record.getMessage() for record in caplog.records] == ["connection to the scorer refused"]
    assert scorer.connections() == 1
    assert session[0].load(SPEC, 30)["model"] == 1  # the stranger's was not loaded
    assert address.secret not in address.name
    assert Address.read(address.text()) == address


def fail(*_):
    """In place of a call of the system."""
    raise OSError(errno.ETOOMANYREFS, "too many descriptors are on their way")
