"""A service whose engine is in a scorer: real processes that are killed, and versions that change meanwhile."""

import os
import shutil
import signal
import time
from collections import Counter
from pathlib import Path

import httpx
import pytest

from serving.process.procfs import start_time
from tests.serving.asking import CLIENT, load, metric, patiently, post
from tests.serving.conftest import server
from tests.serving.warm import ranker_serve

KEY = {"Authorization": "Bearer a key for administrators"}
KEYED = {"admin_keys": "a key for administrators", "scorer": "on"}


def scorers_of(running):
    """Process ids of the scorers: children of the supervisor that are no workers."""
    pid = running.process.pid
    children = set(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())) - set(workers_of(running))
    return [child for child in sorted(children) if "spawn_main" in Path(f"/proc/{child}/cmdline").read_text()]


def workers_of(running):
    answer = CLIENT.get(f"{running.url}/admin/status", headers=KEY, timeout=10)
    return sorted(map(int, answer.json()["workers"]))


def is_ready(running):
    try:
        return CLIENT.get(f"{running.url}/health/ready").status_code == 200
    except httpx.TransportError:  # it has ended
        return False


@pytest.fixture(scope="module")
def service(write_artifact, tmp_path_factory):
    root = tmp_path_factory.mktemp("scored")
    write_artifact(root)
    with server(root, "--workers", 2, watch=0.2, hung_after=4, **KEYED) as running:
        patiently(lambda: len(workers_of(running)) == 2)
        yield root, running


def test_a_killed_scorer_costs_503s_and_no_500_and_the_next_one_serves(service, body):
    _, running = service
    before = post(running.url, body).json()
    assert CLIENT.get(f"{running.url}/models").json()["models"]["default"]["scorer"] is True
    (scorer,) = scorers_of(running)
    workers = workers_of(running)
    with load(running.url, body, clients=4) as tally:
        patiently(lambda: tally.statuses[200] > 20)
        os.kill(scorer, signal.SIGKILL)
        patiently(lambda: not is_ready(running) or len(running.logged("scorer found again")) == 2)
        patiently(lambda: len(running.logged("scorer found again")) == 2)
        answered = tally.statuses[200]
        patiently(lambda: tally.statuses[200] > answered + 20)
    assert tally.statuses.keys() <= {200, 503}
    assert tally.errors == Counter()
    assert is_ready(running)
    assert [(line["scorer"], line["reason"]) for line in running.logged("scorer died")] == [(scorer, "killed")]
    assert workers_of(running) == workers
    assert scorers_of(running) != [scorer]
    assert post(running.url, body).json() == before
    patiently(lambda: metric(running.url, "ranker_scorer_restarts_total") == 1)


def test_a_killed_worker_does_not_disturb_the_scorer(service, body):
    _, running = service
    victim, other = workers_of(running)
    scorer = scorers_of(running)
    os.kill(victim, signal.SIGKILL)
    patiently(lambda: len(workers_of(running)) == 2 and victim not in workers_of(running))
    assert other in workers_of(running)
    assert {post(running.url, body).status_code for _ in range(6)} == {200}
    assert scorers_of(running) == scorer


def test_a_hung_scorer_is_replaced_and_what_it_held_gets_a_503(service, body):
    _, running = service
    (scorer,) = scorers_of(running)
    os.kill(scorer, signal.SIGSTOP)
    answer = CLIENT.post(f"{running.url}/rank", json=body, timeout=60)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert answer.json()["detail"][0]["reason"].startswith("no scorer is ready")
    assert running.logged("scorer died")[-1]["reason"] == "hung"
    late = CLIENT.post(f"{running.url}/rank", json=body, headers={"X-Request-Timeout-Ms": "1"})
    assert late.status_code in (503, 504)
    patiently(lambda: is_ready(running) and post(running.url, body).status_code == 200)


def test_versions_change_under_load_and_refused_ones_do_not(service, body, write_artifact):
    root, running = service
    with load(running.url, body, clients=3) as tally:
        write_artifact(root, fusion={"parameters": {"share": {"click": 3.0}}})
        patiently(lambda: tally.versions[2] > 5)
        shutil.copytree(root / "2", root / ".3", dirs_exist_ok=True)
        (root / ".3" / "model.onnx").write_bytes(b"no graph")
        (root / ".3").rename(root / "3")
        refused = patiently(lambda: running.logged("version refused"))
        assert refused[0]["version"] == 3
        answer = CLIENT.post(f"{running.url}/admin/rollback", headers=KEY, timeout=60)
        assert set(answer.json()["workers"].values()) == {1}
    assert tally.statuses.keys() == {200}
    assert tally.versions.keys() == {1, 2}
    assert len(tally.answers) == 2  # one ranking a version
    patiently(lambda: len(running.logged("graph unloaded")) >= 1)  # nobody holds version 2 any more


@pytest.mark.parametrize("how", ["term", "kill"])
def test_the_scorer_ends_after_its_workers_and_with_a_killed_supervisor(artifact, body, how):
    with server(artifact.folder, "--device", "cpu,cpu", drain=1, **KEYED) as running:
        scorers, workers = scorers_of(running), workers_of(running)
        assert (len(scorers), len(workers)) == (2, 1)
        with load(running.url, body, until_closed=True) as tally:
            patiently(lambda: tally.statuses[200] > 5)
            if how == "term":
                running.process.send_signal(signal.SIGTERM)
                patiently(lambda: not is_ready(running))
        if how == "kill":
            running.process.kill()
        assert running.process.wait(timeout=60) == (0 if how == "term" else -signal.SIGKILL)
        patiently(lambda: not any(start_time(pid) for pid in [*scorers, *workers]))
        assert tally.statuses.keys() == {200}


def test_what_cannot_be_served_is_one_line_before_workers_start(tmp_path, artifact):
    begun = time.monotonic()
    missing = ranker_serve(tmp_path / "none", scorer="on")
    assert missing.returncode == 1
    assert "has no manifest.json and no numbered version" in missing.stderr.splitlines()[-1]
    shutil.copytree(artifact.folder, tmp_path / "1")
    cuda = ranker_serve(tmp_path / "1", device="cuda")
    assert cuda.returncode == 1
    assert "CUDAExecutionProvider" in cuda.stderr.splitlines()[-1]
    several = ranker_serve(tmp_path / "1", "--device", "cpu,cuda")
    assert "RANKER_SERVE_DEVICE: must be 'cpu', 'cuda', or devices of one kind such as cuda:0,cuda:1" in several.stderr
    off = ranker_serve(tmp_path / "1", "--device", "cuda:0,cuda:1", "--scorer", "off")
    assert "several devices (cuda:0,cuda:1) need scorers" in off.stderr
    assert time.monotonic() - begun < 300
