"""Items that change while a service answers."""

import os
import re
import signal

import pyarrow.parquet as pq

from tests.serving.asking import CLIENT, load, patiently, post
from tests.serving.conftest import server
from tests.serving.features.items.test_items import items_of

KEY = {"Authorization": "Bearer a key for administrators"}


def counted(metrics, name):
    (value,) = re.findall(rf'ranker_{name}_total{{model="default"}} (\S+)', metrics)
    return float(value)


def test_a_new_file_of_items_is_taken_up_and_a_wrong_one_is_not(shop, tmp_path):
    file = tmp_path / "items.parquet"
    pq.write_table(items_of([1, 2]), file)
    ids = [f"sku-{i:04d}-é" for i in (1, 2, 3)]
    body = {"context": shop.golden[0].context, "candidates": {"sku": ids}}
    settings = {"items": file, "watch": 0.2, "admin_keys": "a key for administrators"}

    def unknown():
        return post(running.url, body).json()["unknown_ids"]

    def status():
        return CLIENT.get(f"{running.url}/admin/status", headers=KEY).json()

    def refusals():
        return [line["reason"] for line in running.log() if line["event"] == "items refused"]

    with server(shop.folder, "--workers", 2, **settings) as running:
        assert unknown() == ids[2:]
        with load(running.url, body) as tally:
            pq.write_table(items_of([1, 2, 3]), tmp_path / "next")
            (tmp_path / "next").rename(file)
            patiently(lambda: all(unknown() == [] for _ in range(8)))
            pq.write_table(items_of([1, 12]), tmp_path / "next")
            (tmp_path / "next").rename(file)
            patiently(refusals)
            assert "holds the id 'sku-0001-é' more than once" in refusals()[0]
            assert unknown() == []
        assert tally.statuses.keys() == {200}
        assert not tally.errors
        workers = {int(pid) for pid in status()["workers"]}
        os.kill(min(workers), signal.SIGKILL)  # another one begins with the items that there are
        patiently(lambda: status()["answered_by"] not in workers and len(status()["workers"]) == 2)
        assert all(unknown() == [] for _ in range(8))
        refused = CLIENT.post(f"{running.url}/admin/reload", headers=KEY, timeout=30)
        assert refused.status_code == 409
        assert "more than once" in refused.json()["detail"][0]["reason"]
        file.write_bytes(b"")
        pq.write_table(items_of([3]), file)
        assert CLIENT.post(f"{running.url}/admin/reload", headers=KEY, timeout=30).json()["items"] == 1
        patiently(lambda: all(unknown() == ids[:2] for _ in range(8)))
        assert status()["models"]["default"]["items"] == 1
        metrics = CLIENT.get(f"{running.url}/metrics").text
        assert 'ranker_items{model="default"} 1.0' in metrics
        unknown_items, looked_up = counted(metrics, "unknown_items"), counted(metrics, "looked_up_items")
        full = {**body, "candidates": {name: values[:1] for name, values in shop.golden[0].candidates.items()}}
        assert post(running.url, full).status_code == 200  # looks nothing up
        assert len(post(running.url, body).json()["unknown_ids"]) == 2
        metrics = CLIENT.get(f"{running.url}/metrics").text
        assert counted(metrics, "unknown_items") == unknown_items + 2
        assert counted(metrics, "looked_up_items") == looked_up + 3
