import socket
import threading
import time

from training.distribution import serving_roles
from training.distribution.cluster import Cluster
from training.distribution.serving_roles import answers, wait_for_end, wait_until_there


def listening():
    server = socket.create_server(("127.0.0.1", 0))
    return server, f"127.0.0.1:{server.getsockname()[1]}"


def test_a_process_answers_while_it_listens():
    server, address = listening()
    assert answers(address)
    server.close()
    assert not answers(address)


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
