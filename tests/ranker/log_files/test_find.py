import gzip

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ranker.log_files.find import find_files
from ranker.log_files.log_reader import DataError, Log


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path, **columns):
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns or {"x": [1]}), path)
    return path


def names(*sources):
    return [str(path) for path in find_files(sources).files]


def values(source, column, kind="id"):
    return [value for chunk in Log(source, {column: kind}).chunks([column]) for value in list(chunk.columns[column])]


def test_a_folder_is_walked_through_links_whatever_the_case_of_endings(here):
    write(here / "log" / "B.PARQUET")
    write(here / "log" / "a.pq")
    write(here / "elsewhere" / "c.parq")
    (here / "log" / "d.csv.gz").write_bytes(gzip.compress(b"x\n2\n"))
    (here / "log" / "link").symlink_to(here / "elsewhere")
    (here / "log" / "round").symlink_to(here / "log")
    assert names("log") == ["log/B.PARQUET", "log/a.pq", "log/d.csv.gz", "log/link/c.parq"]
    assert values(["log"], "x") == [1, 1, 2, 1]


def test_hidden_files_are_left_out_unless_they_are_named(here):
    for name in (".ipynb_checkpoints/a.parquet", "_temporary/0/b.parquet", "._c.parquet", ".d.parquet", "_e.parquet"):
        write(here / "log" / name)
    (here / "log" / "_SUCCESS").touch()
    write(here / "log" / "_date=1" / "f.parquet")
    assert names("log") == ["log/_date=1/f.parquet"]
    assert names("log/_e.parquet", "log/.d*") == ["log/_e.parquet", "log/.d.parquet"]
    assert find_files(["log"]).notes == []
    for pattern in ("log/**", "log/**/*.parquet", "log/*/*.parquet"):
        assert names(pattern) == ["log/_date=1/f.parquet"]
    with pytest.raises(DataError, match="no file matches"):
        names("log/*/*/*.parquet")
    assert names("log/_temporary/*/*.parquet") == ["log/_temporary/0/b.parquet"]


def test_other_files_are_told(here):
    write(here / "log" / "a.parquet")
    for name in ("b.orc", "c.csv.zip", "notes.txt"):
        (here / "log" / name).touch()
    expected = "log: skipped 3 file(s) whose names are not those of a log: b.orc, c.csv.zip, notes.txt"
    assert Log(["log"]).notes == [expected]
    assert names("log/*") == ["log/a.parquet"]


def test_a_file_that_is_reached_twice_counts_once(here):
    write(here / "log" / "a.parquet")
    (here / "log" / "same.parquet").symlink_to(here / "log" / "a.parquet")
    assert names("log", "log/a.parquet", "lo*", "log/*.parquet") == ["log/a.parquet"]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("ftp:/host/log", r"ftp://host/log: files are local, or at s3://"),
        ("none/*.parquet", r"/none/\*\.parquet: no file matches this glob"),
        ("none.parquet", r"^/.*/none\.parquet: no such file or folder"),
        ("~/none.parquet", r"home/none\.parquet: no such file or folder"),
        ("empty", r"/empty: no file in this folder is a log: .*\.csv\.zst \(a\.orc is not\)"),
    ],
)
def test_what_is_not_found_says_where_it_was_looked_for(here, monkeypatch, source, expected):
    monkeypatch.setenv("HOME", str(here / "home"))
    (here / "empty").mkdir()
    (here / "empty" / "a.orc").touch()
    with pytest.raises(DataError, match=expected):
        find_files([source])


def test_brackets_in_a_name_are_no_glob_where_the_file_exists(here):
    write(here / "a[1].parquet")
    assert names("a[1].parquet") == ["a[1].parquet"]


def test_folders_give_columns(here):
    write(here / "log" / "day=2024-01-02" / "zip=02134" / "a.parquet")
    write(here / "log" / "day=__HIVE_DEFAULT_PARTITION__" / "zip=10%2F1" / "a.parquet")
    for source in (["log"], ["log/day=*"], ["log/*/*/*.parquet"]):
        assert values(source, "day") == ["2024-01-02", None]
        assert values(source, "zip") == ["02134", "10/1"]


def test_columns_of_folders_are_typed_as_csv_is_and_the_files_own_wins(here):
    write(here / "log" / "hour=7" / "a.parquet")
    write(here / "log" / "hour=10" / "b.parquet", hour=["x"])
    assert values(["log/hour=7"], "hour") == [7]
    with pytest.raises(DataError, match=r"column 'day'"):
        values(["log"], "day")
    assert values(["log/hour=10"], "hour") == ["x"]


@pytest.mark.parametrize("kind", ["integer", "unsigned"])
def test_integers_of_folders_may_be_padded_where_the_schema_says_so(here, kind):
    for hour in ("00", "01", "23"):
        write(here / "log" / f"hour={hour}" / "a.parquet")
    assert values(["log"], "hour", kind) == [0, 1, 23]
    assert values(["log"], "hour") == ["00", "01", "23"]
    write(here / "log" / "hour=x1" / "a.parquet")
    with pytest.raises(DataError, match=r"hour=x1.*column 'hour' of its path: 'x1' is not an integer"):
        values(["log"], "hour", kind)


def test_urls_of_files_are_paths(here):
    write(here / "my log" / "a.parquet")
    url = f"file://{here}/my%20log"
    expected = [str(here / "my log" / "a.parquet")]
    assert names(url) == names(f"{url}/*.parquet") == names(f"file:{here}/my%20log/a.parquet") == expected
    with pytest.raises(DataError, match=r"^/none: no such file or folder"):
        find_files(["file:///none"])


def test_a_file_that_changes_or_goes_is_named(here):
    path = write(here / "a.parquet")
    log = Log([path])
    write(path, x=[1, 2, 3])
    with pytest.raises(DataError, match=r"a\.parquet: was changed while it was being read"):
        list(log.chunks(["x"]))
    path.unlink()
    with pytest.raises(DataError, match=r"a\.parquet: is gone"):
        list(log.chunks(["x"]))
