import os
import socket
import threading
import time

import pytest
import tensorflow as tf

from ranker.config.file import ConfigError
from ranker.lost_process import LOST
from training.config.training import Training
from training.distribution import serving_roles
from training.distribution.cluster import Cluster
from training.distribution.serving_roles import serve, wait_for_end, wait_until_there


def listening():
    server = socket.create_server(("127.0.0.1", 0))
    return server, f"127.0.0.1:{server.getsockname()[1]}"


def test_those_that_do_not_come_are_named():
    (first, there), (second, away) = listening(), listening()
    second.close()
    cluster = Cluster({"chief": ("127.0.0.1:1",), "worker": (there,), "ps": (there, away)}, "chief", 0, "a test")
    assert wait_until_there(cluster, 0.01) == [f"server 1 at {away}"]
    first.close()


def test_a_server_waits_for_a_chief_that_is_yet_to_come_and_ends_after_it(monkeypatch):
    monkeypatch.setattr(serving_roles, "LOOK", 0.01)
    monkeypatch.setattr(serving_roles, "GRACE", 0.05)
    server, address = listening()
    server.close()
    cluster = Cluster({"chief": (address,), "ps": ("127.0.0.1:1",), "worker": ("127.0.0.1:2",)}, "ps", 0, "a test")
    ended = threading.Event()

    def serve() -> None:
        wait_for_end(cluster)
        ended.set()

    waiting = threading.Thread(target=serve, daemon=True)
    waiting.start()
    assert not ended.wait(0.2)  # longer than the grace: a chief that was never there is waited for
    chief = socket.create_server(("127.0.0.1", int(address.rpartition(":")[2])))
    chief.accept()[0].close()  # it was seen
    seen = time.monotonic()
    chief.close()
    assert ended.wait(30)
    assert time.monotonic() - seen >= 0.04


class EndedError(Exception):
    """In place of the end of the process."""


@pytest.mark.parametrize(
    ("marks", "status", "told"),
    [
        (({}, {"version": 1}), 0, "worker 1: the training is done, so this process ends too"),
        (({"version": 1}, {"version": 2}), 0, "the training is done"),  # after another run in the same folder
        (({}, {}), LOST, "worker 1: the chief has ended before it exported the model (start all processes again"),
        (({"version": 1}, {"version": 1}), LOST, "before it exported the model"),
        (({"version": 1}, {}), LOST, "before it exported the model"),  # the chief has begun anew
    ],
)
def test_the_status_says_whether_the_chief_was_done_or_lost(monkeypatch, capsys, marks, status, told):
    def end(status):
        raise EndedError(status)

    monkeypatch.setattr(os, "_exit", end)
    monkeypatch.setattr(tf.distribute, "Server", lambda *_, **__: None)
    monkeypatch.setattr(serving_roles, "wait_for_end", lambda _: None)
    monkeypatch.setenv("GRPC_FAIL_FAST", "")
    cluster = Cluster({"chief": ("a:1",), "ps": ("b:1",), "worker": ("c:1", "c:2")}, "worker", 1, "a test")
    left = iter(marks)
    with pytest.raises(EndedError) as ended:
        serve(cluster, Training(), lambda: next(left))
    assert ended.value.args == (status,)
    assert told in capsys.readouterr().err


def test_a_port_that_is_in_use_is_named(monkeypatch):
    monkeypatch.setenv("GRPC_FAIL_FAST", "")
    server, address = listening()
    cluster = Cluster({"chief": ("127.0.0.1:1",), "ps": (address,), "worker": ("127.0.0.1:2",)}, "ps", 0, "a test")
    with pytest.raises(ConfigError, match=rf"a test: server 0: the port of {address} is in use on this machine"):
        serve(cluster, Training(), dict)
    server.close()
