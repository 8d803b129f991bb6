"""Prometheus' files on a disk that has no room: nothing is written where no space is reserved."""

import errno
import logging
import os

import pytest
from prometheus_client import CollectorRegistry, Counter, generate_latest, values
from prometheus_client.multiprocess import MultiProcessCollector

from serving.observability import reserved_metrics
from serving.observability.reserved_metrics import SIZE, ReservedDict


@pytest.fixture
def disk(monkeypatch):
    """Whether the disk has room; reserving fails without it as it does on a full disk."""
    room, reserve = {"is there": True}, os.posix_fallocate

    def posix_fallocate(descriptor, offset, size):
        if not room["is there"]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        reserve(descriptor, offset, size)

    monkeypatch.setattr("serving.observability.reserved_metrics.os.posix_fallocate", posix_fallocate)
    monkeypatch.setattr(reserved_metrics, "RETRY", 0.0)
    monkeypatch.setattr(reserved_metrics, "_logged", False)
    return room


def stored(file):
    """Values of all keys, as a collector reads them."""
    return {key: value for key, value, _, _ in ReservedDict.read_all_values_from_file(str(file))}


def fill(values, keys):
    for number in keys:
        values.write_value(f"key-{number}-{'x' * 100}", float(number), 0.0)


def test_every_byte_of_a_file_is_reserved_as_it_is_made_and_as_it_grows(tmp_path):
    file = tmp_path / "counter_1.db"
    values = ReservedDict(str(file))
    for count in (1, 3000):
        fill(values, range(count))
        found = file.stat()
        assert found.st_blocks * 512 >= found.st_size >= SIZE
    assert len(stored(file)) == 3000
    values.close()
    again = ReservedDict(str(file))
    assert again.read_value(f"key-7-{'x' * 100}")[0] == 7.0
    again.close()


def test_what_finds_no_room_counts_in_memory_until_there_is_some(tmp_path, disk, caplog):
    file = tmp_path / "counter_1.db"
    values = ReservedDict(str(file))
    fill(values, range(10))
    disk["is there"] = False
    with caplog.at_level(logging.ERROR):
        fill(values, range(5, 3000))
    assert [record.getMessage() for record in caplog.records] == ["metrics kept in memory"]
    assert file.stat().st_size == SIZE
    within = stored(file)
    assert 10 < len(within) < 1000
    assert all(key.startswith(f"key-{value:.0f}-") for key, value in within.items())
    assert values.read_value(f"key-2999-{'x' * 100}") == (2999.0, 0.0)
    disk["is there"] = True
    values.write_value("new", 1.0, 0.0)
    fill(values, range(3000))
    assert len(stored(file)) == 3001
    values.close()


def test_a_file_that_cannot_be_made_is_made_later_and_never_found_half(tmp_path, disk):
    disk["is there"] = False
    file = tmp_path / "counter_1.db"
    values = ReservedDict(str(file))
    fill(values, range(3))
    assert values.read_value(f"key-2-{'x' * 100}")[0] == 2.0
    assert list(tmp_path.iterdir()) == []
    disk["is there"] = True
    fill(values, range(2))
    assert values.read_value(f"key-2-{'x' * 100}")[0] == 2.0
    assert sorted(stored(file).values()) == [0.0, 1.0, 2.0]
    values.close()


def test_the_client_keeps_its_values_so(tmp_path, disk, monkeypatch):
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    monkeypatch.setattr(values, "ValueClass", values.MultiProcessValue())
    counter = Counter("seen", "Things seen.", ["kind"], registry=CollectorRegistry())
    counter.labels("early").inc(2)
    disk["is there"] = False
    for number in range(1000):
        counter.labels(f"late {number}").inc()
    disk["is there"] = True
    for number in range(1000):
        counter.labels(f"late {number}").inc()
    together = CollectorRegistry()
    MultiProcessCollector(together)
    text = generate_latest(together).decode()
    assert 'seen_total{kind="early"} 2.0' in text
    assert text.count("} 2.0") == 1001
    values.ValueClass.close_all_files()
