"""The log of a real service: what SIGTERM, SIGKILL, a full disk, several workers and a sample leave."""

import json
import os
import signal
import threading
import time

import pytest

from ranker.exposures import open_files
from tests.serving.asking import CLIENT, patiently
from tests.serving.conftest import server
from tests.serving.exposures.logs import QUICK, asked, logged, rows_of, rows_written, sample
from tests.serving.full_disk import small_disk
from tests.serving.server_process import free_port
from tests.serving.test_disk_space import allowed
from tests.serving.warm import ranker_serve

KEY = "a key for administrators"


def status(url):
    return CLIENT.get(f"{url}/admin/status", headers={"Authorization": f"Bearer {KEY}"}).json()


@pytest.fixture
def small(body):
    return {**body, "top_k": 3}


class Asking:
    """Asks from threads, each request with an id of its own, until it is told to stop; keeps what was answered."""

    def __init__(self, url, body, clients=3):
        self.answered, self._stop, self._url, self._body = [], threading.Event(), url, json.dumps(body)
        self._threads = [threading.Thread(target=self._ask, args=(number,)) for number in range(clients)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, number):
        count = 0
        while not self._stop.is_set():
            count += 1
            name = f"{number}-{count}"
            try:
                answer = CLIENT.post(f"{self._url}/rank", content=self._body, headers={"X-Request-ID": name})
            except Exception:
                return
            if answer.status_code == 200:
                self.answered.append((time.time(), name))


def test_what_was_answered_is_logged_once_by_all_workers(artifact, small, tmp_path):
    with server(artifact.folder, "--workers", 2, exposures=tmp_path, admin_keys=KEY, **QUICK) as running:
        answer = asked(running.url, small, "first")
        with Asking(running.url, small) as asking:
            patiently(lambda: len(asking.answered) > 200)
        count = len(asking.answered) + 1
        patiently(lambda: sample(running.url, "ranker_exposures_requests_total") == count)
        assert sample(running.url, "ranker_exposures_rows_total") == 3 * count
        assert sample(running.url, "ranker_exposures_bytes_total") > 100 * count
        assert sample(running.url, "ranker_exposures_dropped_total") == 0
        assert sample(running.url, "ranker_exposures_unwritten_seconds") < 2
        facts = status(running.url)["exposures"]
        assert (facts["to"], facts["problem"], facts["dropped"]) == (str(tmp_path), None, {})
    found = logged(tmp_path)
    assert {*found} == {name for _, name in asking.answered} | {"first"}
    assert {len(rows) for rows in found.values()} == {3}
    first = found["first"]
    assert [row["item"] for row in first] == answer["ids"]
    assert [row["fused"] for row in first] == answer["fused"]
    assert not open_files(tmp_path)


def test_sigterm_under_load_loses_nothing(artifact, small, tmp_path):
    settings = {"exposures_flush": 60, "drain": 0}  # nothing is written before the end
    with server(artifact.folder, exposures=tmp_path, **settings) as running, Asking(running.url, small) as asking:
        patiently(lambda: len(asking.answered) > 50)
        running.process.send_signal(signal.SIGTERM)
        running.process.wait(60)
    assert running.process.returncode == 0
    found = logged(tmp_path)
    assert {name for _, name in asking.answered} <= found.keys()
    assert {len(rows) for rows in found.values()} == {3}


def test_sigkill_loses_at_most_the_last_flush_and_the_next_service_finishes_the_file(artifact, small, tmp_path):
    flush = 0.2
    settings = {"exposures": tmp_path, "exposures_flush": flush}
    with server(artifact.folder, **settings) as running, Asking(running.url, small) as asking:
        patiently(lambda: rows_written(tmp_path) > 300)
        running.process.kill()
        killed = time.time()
        running.process.wait()
    (left,) = open_files(tmp_path)
    assert rows_of(tmp_path).num_rows == 0
    with server(artifact.folder, **settings) as running:
        patiently(lambda: not left.path.exists())
        (said,) = patiently(lambda: running.logged("exposures recovered"))
        asked(running.url, small, "after")
    found = logged(tmp_path)
    assert said["rows"] == 3 * (len(found) - 1)
    assert {len(rows) for rows in found.values()} == {3}
    lost = [at for at, name in asking.answered if name not in found]
    assert all(killed - at < flush + 1.0 for at in lost)  # a second for a machine that others use, too
    assert "after" in found


