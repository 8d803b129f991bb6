"""Streams of a folder: when they end, and that no row is lost or doubled where a disk fails."""

import errno
import os
import shutil
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ranker.exposures import exposure_files, open_files, recover
from serving.exposures import folder as module
from serving.exposures import stream_file
from serving.exposures.folder import Folder, Rolling
from serving.exposures.retention import Retention
from serving.exposures.sinks import SinkError
from tests.serving.exposures.logs import logged, rows_of
from tests.serving.exposures.samples import NOON, OTHERS, request

HOUR = 3_600_000


def folder_of(directory, seconds=100.0, size=2**30, retention=Retention(None, None)):  # noqa: B008
    return Folder(directory, Rolling(seconds, size), retention, None)


def write(folder, requests):
    for part in folder.parts(requests):
        folder.write(part)


def test_nothing_is_seen_until_a_stream_ends_and_then_all(tmp_path):
    folder = folder_of(tmp_path)
    write(folder, [request(i) for i in range(4)])
    assert not exposure_files(tmp_path)
    assert len(open_files(tmp_path)) == 1
    folder.close()
    assert {*logged(tmp_path)} == {"r0", "r1", "r2", "r3"}
    assert not open_files(tmp_path)
    (file,) = exposure_files(tmp_path)
    assert file.path.parent.name == "date=2026-01-31"
    assert file.model == "m"


def test_a_stream_ends_by_time_by_size_at_midnight_and_with_other_columns(tmp_path):
    folder = folder_of(tmp_path, seconds=0.0)
    write(folder, [request(0)])
    folder.tend(lambda: None)
    assert len(exposure_files(tmp_path)) == 1

    folder = folder_of(tmp_path / "size", size=1)
    for i in range(3):
        write(folder, [request(i)])
    folder.close()
    assert len(exposure_files(tmp_path / "size")) == 3

    folder = folder_of(tmp_path / "days")
    write(folder, [request(0, time=NOON), request(1, time=NOON + 12 * HOUR), request(2, time=NOON + 13 * HOUR)])
    folder.close()
    days = [file.path.parent.name for file in exposure_files(tmp_path / "days")]
    assert days == ["date=2026-01-31", "date=2026-02-01"]

    folder = folder_of(tmp_path / "columns")
    write(folder, [request(0), request(1, columns=OTHERS), request(2, columns=OTHERS)])
    folder.close()
    scores = [pq.read_schema(file.path).names[-1] for file in exposure_files(tmp_path / "columns")]
    assert sorted(scores) == ["score.click", "score.like"]


def test_models_have_files_of_their_own(tmp_path):
    folder = folder_of(tmp_path)
    write(folder, [request(0, model="a"), request(1, model="b", columns=OTHERS), request(2, model="a")])
    folder.close()
    assert [file.model for file in exposure_files(tmp_path)] == ["a", "b"]
    assert len(rows_of(tmp_path)) == 9


