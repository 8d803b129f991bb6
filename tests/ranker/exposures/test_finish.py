"""Streams become Parquet files, each exactly once."""

import errno
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ranker.exposures import exposure_files, open_files, recover
from ranker.exposures import finish as module
from ranker.exposures.files import OPEN, new_name
from ranker.exposures.finish import finish, recover_file
from ranker.exposures.schema import metadata
from ranker.file_locks import lock
from tests.ranker.exposures.samples import exposures

BEGUN = datetime(2026, 1, 31, tzinfo=UTC)


def stream(directory, requests=4, number=0):
    """A stream with one batch a request, as a process leaves it that ends without a word."""
    table = exposures(requests)
    file = directory / OPEN / f"{new_name('m', BEGUN, number)}.arrow"
    file.parent.mkdir(exist_ok=True)
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_stream(sink, table.schema.with_metadata(metadata())) as writer:
        writer.write_table(table, max_chunksize=3)
    return file, table


def items(directory):
    return [item for file in exposure_files(directory) for item in pq.read_table(file.path).column("item").to_pylist()]


def test_what_a_killed_process_left_becomes_a_file_with_its_rows(tmp_path):
    file, table = stream(tmp_path)
    (done,) = recover(tmp_path)
    assert done.rows == table.num_rows == 12
    assert items(tmp_path) == table.column("item").to_pylist()
    assert not file.exists()
    assert recover(tmp_path) == []


@pytest.mark.parametrize("cut", [1, 100, 1000])
def test_a_stream_cut_anywhere_gives_its_whole_requests(tmp_path, cut):
    file, table = stream(tmp_path)
    os.truncate(file, file.stat().st_size - cut)
    recover(tmp_path)
    found = items(tmp_path)
    assert found == table.column("item").to_pylist()[: len(found)]
    assert len(found) % 3 == 0
    assert len(found) >= 6


class Failing:
    """A file on a disk that fails after its first bytes."""

    closed = False

    def __init__(self, file):
        self._file = file.open("rb")

    def read(self, size=-1):
        if self._file.tell() > 1000:
            raise OSError(errno.EIO, "Input/output error")
        return self._file.read(size)

    def close(self):
        self._file.close()


def test_a_disk_that_fails_does_not_end_a_stream(tmp_path):
    file, _ = stream(tmp_path)
    source = Failing(file)
    with pytest.raises(OSError, match="Input/output error"):
        list(module.batches(source))
    source.close()


@pytest.mark.parametrize("size", [0, 3, 200])
def test_a_stream_without_a_row_leaves_nothing(tmp_path, size):
    file, _ = stream(tmp_path)
    os.truncate(file, size)
    (done,) = recover(tmp_path)
    assert done.rows == 0
    assert not exposure_files(tmp_path)
    assert not open_files(tmp_path)


def test_a_living_process_keeps_its_stream(tmp_path):
    file, _ = stream(tmp_path)
    with file.open("r+b") as held:
        assert lock(held)
        assert recover(tmp_path) == []
        assert file.exists()
    assert len(recover(tmp_path)) == 1


KILLED = """
import os, signal, sys
from pathlib import Path
from ranker.exposures import finish as module, recover
def die(*_): os.kill(os.getpid(), signal.SIGKILL)
setattr(module, sys.argv[2], die)
recover(Path(sys.argv[1]))
"""


@pytest.mark.parametrize("at", ["sync", "_write"])
def test_a_conversion_that_is_killed_is_repeated_by_the_next(tmp_path, at):
    _, table = stream(tmp_path)
    ended = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), at], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert items(tmp_path) == []
    recover(tmp_path)
    assert items(tmp_path) == table.column("item").to_pylist()
    assert [path.name for path in (tmp_path / "date=2026-01-31").iterdir()] == [exposure_files(tmp_path)[0].path.name]


def test_one_that_is_killed_between_file_and_removal_doubles_no_row(tmp_path):
    file, table = stream(tmp_path)
    content = file.read_bytes()
    recover(tmp_path)
    file.write_bytes(content)  # as if the removal had not happened
    recover(tmp_path)
    assert items(tmp_path) == table.column("item").to_pylist()


def test_without_room_the_stream_stays(tmp_path, monkeypatch):
    file, _ = stream(tmp_path)

    def full(path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "sync", full)
    with pytest.raises(OSError, match="No space"):
        recover(tmp_path)
    assert file.exists()
    assert not list((tmp_path / "date=2026-01-31").iterdir())


def test_rows_go_in_groups_of_whole_requests_and_others_have_their_turn_in_between(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "GROUP_ROWS", 5)
    file, _ = stream(tmp_path, requests=5)
    turns = []
    done = finish(file, lambda: turns.append(file.exists()))
    assert turns == [True, True, True]
    groups = pq.ParquetFile(done.path).metadata
    assert [groups.row_group(i).num_rows for i in range(groups.num_row_groups)] == [6, 6, 3]


def test_a_file_that_is_gone_is_no_error(tmp_path):
    assert recover_file(tmp_path / OPEN / "gone.arrow") is None