def test_a_killed_worker_costs_the_others_nothing_and_its_rows_come_once(artifact, small, tmp_path):
    settings = {"exposures": tmp_path, "exposures_flush": 0.05, "admin_keys": KEY}
    with server(artifact.folder, "--workers", 2, **settings) as running:
        patiently(lambda: len(status(running.url)["workers"]) == 2)
        for number in range(40):
            asked(running.url, small, f"{number}")
        patiently(lambda: rows_written(tmp_path) == 120)
        os.kill(status(running.url)["answered_by"], signal.SIGKILL)  # the other may not serve yet
        patiently(lambda: running.logged("worker died"))
        for number in range(40, 60):
            patiently(lambda number=number: asked(running.url, small, f"{number}"))
        patiently(lambda: running.logged("exposures recovered"))  # by the worker in the dead one's place
    found = logged(tmp_path)
    assert {f"{number}" for number in range(60)} == {*found}
    assert {len(rows) for rows in found.values()} == {3}


@pytest.fixture(params=[kind for kind in allowed() if kind == "tmpfs"] or [None])
def disk(request, tmp_path, monkeypatch):
    if request.param is None:
        pytest.skip("no file system can be mounted here")
    with small_disk(tmp_path, monkeypatch, "tmpfs") as found:
        monkeypatch.delenv("TMPDIR")  # the log alone is on the small disk
        yield found


def test_a_full_disk_is_a_warning_and_costs_no_answer_and_no_row(artifact, small, disk):
    directory = disk.folder / "log"
    settings = {"exposures": directory, "exposures_flush": 0.05, "exposures_roll_seconds": 3600}
    with server(artifact.folder, **settings) as running:
        asked(running.url, small, "before")
        patiently(lambda: rows_written(directory) == 3)
        disk.fill()
        for number in range(100):  # some fit into what the last page has left
            asked(running.url, small, f"{number}")
            time.sleep(0.01)
        (said,) = patiently(lambda: running.logged("exposures not written"))
        assert "No space left on device" in said["reason"]
        patiently(lambda: sample(running.url, "ranker_exposures_unwritten_seconds") > 0.5)
        disk.free()
        patiently(lambda: running.logged("exposures written again"))
        asked(running.url, small, "after")
        assert sample(running.url, "ranker_exposures_dropped_total") == 0
    found = logged(directory)
    assert {*found} == {"before", "after", *map(str, range(100))}
    assert {len(rows) for rows in found.values()} == {3}


def test_a_full_queue_drops_and_counts(artifact, small, tmp_path):
    settings = {"exposures": tmp_path, "exposures_flush": 0.1, "exposures_queue_bytes": 2**16, "admin_keys": KEY}
    with server(artifact.folder, **settings) as running:
        (tmp_path / ".open").rmdir()
        (tmp_path / ".open").write_text("no folder, so that nothing can be written")
        for number in range(200):
            asked(running.url, small, f"{number}")
        dropped = status(running.url)["exposures"]["dropped"]["queue_full"]
        assert 0 < dropped < 200
        patiently(lambda: sample(running.url, "ranker_exposures_dropped_total") == dropped)
        assert sample(running.url, "ranker_exposures_queue_bytes") <= 2**16
        (tmp_path / ".open").unlink()
        patiently(lambda: running.logged("exposures dropped"))
    assert len(logged(tmp_path)) == 200 - dropped


def test_a_place_that_cannot_be_is_one_line_at_the_start(artifact, tmp_path):
    (tmp_path / "file").touch()
    ended = ranker_serve(artifact.folder, engine="onnxruntime", port=free_port(), exposures=tmp_path / "file")
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert line.startswith("error: RANKER_SERVE_EXPOSURES: ")
