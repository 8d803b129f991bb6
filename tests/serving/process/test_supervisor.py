"""Workers that hang, die, or cannot load, and supervisors that are killed: real processes."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from serving.process.procfs import start_time
from tests.serving.asking import CLIENT, patiently, post
from tests.serving.conftest import server

ADMIN = "a key for administrators"


def workers_of(running):
    """Process ids of the workers, as one that answers tells them."""
    answer = CLIENT.get(f"{running.url}/admin/status", headers={"Authorization": f"Bearer {ADMIN}"}, timeout=2)
    return sorted(map(int, answer.json()["workers"]))


def two(running, without=()):
    """Process ids of two workers, other ones than ``without``, once each of them has answered."""
    answered = set()

    def both():
        answer = CLIENT.get(
            f"{running.url}/admin/status", headers={"Authorization": f"Bearer {ADMIN}"}, timeout=2
        ).json()
        answered.add(answer["answered_by"])
        found = set(map(int, answer["workers"]))
        return len(found) == 2 and not {*without} & found and found <= answered and sorted(found)

    return patiently(both)


def counted(running, name, **labels):
    wanted = [f'{key}="{value}"' for key, value in labels.items()]
    lines = CLIENT.get(f"{running.url}/metrics").text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(name) and all(w in line for w in wanted))


def deaths(running):
    return [(line["worker"], line["reason"]) for line in running.log() if line["event"] == "worker died"]


def free(url):
    """Whether another service could have the port."""
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((urlsplit(url).hostname, urlsplit(url).port))
        except OSError:
            return False
    return True


def test_a_hung_worker_delays_nothing_and_is_replaced_and_sigterm_is_heard_at_once(artifact, body):
    with server(artifact.folder, "--workers", 2, admin_keys=ADMIN, hung_after=5) as running:
        hung, other = two(running)
        os.kill(hung, signal.SIGSTOP)
        os.kill(other, signal.SIGKILL)
        patiently(lambda: deaths(running))
        patiently(lambda: post(running.url, body).status_code == 200)
        next_hung, next_other = two(running, without=(hung, other))
        patiently(lambda: deaths(running) == [(other, "killed"), (hung, "hung")])  # nobody waited for the hung one
        assert counted(running, "ranker_worker_deaths_total", reason="killed") == 1
        assert counted(running, "ranker_worker_deaths_total", reason="hung") == 1
        assert counted(running, "ranker_worker_deaths_total", reason="failed_to_load") == 0
        assert counted(running, "ranker_worker_restarts_total") == 2

        os.kill(next_hung, signal.SIGSTOP)
        running.process.send_signal(signal.SIGTERM)
        patiently(lambda: start_time(next_other) is None)
        assert running.process.wait(timeout=60) == 0
        assert start_time(next_hung) is None
        assert [line["worker"] for line in running.log() if line["event"] == "worker killed"] == [next_hung]


@pytest.fixture
def spoilt(artifact, tmp_path):
    """An artifact of one version, and the same with its model spoilt."""
    shutil.copytree(artifact.folder, tmp_path / "1")

    def spoil(spoilt=True):
        source = b"spoilt" if spoilt else (artifact.folder / "model.onnx").read_bytes()
        (tmp_path / "1" / "model.onnx").write_bytes(source)

    return tmp_path, spoil


def failures(running):
    return [line for line in running.log() if line["event"] == "worker cannot load"]


def test_a_worker_that_cannot_load_starts_ever_less_often_and_all_end_with_their_supervisor(spoilt, body):
    root, spoil = spoilt
    with server(root, "--workers", 2, admin_keys=ADMIN, drain=600) as running:
        first, _ = two(running)
        spoil()
        os.kill(first, signal.SIGKILL)
        patiently(lambda: len(failures(running)) == 2)
        assert post(running.url, body).status_code == 200
        assert [(line["failures"], line["again_in"]) for line in failures(running)] == [(1, 1), (2, 2)]
        assert "model.onnx: differs from what was exported" in failures(running)[0]["reason"]
        assert counted(running, "ranker_worker_deaths_total", reason="failed_to_load") == 2
        spoil(False)
        workers = two(running, without=(first,))

        running.process.kill()
        running.process.wait()
        patiently(lambda: free(running.url))  # though the drain is long
        patiently(lambda: {start_time(pid) for pid in workers} == {None})


CANNOT_LOAD = """
def app():
    raise ValueError("nothing to serve")
