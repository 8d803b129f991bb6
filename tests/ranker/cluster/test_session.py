import signal
from socket import create_connection, socket

import pytest

from ranker.cluster import session
from ranker.cluster.session import ClusterError, cluster_at


def test_without_ray_it_says_what_to_install(monkeypatch):
    def missing(name):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(session, "import_module", missing)
    with pytest.raises(ClusterError, match=r"ray is missing\): pip install 'ranker\[ray\]'"), cluster_at("local"):
        pass


def test_rays_client_is_refused_before_anything_is_imported(monkeypatch):
    monkeypatch.setattr(session, "import_module", lambda name: pytest.fail(name))
    with (
        pytest.raises(ClusterError, match=r"--ray ray://head:10001: .* --ray HOST:PORT"),
        cluster_at("ray://head:10001"),
    ):
        pass


class FakeRay:
    """Ray as far as a session uses it."""

    class exceptions:  # noqa: N801
        RayError = type("RayError", (Exception,), {})

    def __init__(self, error=None, running=False):
        self.error, self.running, self.calls = error, running, []
        self.data = self
        self.context = type("Context", (), {})()
        self.DataContext = type("C", (), {"get_current": staticmethod(lambda: self.context)})

    def is_initialized(self):
        return self.running

    def init(self, **how):
        self.calls.append(how)
        signal.signal(signal.SIGTERM, lambda *_: None)  # as Ray does
        if self.error is not None:
            raise self.error

    def shutdown(self):
        self.calls.append("shutdown")

    def cluster_resources(self):
        return {"CPU": 6.0, "memory": 1e9}


@pytest.fixture
def fake(monkeypatch):
    def use(**how):
        ray = FakeRay(**how)
        monkeypatch.setattr(session, "import_module", lambda _: ray)
        monkeypatch.setattr(session, "create_connection", lambda *_: socket())
        for name in session.QUIET:
            monkeypatch.delenv(name, raising=False)
        return ray

    return use


def test_a_local_ray_has_no_dashboard_tells_nobody_and_is_stopped(fake, monkeypatch):
    ray = fake()
    with cluster_at("local") as cluster:
        assert (cluster.cpus, cluster.own, cluster.pool()) == (6.0, True, (5, 1))
        assert session.os.environ["RAY_USAGE_STATS_ENABLED"] == "0"
    assert ray.calls[0]["include_dashboard"] is False
    assert ray.calls[0]["log_to_driver"] is False
    assert ray.calls[0]["num_cpus"] >= 1
    assert ray.calls[1:] == ["shutdown"]
    assert ray.context.enable_progress_bars is False


def test_a_signal_that_ends_the_process_stops_ray_first(fake):
    ray = fake()
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)  # the tests' own Ray may have set it
    try:
        with pytest.raises(SystemExit) as ended, cluster_at("local"):
            signal.raise_signal(signal.SIGTERM)
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    finally:
        signal.signal(signal.SIGTERM, before)
    assert ended.value.code == 143
    assert ray.calls[1:] == ["shutdown"]


def test_a_running_cluster_is_joined_and_a_connection_of_the_process_is_left(fake):
    ray = fake()
    with cluster_at("head:6379") as cluster:
        assert not cluster.own
    assert [call if isinstance(call, str) else call["address"] for call in ray.calls] == ["head:6379", "shutdown"]
    ray = fake(running=True)
    with cluster_at("local") as cluster:
        assert not cluster.own
    assert ray.calls == []


@pytest.mark.parametrize("kind", [ConnectionError, RuntimeError, Exception, FakeRay.exceptions.RayError])
def test_an_address_that_does_not_answer_is_one_line(fake, kind):
    fake(error=kind("no GCS at head:1\n\ntrace"))
    with (
        pytest.raises(ClusterError, match=r"^--ray head:1: no GCS at head:1; name HOST:PORT of .*$"),
        cluster_at("head:1"),
    ):
        pass


def test_an_address_where_nothing_listens_is_refused_before_ray_waits(fake, monkeypatch):
    with socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound, so that no other test listens there
        address = f"127.0.0.1:{closed.getsockname()[1]}"
        ray = fake()
        monkeypatch.setattr(session, "create_connection", create_connection)
        with pytest.raises(ClusterError, match=rf"^--ray {address}: nothing answers there .*; name HOST:PORT of a"):
            cluster_at(address).__enter__()
    assert ray.calls == []


@pytest.mark.parametrize("address", ["head", "head:", ":6379", "head:port", "head:70000", "10.0.0.5:0"])
def test_an_address_that_is_none_is_refused(fake, address):
    fake()
    with pytest.raises(ClusterError, match=rf"^--ray {address}: must be HOST:PORT, auto or local$"):
        cluster_at(address).__enter__()
