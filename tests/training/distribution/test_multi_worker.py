"""Two real processes, and two devices of one, that train one model, through the command that a person runs."""

import json
import os
import signal
import subprocess
import time

import numpy as np
import pandas as pd
import pytest
import yaml

from ranker.config.file import ConfigError
from ranker.lost_process import LOST
from tests.training.days import CONFIG, rows
from tests.training.distribution.processes import free_ports
from tests.training.trainer.states import state_arrays
from tests.two_devices import DEVICES
from training.commands.fit import fit
from training.config.experiment import checked
from training.distribution import DISTRIBUTIONS

LIMIT = 180
"""Seconds after which a test fails; nothing takes as long."""


def config(distribute, **changes):
    training = {"epochs": 4, "batch_size": 64, "checkpoint_every": 4, **changes, "distribute": distribute}
    return {**CONFIG, "daily": {}, "weighting": {"name": "gradnorm"}, "training": training}


def started(python, folder):
    """Two workers, the chief first, with a file of hosts."""
    (folder / "hosts").write_text("".join(f"127.0.0.1:{port}\n" for port in free_ports(2)))
    command = [*python, "-m", "training.cli", "fit", folder / "two.yaml", "--data", folder / "log.parquet"]
    return [
        subprocess.Popen(
            [*command, "--output", folder / "two"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "RANKER_WORKER": str(number), "CUDA_VISIBLE_DEVICES": "", "COLUMNS": "200"},
        )
        for number in (0, 1)
    ]


def steps(folder):
    return [json.loads(line) for line in (folder / "run" / "steps.jsonl").read_bytes().splitlines()]


def compare(mine, theirs):
    for one, other in zip(mine, theirs, strict=True):
        for kind in ("loss", "weight"):
            np.testing.assert_allclose([*other[kind].values()], [*one[kind].values()], rtol=1e-5, atol=1e-6)


def test_killed_and_started_again_two_workers_equal_one_process_of_two_readers(warm_python, tmp_path, monkeypatch):
    log = tmp_path / "log.parquet"
    pd.concat([rows(day, "aabcdeee", day) for day in range(1, 5)]).to_parquet(log)
    (tmp_path / "two.yaml").write_text(
        yaml.safe_dump(config({"name": "multi_worker", "hosts": str(tmp_path / "hosts")}))
    )
    chief, worker = started(warm_python, tmp_path)
    try:
        saved, until = tmp_path / "two" / "run" / "checkpoints" / "latest" / "checkpoint", time.monotonic() + LIMIT
        while not (saved.is_file() and "ckpt-3" in saved.read_text()):  # the first is of the start, others of steps
            assert time.monotonic() < until, "no checkpoint"
            assert chief.poll() is worker.poll() is None, (chief.communicate()[0], worker.communicate()[0])
            time.sleep(0.02)
        os.kill(worker.pid, signal.SIGTERM)
        said = chief.communicate(timeout=LIMIT)[0]
        assert chief.returncode == LOST, said
        assert "worker 1 (127.0.0.1:" in said
        assert "Start all workers again with the same command" in said
        worker.communicate(timeout=LIMIT)
        assert worker.returncode == -signal.SIGTERM
        before = len(steps(tmp_path / "two"))
        chief, worker = started(warm_python, tmp_path)
        (of_chief, _), (of_worker, _) = (process.communicate(timeout=LIMIT) for process in (chief, worker))
    finally:
        for process in (chief, worker):
            process.kill()
            process.communicate()
    assert (chief.returncode, worker.returncode) == (0, 0), (of_chief, of_worker)
    assert "resuming from epoch" in of_chief
    assert "artifact: " in of_chief
    assert "done: this process trained with the others, and worker 0 exports the model" in of_worker
    assert "artifact" not in of_worker
    assert "epoch" not in of_worker
    found = steps(tmp_path / "two")
    assert before < len(found) == 4 * 16
    one = fit(config({"name": "one", "readers": 2}), [str(log)], output=tmp_path / "one", progress=False)
    compare(steps(tmp_path / "one"), found)
    devices = config({"name": "mirrored", "devices": DEVICES, "readers": 2})
    mirrored = fit(devices, [str(log)], output=tmp_path / "mirrored", progress=False)
    compare(steps(tmp_path / "one"), steps(tmp_path / "mirrored"))
    assert mirrored.metrics["mean_auc"] == pytest.approx(one.metrics["mean_auc"], abs=1e-4)
    (facts, kept), (theirs, copies) = (
        state_arrays(run.model, run.prepared, run.experiment, run.parent) for run in (one.trained, mirrored.trained)
    )
    assert theirs.iterations == facts.iterations  # moments, too, are what a later fit would carry on
    assert copies.keys() == kept.keys()
    for name, values in kept.items():
        np.testing.assert_allclose(copies[name], values, rtol=1e-3, atol=1e-5, err_msg=name)
    manifest = json.loads((tmp_path / "two" / "1" / "manifest.json").read_bytes())
    assert manifest["metrics"]["mean_auc"] == pytest.approx(one.metrics["mean_auc"], abs=1e-4)

    (tmp_path / "two" / "run" / "exported.json").unlink()  # as if worker 0 was killed while it exported
    for number in (1, 0):  # each alone, as worker 1 has ended
        monkeypatch.setenv("RANKER_WORKER", str(number))
        again = fit(tmp_path / "two.yaml", [str(log)], output=tmp_path / "two", progress=False)
        assert again.exports is (number == 0)
        assert again.metrics["mean_auc"] == pytest.approx(manifest["metrics"]["mean_auc"], abs=1e-6)


@pytest.mark.parametrize(
    ("tf_config", "changes", "message"),
    [
        (
            {"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 0}},
            {},
            "TF_CONFIG: multi_worker needs two workers or more, got one; use distribute: one, or mirrored",
        ),
        (
            {"cluster": {"worker": ["a:1", "b:1"], "ps": ["c:1"]}, "task": {"type": "ps", "index": 0}},
            {},
            "this process is of the role 'ps'; use distribute: parameter_server",
        ),
        (
            {"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 0}},
            {"readers": 3},
            "training.distribute.readers: must be a multiple of the 2 workers, so that each reads as much, got 3",
        ),
        (
            {"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 0}},
            {"readers": 4},
            "training.batch_size: must be at least the 4 readers, got 3",
        ),
    ],
)
def test_clusters_that_do_not_fit(monkeypatch, tf_config, changes, message):
    monkeypatch.setenv("TF_CONFIG", json.dumps(tf_config))
    experiment = checked(config({"name": "multi_worker", **changes}, batch_size=3))
    with pytest.raises(ConfigError, match=message):
        DISTRIBUTIONS["multi_worker"](experiment.training)
