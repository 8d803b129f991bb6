import datetime
import decimal
import gzip

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from ranker.log_files.errors import DataError
from ranker.prediction import job
from ranker.prediction.job import predict_files
from ranker.prediction.options import PredictOptions
from ranker.prediction.output import OutputError
from ranker.prediction.predictor import Predictor
from tests.ranker.conftest import schema_of
from tests.ranker.prediction.request_rows import requests_of, table_of, write_files

PLAIN = PredictOptions(keep=("row",), engine="onnxruntime")
RANKED = PredictOptions(rank_by=("list",), keep=("row",), engine="onnxruntime")
SIZES = (5, 40, 1, 17, 60, 2, 30, 45)


@pytest.fixture(scope="module")
def rows(artifact) -> pa.Table:
    return table_of(requests_of(artifact, SIZES))


@pytest.fixture
def files(tmp_path, rows):
    """Row groups of 16 rows in files of 48, so that lists span both."""
    (tmp_path / "log").mkdir()
    write_files(tmp_path / "log", rows, 48, 16)
    return tmp_path / "log"


def read(folder):
    """All results and the content of each file."""
    paths = sorted(folder.glob("part-*.parquet"))
    return pa.concat_tables([pq.read_table(path) for path in paths]), [path.read_bytes() for path in paths]


@pytest.mark.parametrize("options", [PLAIN, RANKED])
def test_files_hold_what_a_table_gives(artifact, files, rows, tmp_path, options):
    seen = []
    summary = predict_files(
        artifact.folder, [files], tmp_path / "out", options, rows_per_file=70, threads=2, progress=seen.append
    )
    table, contents = read(tmp_path / "out")
    assert table.equals(Predictor(artifact, options)(rows))
    assert table["row"].to_pylist() == list(range(200))
    assert (summary.read, summary.rows, summary.files, sum(seen)) == (200, 200, len(contents), 200)
    assert len(contents) == (3 if options is PLAIN else 2)
    assert summary.ids["user"] == (200, 0)
    assert (tmp_path / "out" / "_SUCCESS").exists()


@pytest.mark.parametrize("options", [PLAIN, RANKED, PredictOptions(("list",), top_k=3, engine="onnxruntime")])
def test_a_stopped_job_goes_on_with_the_same_bytes(artifact, files, tmp_path, monkeypatch, options):
    how = {"rows_per_file": 30, "threads": 2}
    predict_files(artifact.folder, [files], tmp_path / "whole", options, **how)
    _, expected = read(tmp_path / "whole")
    assert len(expected) > 3

    class StoppedError(Exception):
        pass

    def stop_after(files):
        def part(folder, schema):
            if len(folder.parts) == files:
                raise StoppedError
            return written(folder, schema)

        written = job.OutputFolder.part
        monkeypatch.setattr(job.OutputFolder, "part", part)

    for stopped in (0, 1, 3):
        with monkeypatch.context():
            stop_after(stopped)
            with pytest.raises(StoppedError):
                predict_files(artifact.folder, [files], tmp_path / "out", options, **how)
        monkeypatch.undo()
        assert read_contents(tmp_path / "out") == expected[:stopped]
    notes = []
    summary = predict_files(artifact.folder, [files], tmp_path / "out", options, note=notes.append, **how)
    assert read_contents(tmp_path / "out") == expected
    assert "goes on after 3 complete file(s)" in notes[0]
    assert summary.resumed > 0
    assert summary.ids["user"] == (200, 0)
    predict_files(artifact.folder, [files], tmp_path / "out", options, note=notes.append, **how)
    assert "is complete already" in notes[-1]


def read_contents(folder):
    return [path.read_bytes() for path in sorted(folder.glob("part-*.parquet"))]


def test_a_list_that_comes_back_after_a_restart_is_still_found(artifact, tmp_path, rows, monkeypatch):
    again = pa.concat_tables([rows, rows.slice(0, 3)])
    (tmp_path / "log").mkdir()
    write_files(tmp_path / "log", again, 100, 100)
    for _ in range(2):
        with pytest.raises(DataError, match=r"002\.parquet, row 0: the list of list 'r0' began before"):
            predict_files(artifact.folder, [tmp_path / "log"], tmp_path / "out", RANKED, rows_per_file=30, threads=1)
    assert len(read_contents(tmp_path / "out")) > 1


