"""A training by real processes: a chief, two servers that hold the tables, and two workers, one of which is killed."""

import socket
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import orjson
import pytest
import tensorflow as tf
import yaml

import ranker
from ranker.artifact import STATE
from ranker.config.file import ConfigError
from tests.training import days
from tests.training.distribution.processes import Cluster, Network
from training.commands.fit import fit
from training.config.training import Training
from training.data.array_files import mapped_arrays
from training.data.earlier import VARIABLES
from training.distribution import parameter_server as module
from training.distribution.parameter_server import ParameterServers, ServerLostError
from training.trainer.callbacks import STEPS
from training.trainer.train import RUN

BUCKETS, WIDTH, EVERY = 400_000, 8, 10
TABLE = BUCKETS * WIDTH * 4
LONGEST = 300.0


def config(**training):
    schema = days.CONFIG["schema"]
    item = {"kind": "categorical", "dimension": WIDTH, "hash_buckets": BUCKETS}
    return {
        **days.CONFIG,
        "schema": {**schema, "candidate": {**schema["candidate"], "item": item}},
        "weighting": "mgda",
        "optimizer": {"dense": {"name": "adam", "weight_decay": 0.01}},
        "training": {"epochs": 1, "batch_size": 32, "checkpoint_every": EVERY, **training},
    }


def wait_for(what: Callable[[], bool], cluster: Cluster, every: float = 0.2) -> None:
    """Wait, with a look at whether the chief is still there; the test's own limit is only for a broken build."""
    end = time.monotonic() + LONGEST
    while not what():
        chief = cluster.processes["chief", 0].poll()
        assert chief in (None, 0), cluster.log("chief", 0).read_text()
        assert time.monotonic() < end, "; ".join(log.read_text()[-2000:] for log in cluster._folder.glob("*.log"))
        time.sleep(every)


def kill_between_steps(cluster: Cluster, worker: int, run: Path, pauses: range) -> None:
    """Kill a worker while a checkpoint is written, so that it has no step half done, which would be done twice."""
    claims, latest = run / "claims.json", run / "checkpoints" / "latest"
    for pause in pauses:
        wait_for(lambda pause=pause: f'"0.{pause * EVERY}"' in claims.read_text(), cluster, every=0.002)
        with cluster.stopped("chief", 0):
            if not (latest / f"ckpt-{pause}.index").exists():
                cluster.kill("worker", worker)
                return
    raise AssertionError("all checkpoints were written faster than this test could look")


def losses(run: Path) -> np.ndarray:
    records = [orjson.loads(line) for line in (run / RUN / STEPS).read_bytes().splitlines()]
    return np.array([[*record["loss"].values(), *record["weight"].values()] for record in records])


def test_steps_in_turn_on_servers_are_those_of_one_process(tmp_path):
    first, second = (days.rows(day, "abcdefgh" * 8, day) for day in (1, 2))
    start = fit(config(), first, output=tmp_path / "start", progress=False).export()
    alone = fit(config(), second, output=tmp_path / "alone", from_artifact=start, progress=False)
    expected = alone.export()

    distribute = {"name": "parameter_server", "shard_bytes": 64, "staleness": 0}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config(distribute=distribute)))
    second.to_parquet(tmp_path / "rows.parquet")
    output, network = tmp_path / "output", Network()
    command = ["fit", str(tmp_path / "config.yaml"), "--data", str(tmp_path / "rows.parquet"), "--output", str(output)]
    command += ["--from", str(start.folder)]
    with Cluster({"chief": 1, "ps": 2, "worker": 2}, command, tmp_path, network) as cluster:
        checkpoints = output / RUN / "checkpoints" / "latest"
        wait_for((checkpoints / "ckpt-1.index").exists, cluster)
        sent = network.sent() if network.own else 0
        kill_between_steps(cluster, 1, output / RUN, range(2, 7))
        wait_for((checkpoints / "ckpt-6.index").exists, cluster)
        if network.own:  # 50 of 64 steps, by one worker at last: in all less than the table once
            assert network.sent() - sent < TABLE / 2
        for process in cluster.processes.values():
            wait_for(lambda process=process: process.poll() is not None, cluster)
        ended = {name: process.returncode for name, process in cluster.processes.items()}
        assert ended == {("chief", 0): 0, ("ps", 0): 0, ("ps", 1): 0, ("worker", 0): 0, ("worker", 1): -9}
        assert "server 1: the training is done, so this process ends too" in cluster.log("ps", 1).read_text()
    network.close()

    assert orjson.loads((output / RUN / "partition.json").read_bytes()) == {"servers": 2, "shard_bytes": 64}
    np.testing.assert_allclose(losses(output), losses(tmp_path / "alone"), rtol=1e-5, atol=1e-5)
    made = ranker.load(output)
    variables, of_one = (mapped_arrays(each.folder / STATE / VARIABLES) for each in (made.artifact, expected))
    assert variables.keys() == of_one.keys()
    assert f"embedding/tables/{WIDTH}|accumulator" in variables
    for name, value in variables.items():
        np.testing.assert_allclose(value, of_one[name], rtol=1e-5, atol=1e-5, err_msg=name)


