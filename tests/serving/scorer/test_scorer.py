"""A scorer and its clients, in one process: real sockets, shared memory and engines."""

import gc
import socket
import threading
import time
from typing import ClassVar

import numpy as np
import pytest

from ranker.artifact import TOLERANCE
from ranker.engines import ENGINES, ON_CPU, EngineError, EngineOptions, OnnxRuntime
from ranker.inference.pool import Sent
from serving.protocol.errors import Refusal
from serving.scorer.client import Scorers
from serving.scorer.messages import Address
from serving.scorer.process import visible
from serving.scorer.server import BrokenEngineError, Scorer

ONE = EngineOptions("cpu", 1)


@pytest.fixture(scope="module")
def address():
    """A scorer that one thread serves and another one reads for."""
    at = Address.random("ranker-test")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(f"\0{at.name}")
    listener.listen(8)
    threading.Thread(target=Scorer(listener, at.secret, lambda: None).run, daemon=True).start()
    return at


@pytest.fixture
def scorers(address):
    client = Scorers([address], 30)
    yield client
    client.close()


def packed_of(artifact, rows=None):
    """The golden request with its rows repeated."""
    golden = artifact.golden[0]
    packed = Sent(artifact, golden.candidates).packed({name: [value] for name, value in golden.context.items()})
    places = np.arange(rows or len(packed.candidate_ids)) % len(packed.candidate_ids)
    return packed.with_candidates(places)


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_scores_are_those_of_the_same_engine_in_this_process_to_the_last_bit(scorers, artifact, engine):
    remote, local = scorers.engine(artifact, engine, ONE, TOLERANCE), ENGINES[engine](artifact.model_path, ONE)
    assert (remote.name, remote.ready) == (engine, True)
    for rows in (1, 7, 100, 5000, 3):  # a buffer is replaced by a larger one, and used again
        packed = packed_of(artifact, rows)
        np.testing.assert_array_equal(remote.score(packed), local.score(packed))


def test_many_threads_get_their_own_scores(scorers, artifact):
    remote, local = scorers.engine(artifact, "onnxruntime", ONE, TOLERANCE), OnnxRuntime(artifact.model_path, ONE)
    wrong = []

    def ask(seed):
        rows = np.random.default_rng(seed).integers(1, 400)
        packed = packed_of(artifact, int(rows))
        packed.candidate_numbers[:] += seed
        expected = local.score(packed)
        wrong.extend(seed for _ in range(20) if not np.array_equal(remote.score(packed), expected))

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


class Held(OnnxRuntime):
    """An engine that merges, and can be held up."""

    made: ClassVar = []

    def __init__(self, model, options=ON_CPU):
        super().__init__(model, options)
        self.options = options
        self.held, self.free, self.runs = threading.Event(), threading.Event(), []
        self.free.set()
        Held.made.append(self)

    def score(self, packed):
        self.held.set()
        assert self.free.wait(30)
        self.runs.append(1)
        return super().score(packed)

    def score_many(self, requests):
        if any(len(packed.candidate_ids) == 13 for packed in requests):
            raise ValueError("thirteen candidates")
        self.runs.append(len(requests))
        return [OnnxRuntime.score(self, packed) for packed in requests]


@pytest.fixture
def held(scorers, artifact, monkeypatch):
    """An engine in the scorer, and a request that keeps it busy until ``free`` is set."""
    monkeypatch.setitem(ENGINES._entries, "held", Held)
    remote = scorers.engine(artifact, "held", ONE, TOLERANCE)
    engine = next(engine for engine in Held.made if engine.options == ONE)
    engine.runs.clear()
    engine.held.clear()
    engine.free.clear()
    return remote, engine


def sent(remote, packed, deadline=None):
    """A request on its way, and the event of its end."""
    request, ended = remote.request(packed, deadline), threading.Event()
    request.start(ended.set)
    return request, ended


def test_what_waits_is_merged_and_what_nobody_waits_for_is_dropped(held, artifact):
    remote, engine = held
    expected = OnnxRuntime(artifact.model_path, ONE).score(packed_of(artifact))
    first = sent(remote, packed_of(artifact))
    assert engine.held.wait(30)
    late, left = sent(remote, packed_of(artifact), time.monotonic() + 0.05), sent(remote, packed_of(artifact))
    others = [sent(remote, packed_of(artifact)) for _ in range(3)]
    left[0].cancel()
    time.sleep(0.1)
    engine.free.set()
    for request, ended in (first, late, left, *others):
        assert ended.wait(30)
        if request in (late[0], left[0]):
            assert request.scores() is None
        else:
            np.testing.assert_array_equal(request.scores(), expected)
    assert engine.runs == [1, 3]
    assert [request.done.merged for request, _ in others] == [3, 3, 3]
    assert sum(request.done.first for request, _ in others) == 1
    assert others[0][0].done.waited >= 0.1


def test_one_request_that_cannot_be_merged_does_not_fail_the_others(held, artifact):
    remote, engine = held
    first = sent(remote, packed_of(artifact))
    assert engine.held.wait(30)
    pair = [sent(remote, packed_of(artifact, rows)) for rows in (13, 20)]
    engine.free.set()
    for request, ended in (first, *pair):
        assert ended.wait(30)
        assert request.scores() is not None
    assert engine.runs == [1, 1, 1]