def full(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_write_that_fails_halfway_leaves_whole_requests_and_may_be_repeated(tmp_path, monkeypatch):
    folder = folder_of(tmp_path)
    write(folder, [request(0)])
    real, calls = os.write, []

    def half(descriptor, content):
        calls.append(len(content))
        return real(descriptor, content[: len(content) // 2]) if len(calls) == 1 else full()

    monkeypatch.setattr(stream_file.os, "write", half)
    with pytest.raises(SinkError, match="No space left on device"):
        folder.write([request(1)])
    monkeypatch.setattr(stream_file.os, "write", real)
    write(folder, [request(1)])
    folder.close()
    assert rows_of(tmp_path).column("item").to_pylist() == [0, 1, 2, 100, 101, 102]


def test_a_full_disk_leaves_nothing_behind_and_is_over_with_room(tmp_path, monkeypatch):
    folder = folder_of(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(stream_file.os, "write", full)
        for _ in range(3):
            with pytest.raises(SinkError, match="No space"):
                folder.write([request(1)])
            folder.tend(lambda: None)
            without_pause(folder)
    write(folder, [request(1)])
    folder.tend(lambda: None)
    assert len(open_files(tmp_path)) == 1
    folder.close()
    assert len(rows_of(tmp_path)) == 3


def without_pause(folder):
    """Let the pause before another try pass."""
    folder._finish_at = 0.0


def test_a_stream_that_cannot_be_finished_is_tried_again_and_told_once(tmp_path, monkeypatch, caplog):
    caplog.set_level("INFO", "ranker.serving")
    folder = folder_of(tmp_path, seconds=0.0)
    write(folder, [request(0)])
    with monkeypatch.context() as patched:
        patched.setattr(module, "finish", full)
        folder.tend(lambda: None)
        folder.tend(lambda: None)  # too soon
        without_pause(folder)
        folder.tend(lambda: None)
    assert len(open_files(tmp_path)) == 1
    assert recover(tmp_path) == []  # it is still this process's
    without_pause(folder)
    folder.tend(lambda: None)
    assert len(rows_of(tmp_path)) == 3
    assert [record.message for record in caplog.records] == ["exposures not finished", "exposures finished again"]


def test_a_stream_that_is_not_finished_at_the_end_is_left_to_the_next_process(tmp_path, monkeypatch):
    folder = folder_of(tmp_path)
    write(folder, [request(0)])
    with monkeypatch.context() as patched:
        patched.setattr(module, "finish", full)
        folder.close()
    assert not exposure_files(tmp_path)
    other = folder_of(tmp_path)
    other.tend(lambda: None)
    assert len(rows_of(tmp_path)) == 3


def test_two_processes_leave_each_other_alone(tmp_path):
    first, second = folder_of(tmp_path), folder_of(tmp_path)
    write(first, [request(0)])
    second.tend(lambda: None)
    write(second, [request(1)])
    first._look_at = 0.0
    first.tend(lambda: None)
    assert len(open_files(tmp_path)) == 2
    first.close()
    second.close()
    assert len(rows_of(tmp_path)) == 6


def test_a_folder_that_is_removed_is_made_again_and_its_loss_is_told(tmp_path, caplog):
    directory = tmp_path / "log"
    folder = folder_of(directory)
    write(folder, [request(0)])
    shutil.rmtree(directory)
    write(folder, [request(1)])
    write(folder, [request(2, model="n")])
    folder.close()
    assert {*logged(directory)} == {"r1", "r2"}
    (said,) = caplog.records
    assert (said.message, said.fields["rows"]) == ("exposures removed", 3)


def test_an_ended_stream_that_is_removed_is_not_tried_forever(tmp_path, monkeypatch, caplog):
    folder = folder_of(tmp_path, seconds=0.0)
    write(folder, [request(0)])
    with monkeypatch.context() as patched:
        patched.setattr(module, "finish", full)
        folder.tend(lambda: None)
    shutil.rmtree(tmp_path / ".open")
    without_pause(folder)
    folder.tend(lambda: None)
    assert [record.message for record in caplog.records] == ["exposures not finished", "exposures removed"]
    assert not folder._ended


def halfway(*_):
    raise pa.ArrowInvalid("half of it")


def test_a_batch_that_cannot_be_written_ends_its_stream(tmp_path, monkeypatch):
    folder = folder_of(tmp_path)
    write(folder, [request(0)])
    with monkeypatch.context() as patched:
        patched.setattr(stream_file.StreamFile, "write", halfway)
        with pytest.raises(pa.ArrowInvalid):
            folder.write([request(1)])
    write(folder, [request(2)])
    folder.close()
    assert {*logged(tmp_path)} == {"r0", "r2"}
    assert len(exposure_files(tmp_path)) == 2


def test_old_files_are_deleted_by_age_and_by_size_oldest_first(tmp_path):
    now = int(time.time() * 1000)
    for days in (3, 2, 1, 0):
        folder = folder_of(tmp_path)
        write(folder, [request(days, time=now - days * 24 * HOUR)])
        folder.close()
    sizes = [file.path.stat().st_size for file in exposure_files(tmp_path)]
    assert len(Retention(2.5, None).apply(tmp_path)) == 1
    assert len(exposure_files(tmp_path)) == 3
    assert len(Retention(None, sum(sizes[2:])).apply(tmp_path)) == 1
    left = exposure_files(tmp_path)
    assert {*logged(tmp_path)} == {"r0", "r1"}
    assert sorted(path.name for path in tmp_path.glob("date=*")) == sorted({file.path.parent.name for file in left})
    assert Retention(None, None).apply(tmp_path) == []


def test_streams_of_the_living_are_never_deleted(tmp_path):
    folder = folder_of(tmp_path, retention=Retention(1e-9, 1))
    write(folder, [request(0, time=NOON)])
    folder.tend(lambda: None)
    assert len(open_files(tmp_path)) == 1


def test_ids_of_other_types_do_not_stop_the_log(tmp_path):
    folder = folder_of(tmp_path)
    write(folder, [request(0), request(1, ids=["7", "x", None]), request(2, ids=np.array([1.0, 2.0, np.nan]))])
    folder.close()
    items = rows_of(tmp_path).column("item").to_pylist()
    assert items == [0, 1, 2, 7, None, None, 1, 2, None]