@pytest.mark.parametrize(
    ("jobs", "role", "complaint"),
    [
        ({"worker": ["a:1"]}, "worker", "cluster.chief: parameter_server needs the address of the chief"),
        ({"chief": ["a:1"], "worker": ["b:1"]}, "chief", "cluster.ps: .* each server"),
        ({"chief": ["a:1"], "ps": ["b:1"]}, "chief", "cluster.worker: .* each worker"),
        ({"chief": ["a:1"], "ps": ["b:1"], "worker": ["c:1"], "evaluator": ["d:1"]}, "evaluator", "has no evaluator"),
    ],
)
def test_a_cluster_without_a_role_is_refused(monkeypatch, jobs, role, complaint):
    monkeypatch.setenv("TF_CONFIG", orjson.dumps({"cluster": jobs, "task": {"type": role, "index": 0}}).decode())
    with pytest.raises(ConfigError, match=complaint):
        ParameterServers(Training(distribute="parameter_server"))


@pytest.fixture
def chief(monkeypatch):
    """A chief whose first server is there, and whose second is not."""
    with socket.create_server(("127.0.0.1", 0)) as there, socket.create_server(("127.0.0.1", 0)) as gone:
        servers = [f"127.0.0.1:{each.getsockname()[1]}" for each in (there, gone)]
        gone.close()
        jobs = {"chief": ["a:1"], "ps": servers, "worker": ["b:1"]}
        monkeypatch.setenv("TF_CONFIG", orjson.dumps({"cluster": jobs, "task": {"type": "chief", "index": 0}}).decode())
        yield ParameterServers(Training(distribute="parameter_server"))


def failed(kind, text):
    return kind(None, None, text)


@pytest.mark.parametrize("kind", [tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError])
def test_a_server_that_is_gone_is_named(chief, kind):
    told = chief.lost(failed(kind, "an error that names nobody"))
    assert isinstance(told, ServerLostError)
    assert str(told).startswith(f"server 1 at {chief.cluster.servers[1]} has ended, and the rows of tables that it")


def test_a_server_that_is_there_again_is_named_by_the_error(chief, monkeypatch):
    monkeypatch.setattr(module, "answers", lambda *_: True)
    told = chief.lost(failed(tf.errors.AbortedError, "from remote task /job:ps/replica:0/task:0: another incarnation"))
    assert str(told).startswith(f"server 0 at {chief.cluster.servers[0]} has ended")
    told = chief.lost(failed(tf.errors.UnavailableError, "connection reset"))
    assert str(told).startswith("a server, started again, has ended")


def test_other_errors_are_not_of_a_server(chief):
    assert chief.lost(failed(tf.errors.InvalidArgumentError, "shapes differ")) is None
