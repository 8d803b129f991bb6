"""Results in a real S3-compatible store."""

import pytest
from pyarrow import fs

from ranker.prediction import job
from ranker.prediction.job import predict_files
from ranker.prediction.options import PredictOptions
from ranker.prediction.output import OutputError
from ranker.prediction.remote_output import RemoteOutput
from ranker.remote_files import RemoteError, RemoteFolder
from tests.object_store import object_store
from tests.ranker.prediction.request_rows import requests_of, table_of, write_files

OPTIONS = PredictOptions(keep=("row",), engine="onnxruntime")


@pytest.fixture(scope="module")
def store():
    with object_store("lake") as options:
        yield options


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "ranker" / "predictions"


@pytest.fixture
def files(artifact, tmp_path):
    (tmp_path / "log").mkdir()
    write_files(tmp_path / "log", table_of(requests_of(artifact, (5, 40, 15))), 30, 10)
    return tmp_path / "log"


@pytest.fixture
def scored(artifact, files):
    """Score the files into a folder or a URL."""

    def score(output, options=OPTIONS, **more):
        return predict_files(artifact.folder, [files], output, options, rows_per_file=20, threads=1, **more)

    return score


def stored(store, folder):
    system, _ = fs.FileSystem.from_uri(f"s3://lake{store}")
    found = {}
    for info in system.get_file_info(fs.FileSelector(f"lake/{folder}")):
        with system.open_input_stream(info.path) as file:
            found[info.base_name] = file.read()
    return found


def test_a_store_gets_the_files_of_a_folder(scored, store, cache, tmp_path):
    summary, local = scored(f"s3://lake/same{store}"), scored(tmp_path / "out")
    assert stored(store, "same") == {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert str(summary.folder) == "s3://lake/same"
    assert (summary.read, summary.rows, summary.files, summary.ids) == (60, 60, local.files, local.ids)
    assert list(cache.iterdir()) == []


def test_a_complete_result_is_not_computed_again(scored, store, monkeypatch):
    first = scored(f"s3://lake/again{store}")
    monkeypatch.setattr(job, "_write", lambda *_: pytest.fail("it was computed again"))
    notes = []
    again = scored(f"s3://lake/again{store}", note=notes.append)
    assert (again.read, again.rows, again.files, again.ids) == (first.read, first.rows, first.files, first.ids)
    assert notes == ["s3://lake/again: is complete already"]


def test_an_interrupted_job_goes_on_and_leaves_no_marker_before_its_end(scored, store, cache, tmp_path, monkeypatch):
    whole, written = RemoteFolder.write, []

    def fails(self, name, source):
        if name.startswith("part-00001"):
            raise RemoteError("s3://lake/stopped/part-00001.parquet: the store is away")
        written.append(name)
        whole(self, name, source)

    monkeypatch.setattr(RemoteFolder, "write", fails)
    with pytest.raises(OutputError, match=r"the store is away; the results are in .*: run the same command again"):
        scored(f"s3://lake/stopped{store}")
    assert "_SUCCESS" not in stored(store, "stopped")
    monkeypatch.setattr(RemoteFolder, "write", whole)
    scored(f"s3://lake/stopped{store}")
    scored(tmp_path / "out")
    assert stored(store, "stopped") == {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}


def test_another_job_is_refused_or_replaces_the_results(scored, store, tmp_path):
    scored(f"s3://lake/other{store}")
    plain = PredictOptions(engine="onnxruntime")
    with pytest.raises(OutputError, match="s3://lake/other: holds results of a job that differs in keep"):
        scored(f"s3://lake/other{store}", plain)
    scored(f"s3://lake/other{store}", plain, restart=True)
    scored(tmp_path / "out", plain)
    assert stored(store, "other") == {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}


def test_files_of_others_are_left_alone(scored, store):
    system, _ = fs.FileSystem.from_uri(f"s3://lake{store}")
    with system.open_output_stream("lake/mine/notes.txt") as file:
        file.write(b"mine")
    with pytest.raises(OutputError, match=r"s3://lake/mine: holds notes.txt, which no prediction wrote"):
        scored(f"s3://lake/mine{store}")


def test_a_url_that_cannot_be_written_is_named():
    with pytest.raises(OutputError, match="ftp://host/x: files are local, or at"):
        RemoteOutput("ftp://host/x")