def test_an_engine_that_fails_says_so_and_goes_on(scorers, write_artifact, tmp_path):
    artifact = write_artifact(tmp_path, breaks=True)
    remote = scorers.engine(artifact, "onnxruntime", ONE, TOLERANCE)
    packed = packed_of(artifact)
    expected = remote.score(packed)
    packed.candidate_numbers[0, 0] = 1e5
    with pytest.raises(RuntimeError, match="the engine failed"):
        remote.score(packed)
    packed.candidate_numbers[0, 0] = packed_of(artifact).candidate_numbers[0, 0]
    np.testing.assert_array_equal(remote.score(packed), expected)


def test_a_graph_that_cannot_be_loaded_is_refused_with_the_engines_words(scorers, artifact, write_artifact, tmp_path):
    with pytest.raises(EngineError, match="CUDAExecutionProvider"):
        scorers.engine(artifact, "onnxruntime", EngineOptions("cuda"), TOLERANCE)
    broken = write_artifact(tmp_path)
    broken.model_path.write_bytes(b"no graph")
    with pytest.raises(EngineError, match=r"model\.onnx: ONNX Runtime cannot load it"):
        scorers.engine(broken, "onnxruntime", ONE, TOLERANCE)


def test_a_graph_is_loaded_once_and_unloaded_with_its_last_holder(address, artifact, monkeypatch):
    monkeypatch.setattr(Held, "made", [])
    monkeypatch.setitem(ENGINES._entries, "held", Held)
    clients = [Scorers([address], 30) for _ in range(2)]
    options = EngineOptions("cpu", 2)
    engines = [client.engine(artifact, "held", options, TOLERANCE) for client in clients]
    assert len(Held.made) == 1
    del engines[0]
    gc.collect()
    engines[0].score(packed_of(artifact))
    del engines[0]
    gc.collect()
    again = clients[0].engine(artifact, "held", options, TOLERANCE)
    assert len(Held.made) == 2
    for client in clients:  # the connection ends, and the graph stays for a while
        client.close()
    deadline = time.monotonic() + 30
    while again.ready and time.monotonic() < deadline:
        time.sleep(0.01)
    with pytest.raises(Refusal, match="no scorer is ready") as refused:
        again.request(packed_of(artifact)).start(lambda: None)
    assert (refused.value.status, refused.value.headers) == (503, {"Retry-After": "1"})
    third = Scorers([address], 30)
    third.engine(artifact, "held", options, TOLERANCE).score(packed_of(artifact))
    assert len(Held.made) == 2
    third.close()


def test_an_engine_that_scores_nothing_any_more_ends_the_scorer(artifact, monkeypatch):
    class Breaking(OnnxRuntime):
        broken = False

        def score(self, packed):
            if Breaking.broken:
                raise ValueError("an error of the device")
            return super().score(packed)

    monkeypatch.setitem(ENGINES._entries, "breaking", Breaking)
    at, ended = Address.random("ranker-test"), []
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(f"\0{at.name}")
        listener.listen(8)
        monkeypatch.setattr(threading, "excepthook", lambda failed: ended.append(failed.exc_value))
        threading.Thread(target=Scorer(listener, at.secret, lambda: None).run, daemon=True).start()
        client = Scorers([at], 30)
        remote = client.engine(artifact, "breaking", ONE, TOLERANCE)
        Breaking.broken = True
        remote.request(packed_of(artifact)).start(lambda: None)
        until = time.monotonic() + 30
        while not ended and time.monotonic() < until:
            time.sleep(0.01)
        client.close()
    assert isinstance(ended[0], BrokenEngineError)  # a scorer's process ends by it
    assert "fails whatever it is asked: an error of the device" in str(ended[0])


def test_a_scorer_that_is_not_there_holds_up_no_version_and_gets_it_later(address, artifact):
    late = Address.random("ranker-test")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(f"\0{late.name}")
    listener.listen(8)
    client = Scorers([late, address], 30)
    remote = client.engine(artifact, "onnxruntime", ONE, TOLERANCE)
    expected = remote.score(packed_of(artifact))
    assert len(remote.places) == 1
    threading.Thread(target=Scorer(listener, late.secret, lambda: None).run, daemon=True).start()
    until = time.monotonic() + 30
    while len(remote.places) < 2 and time.monotonic() < until:
        time.sleep(0.01)
    assert len(remote.places) == 2
    np.testing.assert_array_equal(remote.score(packed_of(artifact)), expected)
    client.close()


def test_devices_are_counted_among_those_that_are_visible():
    assert [visible(device, None) for device in ("cpu", "cuda", "cuda:1")] == [None, None, "1"]
    assert [visible(device, "4,GPU-7") for device in ("cpu", "cuda", "cuda:1")] == ["4,GPU-7", "4,GPU-7", "GPU-7"]
    with pytest.raises(EngineError, match=r"'cuda:2': CUDA_VISIBLE_DEVICES is '4,GPU-7', which has no device 2"):
        visible("cuda:2", "4,GPU-7")