"""
SUPERVISED = """
import sys
from uvicorn import Config
from serving.logs import CONFIG
from serving.process.worker_counts import WorkerCounts
from serving.process import supervisor
supervisor.FAILURES = 2
if __name__ == "__main__":
    config = Config("cannot_load:app", factory=True, port=0, workers=2, log_config=CONFIG)
    counts = WorkerCounts(None)
    status = supervisor.Supervisor(config, [config.bind_socket()], counts, 10, 600, 0).run()
    sys.exit(status)
"""


def test_the_service_ends_where_no_worker_can_load(tmp_path):
    (tmp_path / "cannot_load.py").write_text(CANNOT_LOAD)
    (tmp_path / "supervised.py").write_text(SUPERVISED)
    command = [sys.executable, str(tmp_path / "supervised.py")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(["", *sys.path])}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert ended.returncode == 1
    lines = [json.loads(line) for line in ended.stderr.splitlines()]  # no plain text
    assert {(line["event"], line["reason"]) for line in lines[:-1]} == {("worker cannot load", "nothing to serve")}
    assert lines[-1]["event"] == "service ends"
    assert max(line.get("failures", 0) for line in lines) == 2


def test_removed_runtime_files_are_written_anew_and_a_worker_killed_while_it_drains_is_logged(
    write_artifact, tmp_path, body
):
    root, runtime = tmp_path / "versions", tmp_path / "runtime"
    write_artifact(root)
    with server(root, "--workers", 2, admin_keys=ADMIN, watch=0.2, runtime=runtime, drain=600) as running:
        two(running)
        (runtime / "state.json").unlink()
        shutil.rmtree(runtime / "workers")
        write_artifact(root)
        reload = CLIENT.post(
            f"{running.url}/admin/reload", json={}, headers={"Authorization": f"Bearer {ADMIN}"}, timeout=60
        )
        assert reload.json()["version"] == 2
        patiently(lambda: (runtime / "state.json").is_file() and len(workers_of(running)) == 2)
        told = len(patiently(lambda: running.logged("runtime files were removed")))
        runtime.rename(tmp_path / "removed")  # at once, so that nothing is written into it meanwhile
        write_artifact(root)
        patiently(lambda: {post(running.url, body).json()["model_version"] for _ in range(6)} == {3})
        patiently(lambda: len(running.logged("runtime files were removed")) > told)

        killed, other = two(running)
        running.process.send_signal(signal.SIGTERM)
        patiently(lambda: {line["pid"] for line in running.logged("draining")} == {killed, other})
        os.kill(killed, signal.SIGKILL)
        (line,) = patiently(lambda: running.logged("worker died"))
        assert (line["worker"], line["reason"], line["ended_by"]) == (killed, "killed", "SIGKILL")
        running.process.send_signal(signal.SIGTERM)  # skips what is left of the drain
        assert running.process.wait(timeout=60) == 0
        assert len(running.logged("worker died")) == 1


def test_a_killed_service_leaves_no_folder_behind(artifact, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with server(artifact.folder) as running:
        assert len(list(tmp_path.glob("ranker-serve-*"))) == 1
        running.process.kill()
        running.process.wait()
    (left,) = tmp_path.glob("ranker-serve-*")
    with server(artifact.folder) as running:
        (folder,) = tmp_path.glob("ranker-serve-*")
        assert folder != left
        (line,) = patiently(lambda: running.logged("stale runtime folder removed"))
        assert Path(line["folder"]) == left
    time.sleep(0.1)
    assert list(tmp_path.glob("ranker-serve-*")) == []