def test_changed_data_is_another_job(artifact, files, tmp_path, rows):
    predict_files(artifact.folder, [files], tmp_path / "out", PLAIN)
    pq.write_table(rows.slice(0, 9), files / "000.parquet")
    with pytest.raises(OutputError, match="differs in data"):
        predict_files(artifact.folder, [files], tmp_path / "out", PLAIN)
    assert predict_files(artifact.folder, [files], tmp_path / "out", PLAIN, restart=True).rows == 161


def test_results_do_not_become_data(artifact, files, tmp_path):
    for data, output in (
        (files, files),
        (files, files / "below"),
        (files / "*", files / "below"),
        (files.parent / "*" / "b*", files / "below" / "deep"),
        (files.parent / "**", files.parent / "out"),
        (files.parent / "*" / "*.parquet", files.parent / "out"),
    ):
        with pytest.raises(OutputError, match=r"lies in .*, which is read as data"):
            predict_files(artifact.folder, [data], output, PLAIN)
    assert predict_files(artifact.folder, [files / "*.parquet"], files / "_below", PLAIN).rows == 200


def test_dictionaries_of_several_files_become_one(artifact, tmp_path, rows):
    some = rows.slice(0, 100)
    for number in range(3):
        words = pa.array([f"{number}-{row}" for row in range(100)])
        codes = pa.DictionaryArray.from_arrays(pa.array(range(100), pa.int8()), words)
        pq.write_table(some.append_column("code", codes), tmp_path / f"{number}.parquet")
    options = PredictOptions(keep=("code",), engine="onnxruntime")
    predict_files(artifact.folder, [tmp_path / "*.parquet"], tmp_path / "out", options)
    codes = read(tmp_path / "out")[0]["code"]
    assert codes.type == pa.dictionary(pa.int32(), pa.string())
    assert codes.to_pylist() == [f"{number}-{row}" for number in range(3) for row in range(100)]


def test_copied_columns_keep_their_types(artifact, tmp_path, rows):
    day = datetime.date(2026, 1, 2)
    some = rows.slice(0, 3)
    columns = {
        "code": pa.array(["a", None, "b"]).dictionary_encode(),
        "price": pa.array([decimal.Decimal("1.10"), None, decimal.Decimal("2.00")]),
        "day": pa.array([day, None, day]),
        "at": pa.array([1, None, 3], pa.timestamp("ns", "UTC")),
        "facts": pa.array([{"x": 1}, None, {"x": 2}]),
        "words": pa.array([["a"], None, []], pa.large_list(pa.large_string())),
    }
    for name, values in columns.items():
        some = some.append_column(name, values)
    pq.write_table(some, tmp_path / "a.parquet")
    options = PredictOptions(keep=tuple(columns), engine="onnxruntime")
    predict_files(artifact.folder, [tmp_path / "a.parquet"], tmp_path / "out", options)
    table, _ = read(tmp_path / "out")
    stored = pq.read_table(tmp_path / "a.parquet")
    for name in columns:
        assert table[name].combine_chunks().equals(stored[name].combine_chunks()), name


def test_types_of_files_are_joined_or_named(artifact, tmp_path, rows):
    for number, kind in enumerate((pa.int32(), pa.int64())):
        pq.write_table(rows.slice(0, 2).append_column("x", pa.array([number, 7], kind)), tmp_path / f"{number}.parquet")
    options = PredictOptions(keep=("x",), engine="onnxruntime")
    predict_files(artifact.folder, [tmp_path / "*.parquet"], tmp_path / "out", options)
    assert read(tmp_path / "out")[0]["x"].equals(pa.chunked_array([[0, 7, 1, 7]], pa.int64()))
    pq.write_table(rows.slice(0, 2).append_column("x", pa.array(["a", "b"])), tmp_path / "2.parquet")
    with pytest.raises(DataError, match=r"column 'x' is of type int32 in .*0\.parquet and of type"):
        predict_files(artifact.folder, [tmp_path / f"{n}.parquet" for n in range(3)], tmp_path / "other", options)


