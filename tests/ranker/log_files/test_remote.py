"""Logs in an S3-compatible store, served by a process of its own on loopback."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import fs

from ranker import remote_files
from ranker.log_files.errors import DataError
from ranker.log_files.find import find_files
from ranker.log_files.log_reader import Log
from ranker.remote_files import located
from tests.object_store import object_store


@pytest.fixture(scope="module")
def store():
    """A bucket with two days of Parquet and CSV, and files that are no logs."""
    with object_store("logs") as options:
        system, _ = fs.FileSystem.from_uri(f"s3://logs{options}")
        for day in ("2024-01-01", "2024-01-02"):
            with system.open_output_stream(f"logs/day/date={day}/a.parquet") as file:
                pq.write_table(pa.table({"user": [1, 2], "click": [int(day[-1]), 0]}), file)
        texts = {
            "csv/b.csv.gz": b"user,click\n3,1\n",
            "csv/_hidden.csv": b"user\n4\n",
            "csv/_SUCCESS": b"",
            "csv/readme.txt": b"no log",
            "csv/broken.csv": b"user,click\n1,2,3\n",
            "wrong/a.parquet": b"user,click\n1,2\n",
        }
        for name, text in texts.items():
            compression = "gzip" if name.endswith(".gz") else None
            with system.open_output_stream(f"logs/{name}", compression=compression) as file:
                file.write(text)
        yield options


def read(*sources, columns=("user", "click")):
    chunks = list(Log(sources, {"user": "id", "click": "number"}).chunks(columns))
    return {name: np.concatenate([np.asarray(chunk.columns[name]) for chunk in chunks]).tolist() for name in columns}


def test_a_folder_with_partitions_is_read_where_it_is(store):
    log = Log([f"s3://logs/day{store}"])
    assert len(log) == 4
    found = read(f"s3://logs/day{store}")
    assert found == {"user": [1, 2, 1, 2], "click": [1, 0, 2, 0]}
    dates = [chunk.columns["date"] for chunk in log.chunks(["date"])]
    assert [set(np.asarray(values, dtype=object)) for values in dates] == [{"2024-01-01"}, {"2024-01-02"}]


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("day/date=2024-01-02", ["date=2024-01-02/a.parquet"]),
        ("day/date=2024-01-02/a.parquet", ["date=2024-01-02/a.parquet"]),
        ("day/*/*.parquet", ["date=2024-01-01/a.parquet", "date=2024-01-02/a.parquet"]),
        ("day/date=*1", ["date=2024-01-01/a.parquet"]),
        ("**/*.gz", ["csv/b.csv.gz"]),
        ("csv/_h*", ["csv/_hidden.csv"]),
        ("csv/[a-b]*", ["csv/b.csv.gz", "csv/broken.csv"]),
        ("day/date=2024-01-0?/?.parquet", ["date=2024-01-01/a.parquet", "date=2024-01-02/a.parquet"]),
    ],
)
def test_globs_match_as_on_a_disk(store, pattern, names):
    files = find_files([f"s3://logs/{pattern}{store}"]).files
    assert ["/".join(file.parts[-2:]) for file in files] == names


def test_compressed_csv_and_parquet_are_one_log_without_duplicates(store):
    both = [f"s3://logs/csv/b.csv.gz{store}", f"s3://logs/day{store}", f"s3://logs/csv/*.gz{store}"]
    assert read(*both) == {"user": [3, 1, 2, 1, 2], "click": [1, 1, 0, 2, 0]}


def test_files_that_are_no_logs_are_noted(store):
    found = find_files([f"s3://logs/csv{store}"])
    assert [file.name for file in found.files] == ["b.csv.gz", "broken.csv"]
    assert "skipped 1 file(s)" in found.notes[0]
    assert "readme.txt" in found.notes[0]


def test_a_file_is_found_again_by_its_full_name(store):
    [name] = Log([f"s3://logs/csv/b.csv.gz{store}"]).paths()
    assert name == f"s3://logs/csv/b.csv.gz{store}"
    assert located(name).stat().st_size > 0
    assert Log([name]).fingerprint() == Log([f"s3://logs/csv/b.csv.gz{store}"]).fingerprint()


@pytest.mark.parametrize("name", ["a[1].csv", "a 20%25.csv", "a?b=c.csv", "a+b&c.csv", "*.csv"])
def test_odd_names_are_found_in_their_folder_and_by_themselves(store, name):
    system, _ = fs.FileSystem.from_uri(f"s3://logs{store}")
    with system.open_output_stream(f"logs/odd/k=1%2F2/{name}") as file:
        file.write(b"user,click\n1,1\n")
    try:
        [path] = Log([f"s3://logs/odd{store}"]).paths()
        assert path == f"s3://logs/odd/k=1%2F2/{name}{store}"
        assert Log([path]).paths() == [path]
        assert read(path, columns=("click", "k")) == {"click": [1], "k": ["1/2"]}
    finally:
        system.delete_file(f"logs/odd/k=1%2F2/{name}")


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("s3://logs/none", "s3://logs/none.*: no such file or folder"),
        ("s3://nobody/x", "s3://nobody/x.*: no such file or folder"),
        ("s3://logs/day/*.csv", r"s3://logs/day/\*.csv.*: no file there is a log"),
        ("s3://logs/wrong", "s3://logs/wrong/a.parquet: is text, not Parquet"),
        ("ftp://logs/x", "ftp://logs/x: files are local, or at s3://"),
    ],
)
def test_what_cannot_be_read_is_named(store, source, told):
    with pytest.raises(DataError, match=told):
        Log([source + (store if source.startswith("s3") else "")])


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("s3://key:hidden@logs/x", "s3://...@logs/x"),
        ("s3://key:hid/den?a=b@logs/x", "s3://...@logs/x"),
        ("abfs://:hidden/==@account.dfs.core.windows.net/x", "abfs://...@account.dfs.core.windows.net/x"),
        ("s3://logs/x?access_key=hidden", "s3://logs/x?..."),
        ("abfs://c@account/x?client_id=me&client_secret=hidden", "abfs://c@account/x?..."),
        ("abfs://c@account/x?sv=2024&sig=hidden", "abfs://c@account/x?..."),
    ],
)
def test_credentials_in_a_url_are_refused_and_not_shown(source, shown):
    with pytest.raises(DataError) as raised:
        Log([source])
    told = "holds credentials, which would be stored with the run; set them in the environment"
    assert str(raised.value) == f"{shown}: {told}"


def test_names_with_colons_and_at_signs_are_no_credentials(store):
    assert str(located(f"s3://logs/at=10:00/a@b.parquet{store}")) == "s3://logs/at=10:00/a@b.parquet"


def test_an_error_of_a_store_that_is_not_one_of_the_system_is_told(store, monkeypatch):
    def fail(*_):
        raise pa.ArrowException("Unknown error: no token")

    monkeypatch.setattr(remote_files, "_under", fail)
    with pytest.raises(DataError, match=r"s3://logs/day.*: cannot be read: Unknown error: no token"):
        Log([f"s3://logs/day{store}"])


def test_a_bad_row_is_named_by_url_and_line(store):
    with pytest.raises(DataError, match=r"s3://logs/csv/broken.csv: line 2 has 3 field\(s\) and the header 2"):
        read(f"s3://logs/csv/broken.csv{store}")


def test_a_file_that_changes_while_it_is_read_is_an_error(store):
    system, _ = fs.FileSystem.from_uri(f"s3://logs{store}")
    with system.open_output_stream("logs/new/a.csv") as file:
        file.write(b"user,click\n1,1\n")
    log = Log([f"s3://logs/new{store}"])
    with system.open_output_stream("logs/new/a.csv") as file:
        file.write(b"user,click\n1,1\n2,2\n")
    with pytest.raises(DataError, match=r"s3://logs/new/a.csv: was changed while it was being read"):
        list(log.chunks(["user"]))
    system.delete_file("logs/new/a.csv")
    with pytest.raises(DataError, match=r"s3://logs/new/a.csv: is gone"):
        list(log.chunks(["user"]))


@pytest.mark.usefixtures("store")
def test_a_store_that_does_not_answer_is_an_error():
    closed = "?endpoint_override=127.0.0.1:1&scheme=http&connect_timeout=1&request_timeout=1"
    with pytest.raises(DataError, match=r"s3://logs/day.*: cannot be read: "):
        Log([f"s3://logs/day{closed}"])


@pytest.mark.parametrize(
    ("source", "shown"),
    [("https://key:hidden@logs/x", "https://...@logs/x"), ("ftp://logs/x?token=hidden", "ftp://logs/x?...")],
)
def test_credentials_are_not_shown_where_files_cannot_be_read_at_all(source, shown):
    with pytest.raises(DataError) as raised:
        Log([source])
    assert f"{shown}: files are local, or at s3://" in str(raised.value)
    assert "hidden" not in str(raised.value)
