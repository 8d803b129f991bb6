"""A service whose runtime folder is full."""

import os
import signal
import subprocess
import tempfile

import pyarrow.parquet as pq
import pytest

from tests.serving.asking import CLIENT, load, patiently, post
from tests.serving.conftest import server
from tests.serving.features.items.test_items import items_of
from tests.serving.full_disk import KINDS, mounted, small_disk
from tests.serving.server_process import free_port
from tests.serving.warm import ranker_serve

KEY = {"Authorization": "Bearer a key for administrators"}


def allowed() -> list[str]:
    """The kind of small disk that can be had here: the second one stands in for the first."""
    with tempfile.TemporaryDirectory() as folder:
        if not mounted(folder, "1m"):
            return [KINDS[1]]
        subprocess.run(["umount", folder], check=True)
        return [KINDS[0]]


@pytest.fixture(params=allowed())
def disk(request, tmp_path, monkeypatch):
    with small_disk(tmp_path, monkeypatch, request.param) as small:
        yield small


def test_a_full_disk_refuses_items_and_costs_no_worker_and_no_answer(shop, disk, tmp_path):
    file = tmp_path / "items.parquet"
    pq.write_table(items_of([1, 2]), file)
    ids = [f"sku-{i:04d}-é" for i in (1, 2, 3)]
    body = {"context": shop.golden[0].context, "candidates": {"sku": ids}}

    def status():
        return CLIENT.get(f"{running.url}/admin/status", headers=KEY).json()

    def said(event):
        return [line for line in running.log() if line["event"] == event]

    settings = {"engine": "onnxruntime", "items": file, "watch": 0.2, "admin_keys": "a key for administrators"}
    with server(shop.folder, "--workers", 2, **settings) as running:
        workers = patiently(lambda: len(status()["workers"]) == 2 and set(status()["workers"]))
        disk.fill()
        with load(running.url, body) as tally:
            pq.write_table(items_of([1, 2, 3]), tmp_path / "next")
            (tmp_path / "next").rename(file)
            patiently(lambda: said("items refused"))
            for number in range(50):  # each with labels that no worker's file holds so far
                assert post(running.url, {**body, "fusion": f"none {number}"}).status_code == 422
        assert tally.statuses.keys() == {200}
        assert not tally.errors
        assert "no room for" in said("items refused")[0]["reason"]
        assert set(status()["workers"]) == workers
        metrics = CLIENT.get(f"{running.url}/metrics").text
        assert 'ranker_reloads_total{model="default",outcome="items"}' in metrics
        assert post(running.url, body).json()["unknown_ids"] == ids[2:]

        os.kill(int(min(workers, key=int)), signal.SIGKILL)  # another begins with what is there
        patiently(lambda: str(status()["answered_by"]) not in workers)
        # What the dead one held is free now, so that a few items may find room.
        assert all(post(running.url, body).json()["unknown_ids"] in (ids[2:], []) for _ in range(8))
        assert patiently(lambda: said("metrics kept in memory"))

        disk.free()
        patiently(lambda: all(post(running.url, body).json()["unknown_ids"] == [] for _ in range(8)))
        assert patiently(lambda: len({*status()["workers"]} - workers) == 1)
        patiently(
            lambda: 'ranker_worker_deaths_total{reason="killed"} 1.0' in CLIENT.get(f"{running.url}/metrics").text
        )
        assert len(said("worker not listed")) <= 1  # however long the disk is full
        assert running.process.poll() is None


def test_a_start_without_room_for_the_items_is_one_line(shop, disk, tmp_path):
    pq.write_table(items_of([1, 2]), tmp_path / "items.parquet")
    disk.fill()
    settings = {"engine": "onnxruntime", "port": free_port(), "runtime": disk.folder}
    ended = ranker_serve(shop.folder, "--items", tmp_path / "items.parquet", **settings)
    assert ended.returncode == 1
    # Its temporary files are elsewhere, where it may log that it has removed what a killed service left.
    (line,) = [line for line in ended.stderr.splitlines() if not line.startswith("{")]
    assert line.startswith("error: ")
    assert "space" in line or "no room" in line