def test_csv_is_read_as_in_training_and_copied_as_it_is(write_artifact, tmp_path):
    side = schema_of().model_dump(mode="json", exclude_defaults=True)
    context = {name: side["context"][name] for name in ("user", "city", "age")}
    candidate = {name: side["candidate"][name] for name in ("item", "tags", "length")}
    artifact = write_artifact(tmp_path / "model", schema=schema_of(context=context, candidate=candidate))
    rows = table_of(requests_of(artifact, (30, 20)))
    rows = rows.append_column("code", pa.array([f"{i:03d}" for i in range(50)]))
    pq.write_table(rows, tmp_path / "a.parquet")
    with gzip.open(tmp_path / "b.csv.gz", "wb") as file:
        pyarrow.csv.write_csv(rows, file)
    options = PredictOptions(rank_by=("list",), keep=("code", "length"), engine="onnxruntime")
    parquet, csv = (predict_files(artifact.folder, [tmp_path / name], tmp_path / f"of-{name}", options)
                    for name in ("a.parquet", "b.csv.gz"))  # fmt: skip
    assert parquet.ids == csv.ids
    one, other = read(parquet.folder)[0], read(csv.folder)[0]
    assert one.drop_columns("length").equals(other.drop_columns("length"))
    assert other["length"].type == pa.string()
    assert list(map(float, other["length"].to_pylist())) == one["length"].to_pylist()


def test_a_missing_column_is_named_before_anything_is_written(artifact, tmp_path, rows):
    pq.write_table(rows.drop_columns("user"), tmp_path / "a.parquet")
    for column, options in (("user", PLAIN), ("rwo", PredictOptions(keep=("rwo",), engine="onnxruntime"))):
        with pytest.raises(DataError, match=rf"a\.parquet has no column '{column}'"):
            predict_files(artifact.folder, [tmp_path / "a.parquet"], tmp_path / "out", options)
    assert not list(tmp_path.glob("out/part-*"))


@pytest.mark.parametrize(
    ("url", "data", "told"),
    [
        ("file:///scores", "log", "^file://scores: name the path of a local folder, or a URL"),
        ("ftp://host/scores", "log", "^ftp://host/scores: name the path of a local folder, or a URL"),
        (
            "s3://bucket/log/scores",
            "s3://bucket/log",
            "^s3://bucket/log/scores: lies in s3://bucket/log, which is read",
        ),
        (
            "s3://bucket/log/scores",
            "s3://bucket/*/?region=x",
            r"^s3://bucket/log/scores: lies in s3://bucket/\*, which",
        ),
    ],
)
def test_a_url_that_cannot_take_results_is_refused_before_anything_is_written(
    artifact, files, tmp_path, monkeypatch, url, data, told
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OutputError, match=told):
        predict_files(artifact.folder, [data], url, PLAIN)
    assert [path.name for path in tmp_path.iterdir()] == [files.name]


def test_nothing_to_score_gives_a_file_without_rows(artifact, tmp_path, rows):
    (tmp_path / "log").mkdir()
    pq.write_table(rows.slice(0, 0), tmp_path / "log" / "a.parquet")
    for options in (PLAIN, RANKED):
        out = tmp_path / f"out-{len(options.rank_by)}"
        summary = predict_files(artifact.folder, [tmp_path / "log"], out, options)
        assert (summary.rows, summary.files) == (0, 1)
        assert read(out)[0].equals(Predictor(artifact, options)(rows.slice(0, 0)))


@pytest.mark.parametrize(
    ("column", "values", "told"),
    [
        ("length", [1.0, 2.0, float("inf")], r"b\.parquet, row 2, column 'length': inf is not"),
        ("list", ["x", None, "x"], r"b\.parquet, row 1, column 'list': None is not the name of a list"),
    ],
)
def test_errors_name_file_row_and_value(artifact, tmp_path, rows, column, values, told):
    good = rows.slice(0, 5)
    pq.write_table(good, tmp_path / "a.parquet")
    bad = rows.slice(45, 1).take([0, 0, 0])
    place = bad.schema.get_field_index(column)
    pq.write_table(bad.set_column(place, column, pa.array(values)), tmp_path / "b.parquet")
    with pytest.raises(DataError, match=told):
        predict_files(artifact.folder, [tmp_path / "*.parquet"], tmp_path / "out", RANKED)
    assert not (tmp_path / "out" / "_SUCCESS").exists()
