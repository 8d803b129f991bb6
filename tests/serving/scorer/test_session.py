"""A worker's session with a scorer whose engine is a stand-in: descriptors, failed sends and loads that time out."""

import contextlib
import os
import secrets
import socket
import threading

import numpy as np
import pytest

from ranker.encoding import Packed
from ranker.engines import EngineOptions
from serving.scorer import loaded_models, messages
from serving.scorer.loaded_models import Spec
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
    address = f"ranker-test-{secrets.token_hex(8)}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(f"\0{address}")
        listener.listen(8)
        scorer = Scorer(listener, lambda: None)
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
