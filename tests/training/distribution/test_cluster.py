"""The processes of a training, found in the environment."""

import json
import socket

import pytest

from ranker.config.file import ConfigError
from training.distribution.cluster import answers, cluster_of

TWO = {"cluster": {"worker": ["a:1", "b:2"]}, "task": {"type": "worker", "index": 1}}


def of(content, **environment):
    text = content if isinstance(content, str) else json.dumps(content)
    return cluster_of(None, "multi_worker", {"TF_CONFIG": text, **environment})


def test_tf_config():
    found = of(TWO)
    assert (found.workers, found.role, found.number, found.address) == (("a:1", "b:2"), "worker", 1, "b:2")
    assert json.loads(found.tf_config()) == TWO


def test_chief_is_the_first_worker_and_servers_are_apart():
    jobs = {"ps": ["s:1"], "worker": ["a:1", "b:2"], "chief": ["c:3"]}
    found = of({"cluster": jobs, "task": {"type": "worker", "index": "1"}})
    assert (found.workers, found.servers, found.number) == (("c:3", "a:1", "b:2"), ("s:1",), 2)
    assert of({"cluster": jobs, "task": {"type": "ps", "index": 0}}).number == 0


@pytest.mark.parametrize(("variable", "text"), [("RANKER_WORKER", "1"), ("JOB_COMPLETION_INDEX", "1")])
def test_file_of_hosts(tmp_path, variable, text):
    path = tmp_path / "hosts"
    path.write_text("# two of them\nworker-0.train:2222\n\n[::1]:2222  # this one\n")
    found = cluster_of(str(path), "multi_worker", {variable: text, "TF_CONFIG": "ignored"})
    assert (found.workers, found.number) == (("worker-0.train:2222", "[::1]:2222"), 1)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "training.distribute: multi_worker needs to know its processes: set TF_CONFIG"),
        ("{", "TF_CONFIG: is not JSON"),
        ([], "TF_CONFIG: needs 'cluster', such as"),
        ({"cluster": {"worker": ["a:1"]}}, "TF_CONFIG: needs 'task', such as"),
        ({**TWO, "task": {"type": "ps", "index": 0}}, "TF_CONFIG: task.type must be one of worker, got 'ps'"),
        ({**TWO, "task": {"type": "worker", "index": 2}}, "task.index must be a whole number from 0 to 1, .* got 2"),
        ({**TWO, "task": {"type": "worker", "index": True}}, "task.index must be a whole number .* got True"),
        ({**TWO, "cluster": {"worker": "a:1"}}, "cluster.worker: must be a list of host:port, got 'a:1'"),
        ({**TWO, "cluster": {"workers": ["a:1"]}}, "cluster.workers: unknown role; roles are chief, worker, ps"),
        ({**TWO, "cluster": {"worker": ["a:1", "a:1"]}}, "TF_CONFIG: a:1 is there twice"),
        ({**TWO, "cluster": {"worker": ["a:1", "b"]}}, "cluster.worker: must be host:port .* got 'b'"),
        ({**TWO, "cluster": {"worker": ["a:70000", "b:1"]}}, "got 'a:70000'"),
        ({**TWO, "cluster": {"chief": ["a:1", "b:1"], "worker": ["c:1"]}}, "there is one chief, got 2"),
    ],
)
def test_mistakes_of_tf_config(content, message):
    with pytest.raises(ConfigError, match=message):
        of(content)


@pytest.mark.parametrize(
    ("text", "environment", "message"),
    [
        ("", {"RANKER_WORKER": "0"}, "hosts: is empty; it needs the host:port of each worker"),
        ("a:1\nb\n", {"RANKER_WORKER": "0"}, "hosts, line 2: must be host:port with a port .* got 'b'"),
        ("a:1\na:1\n", {"RANKER_WORKER": "0"}, "hosts: a:1 is there twice"),
        ("a:1\nb:1\n", {}, "RANKER_WORKER: is not set; set it in each process to its place in .*hosts, 0 to 1"),
        ("a:1\nb:1\n", {"RANKER_WORKER": "2"}, "RANKER_WORKER: must be a whole number from 0 to 1, .* got '2'"),
        ("a:1\nb:1\n", {"JOB_COMPLETION_INDEX": "x"}, "JOB_COMPLETION_INDEX: must be a whole number"),
    ],
)
def test_mistakes_of_a_file_of_hosts(tmp_path, text, environment, message):
    path = tmp_path / "hosts"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        cluster_of(str(path), "multi_worker", environment)


def test_no_file_of_hosts(tmp_path):
    with pytest.raises(ConfigError, match=r"training.distribute.hosts: .*gone: cannot be read \(No such file"):
        cluster_of(str(tmp_path / "gone"), "multi_worker", {})


def test_a_process_answers_while_it_listens():
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        assert answers(address, 5.0)
    assert not answers(address, 5.0)


def test_a_connection_to_itself_is_no_answer(monkeypatch):
    """The system chooses the port to connect from, which on the same machine may be the one that is asked for."""
    connect, ends = socket.create_connection, []
    with socket.create_server(("127.0.0.1", 0)) as server:
        place = server.getsockname()

    def from_the_same_port(address, seconds):
        made = connect(address, seconds, source_address=place)
        ends.append((made.getsockname(), made.getpeername()))
        return made

    monkeypatch.setattr(socket, "create_connection", from_the_same_port)
    assert not answers(f"127.0.0.1:{place[1]}", 5.0)
    assert ends == [(place, place)]
