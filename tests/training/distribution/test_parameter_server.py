"""A training by real processes: a chief, two servers that hold the tables, and two workers, one of which is killed."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import orjson
import pytest
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
from training.distribution.parameter_server import ParameterServers
from training.trainer.callbacks import STEPS
from training.trainer.train import RUN

BUCKETS, WIDTH, EVERY = 400_000, 8, 20
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


def wait_for(what: Callable[[], bool], cluster: Cluster) -> None:
    """Wait, with a look at whether the chief is still there; the test's own limit is only for a broken build."""
    end = time.monotonic() + LONGEST
    while not what():
        chief = cluster.processes["chief", 0].poll()
        assert chief in (None, 0), cluster.log("chief", 0).read_text()
        assert time.monotonic() < end, "; ".join(log.read_text()[-2000:] for log in cluster._folder.glob("*.log"))
        time.sleep(0.2)


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
        cluster.kill("worker", 1)
        wait_for((checkpoints / "ckpt-3.index").exists, cluster)
        if network.own:  # two thirds of the steps, one process fewer: in all less than the table once
            assert network.sent() - sent < TABLE / 2
        for process in cluster.processes.values():
            wait_for(lambda process=process: process.poll() is not None, cluster)
        ended = {name: process.returncode for name, process in cluster.processes.items()}
        assert ended == {("chief", 0): 0, ("ps", 0): 0, ("ps", 1): 0, ("worker", 0): 0, ("worker", 1): -9}
        assert "the chief has ended, so this process ends too" in cluster.log("ps", 1).read_text()
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
