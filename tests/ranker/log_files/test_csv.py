import gzip

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from ranker.config.csv_options import CsvOptions
from ranker.encoding.lists import ragged
from ranker.log_files.csv_types import schema_kinds
from ranker.log_files.log_reader import DataError, Log
from ranker.schema import Schema


def write(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


def read(paths, kinds, csv=None):
    found = {name: [] for name in kinds}
    for chunk in Log(paths, kinds, csv).chunks(list(kinds)):
        for name in kinds:
            column = chunk.columns[name]
            found[name] += column.tolist() if isinstance(column, np.ndarray) else list(column)
    return found


def test_numbers(tmp_path):
    path = write(tmp_path / "a.csv", "x,y,z\n1,1.5,true\n,NA,0\n 3 ,+2,FALSE\nnull,1e3,\n")
    found = read([path], dict.fromkeys("xyz", "number"))
    assert found["x"] == [1, None, 3, None]
    assert found["z"] == [1, 0, 0, None]
    np.testing.assert_array_equal(found["y"], [1.5, np.nan, 2, 1000])


def test_dates_of_a_number_are_times(tmp_path):
    path = write(tmp_path / "a.csv", "t\n1970-01-02\n1970-01-01T00:00:01.1234567Z\n1970-01-01 01:00:00+01:00\n")
    (chunk,) = Log([path], {"t": "number"}).chunks(["t"])
    assert chunk.columns["t"].view(np.int64).tolist() == [86_400_000_000, 1_123_456, 0]


@pytest.mark.parametrize(
    ("value", "told"),
    [("yes", "'yes' is not a number"), ("0x1F", "'0x1F'"), ("2024-01-01", "is not a number"), ("1,5", "'1,5'")],
)
def test_what_is_no_number_is_named(tmp_path, value, told):
    path = write(tmp_path / "a.csv", f'x,y\n1,1\n"{value}",2\n')
    with pytest.raises(DataError, match=f"a\\.csv, row 1, column 'x': .*{told}"):
        read([path], {"x": "number"})


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["9007199254740993", "1"], [2**53 + 1, 1]),
        ([str(2**64 - 1), "+7"], [2**64 - 1, 7]),
        ([str(2**63), "1.5"], [2.0**63, 1.5]),
        (["1.0", "2"], [1, 2]),
        (["True", "0", "NA", "true"], [1, 0, None, 1]),
        (["1.5", "NA", " 2 ", "#N/A"], [1.5, np.nan, 2, np.nan]),
    ],
)
def test_numbers_as_they_are_written(tmp_path, values, expected):
    path = write(tmp_path / "a.csv", "x,y\n" + "".join(f"{value},\n" for value in values))
    found = read([path], {"x": "number"})["x"]
    assert [None if number is None else float(number).hex() for number in found] == [
        None if number is None else float(number).hex() for number in expected
    ]
    assert all(int(number) == right for number, right in zip(found, expected, strict=True) if isinstance(right, int))


def test_the_first_row_of_a_bad_value_is_named(tmp_path):
    path = write(tmp_path / "a.csv", "x,y\n" + "1,\n" * 100_000 + "2,\nyes,\ntrue,\nno,\nyes,\n")
    with pytest.raises(DataError, match=r"a\.csv, row 100001, column 'x': 'yes' is not a number"):
        read([path], {"x": "number"})


def test_the_line_of_a_bad_row_far_down(tmp_path):
    rows = 2_500_000  # more than a block
    path = write(tmp_path / "a.csv", "x,id\n" + "1,2\n" * rows + "3\n" + "1,2\n" * 1000 + "4\n")
    with pytest.raises(DataError, match=rf"a\.csv: line {rows + 2} has 1 field\(s\) and the header 2: '3'"):
        for _ in Log([path], {"x": "number", "id": "text"}).chunks(["x", "id"]):
            pass


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["1", "", "-7"], [1, None, -7]),
        (["02134", "10001"], ["02134", "10001"]),
        (["true", "false"], ["true", "false"]),
        (["NA", "7"], ["NA", "7"]),
        (["+7", "8"], ["+7", "8"]),
        (["1.0", "2.0"], ["1.0", "2.0"]),
        (["1.0", "2", ""], [1, 2, None]),
        (["01.0", "2"], ["01.0", "2"]),
        (["1.5", "2"], ["1.5", "2"]),
        ([str(2**64 - 1), "7"], [2**64 - 1, 7]),
        ([str(2**64), "7"], [str(2**64), "7"]),
        ([str(2**63), "7"], [str(2**63), "7"]),
        (['"1"', '"2"'], ["1", "2"]),
        (['""', "x"], [None, "x"]),
    ],
)
def test_ids_are_integers_only_if_all_are(tmp_path, values, expected):
    path = write(tmp_path / "a.csv", "id,y\n" + "".join(f"{value},1\n" for value in values))
    assert read([path], {"id": "id"})["id"] == expected


def test_whole_floats_beside_integers_are_the_same_ids(tmp_path):
    write(tmp_path / "a.csv", "id,y\n1110,1\n7,1\n")
    write(tmp_path / "b.csv", "id,y\n1110.0,1\n,1\n")  # as pandas writes integers of which one is missing
    assert read([tmp_path], {"id": "id"})["id"] == [1110, 7, 1110, None]
    assert read([tmp_path / "b.csv"], {"id": "integer"})["id"] == [1110, None]
    with pytest.raises(DataError, match=r"row 0, column 'id': '9223372036854775808\.0' is not an integer from"):
        read([write(tmp_path / "c.csv", f"id,y\n{2**63}.0,1\n")], {"id": "integer"})


def test_one_late_value_of_any_file_makes_all_ids_text(tmp_path):
    write(tmp_path / "a.csv", "id,y\n" + "1,\n" * 500_000)
    write(tmp_path / "b.csv", "id,y\nx,\n")
    assert set(read([tmp_path], {"id": "id"})["id"]) == {"1", "x"}


def test_parquet_files_decide_what_ids_of_csv_files_are(tmp_path):
    path = write(tmp_path / "b.csv", "id,y\n7,\n")
    pq.write_table(pa.table({"id": ["a"]}), tmp_path / "a.parquet")
    assert read([tmp_path], {"id": "id"})["id"] == ["a", "7"]
    pq.write_table(pa.table({"id": [1]}), tmp_path / "a.parquet")
    assert read([tmp_path], {"id": "id"})["id"] == [1, 7]
    write(path, "id,y\nb,\n")
    with pytest.raises(DataError, match=r"b\.csv, row 0, column 'id': 'b' is not an integer"):
        read([tmp_path], {"id": "id"})


def test_declared_kinds_and_times(tmp_path):
    path = write(tmp_path / "a.csv", "a,b,c,d\n7,7,1.5,20240101\n8,8,2,010124\n")
    found = read([path], {"a": "text", "b": "unsigned", "c": "time", "d": "time"})
    assert found == {"a": ["7", "8"], "b": [7, 8], "c": [1.5, 2], "d": ["20240101", "010124"]}
    write(path, "b,c\n-1,1\n")
    with pytest.raises(DataError, match=r"a\.csv, row 0, column 'b': '-1' is not an integer from 0"):
        read([path], {"b": "unsigned"})


def test_types_that_show_late(tmp_path):
    rows = 700_000
    path = write(tmp_path / "a.csv", "x,y,id\n" + "1,,5\n" * rows + "1.5,2,02134\n")
    (*_, last) = Log([path], {"x": "number", "y": "number", "id": "id"}).chunks(["x", "y", "id"])
    assert last.number + last.rows == rows + 1
    assert last.columns["x"][-1] == 1.5
    assert last.columns["y"].tolist()[-1] == 2
    assert list(last.columns["id"])[-2:] == ["5", "02134"]


@pytest.mark.parametrize(
    ("name", "text", "encoding", "options"),
    [
        ("a.tsv", "x\tname\n1.5\té\n", "utf-8", {}),
        ("a.csv", "\ufeffx,name\n1.5,é\n", "utf-8", {}),
        ("a.csv", "x;name\n1,5;é\n", "utf-8", {"separator": ";", "decimal": ","}),
        ("a.csv", "x,name\n1.5,é\n", "utf-16", {"encoding": "utf-16"}),
        ("a.csv", "x,name\n1.5,é\n", "latin-1", {"encoding": "latin-1"}),
        ("a.csv", "x,name\n1.5,'é'\n", "utf-8", {"quote": "'"}),
    ],
)
def test_dialects(tmp_path, name, text, encoding, options):
    path = write(tmp_path / name, text, encoding)
    assert read([path], {"x": "number", "name": "id"}, CsvOptions(**options)) == {"x": [1.5], "name": ["é"]}


def test_compressed_files_and_line_breaks_in_quotes(tmp_path):
    text = b'x,name\n1,"a\nb"\n'
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(text))
    (tmp_path / "b.csv.zst").write_bytes(pa.Codec("zstd").compress(text, asbytes=True))
    assert read([tmp_path], {"x": "number", "name": "text"}) == {"x": [1, 1], "name": ["a\nb", "a\nb"]}


@pytest.mark.parametrize(
    ("text", "encoding", "told"),
    [
        ("x;y\n1;2\n", "utf-8", r"look separated by ';'.*csv: \{separator: ';'\}"),
        ("x\ty\n1\t2\n", "utf-8", r"look separated by a tab"),
        ("x,y\n1,é\n", "latin-1", r"is not text in utf-8; .*encoding: latin-1"),
        ("x,y\n1,2\n", "utf-16", r"csv: \{encoding: utf-16\}"),
        ("x,y\n1,2\n3\n", "utf-8", r"line 3 has 1 field\(s\) and the header 2: '3'"),
        ("x,y\n1,2\n3,4,5\n", "utf-8", r"line 3 has 3 field\(s\)"),
        ("1,2\n3,4\n", "utf-8", r"has no column 'x'.*first line must name the columns"),
        ("", "utf-8", r"is empty"),
        ("x,y,x\n1,2,3\n", "utf-8", r"has the column 'x' more than once"),
    ],
)
def test_files_that_are_written_otherwise(tmp_path, text, encoding, told):
    path = write(tmp_path / "a.csv", text, encoding)
    with pytest.raises(DataError, match=f"a\\.csv.*{told}"):
        read([path], {"x": "number", "y": "id"})


@pytest.mark.parametrize(
    "options",
    [
        {"separator": ",", "decimal": ","},
        {"encoding": "latin-99"},
        {"encoding": "zlib"},
        {"encoding": "rot13"},
        {"separator": "::"},
        {"quote": "\n"},
    ],
)
def test_options_that_cannot_be(options):
    with pytest.raises(ValueError, match=r"separator|encoding|quote"):
        CsvOptions(**options)


def test_an_integer_column_beside_a_separator_is_one_value_a_row():
    assert list(ragged(np.array([3, 4]), "tags", "|").values) == [3, 4]


def both(column="zip"):
    """Kinds of a column that is a numeric feature and a categorical with ``type: string``."""
    features = {
        "far": {"kind": "numeric", "column": column, "transform": "none"},
        "place": {"kind": "categorical", "type": "string", "column": column, "dimension": 2},
    }
    return schema_kinds(Schema.model_validate({"candidate": features, "tasks": {"click": {"kind": "binary"}}}))


@pytest.mark.parametrize("bad", ["02134", '"7"', "1.5", "x"])
def test_a_column_of_numbers_and_text_is_refused_where_it_cannot_be_both(tmp_path, bad):
    path = write(tmp_path / "a.csv", f"zip,click\n2134,1\n{bad},0\n")
    if bad == '"7"':
        write(path, f"zip,click\n{bad},0\n")
    with pytest.raises(DataError, match=r"'zip' is read as a number .* and as text .*type: string.*a\.csv"):
        read([path], both())


def test_a_column_of_integers_is_numbers_and_text(tmp_path):
    path = write(tmp_path / "a.csv", "zip,click\n2134,1\n,0\n-7,0\n")
    assert read([path], both())["zip"] == [2134, None, -7]
    pq.write_table(pa.table({"zip": [1.5], "click": [1]}), tmp_path / "b.parquet")
    assert read([tmp_path / "b.parquet"], both())["zip"] == [1.5]


def test_a_column_of_the_path_that_one_file_lacks_names_both(tmp_path):
    for folder in ("date=1", "day=2"):
        (tmp_path / folder).mkdir()
        write(tmp_path / folder / "a.csv", "x,y\n1,2\n")
    with pytest.raises(DataError, match=r"day=2/a\.csv has no column 'date'.*date=1/a\.csv has it from a folder"):
        read([tmp_path], {"x": "number", "date": "id"})


@pytest.mark.parametrize("value", ["\\t", "tab"])
def test_a_tab_is_told_to_who_writes_it_without_quotes(value):
    with pytest.raises(
        ValidationError, match=r'must be one character, got .*; in YAML a tab is "\\t" in double quotes'
    ):
        CsvOptions(separator=value)
    with pytest.raises(ValidationError, match="must be one character, got '::'"):
        CsvOptions(separator="::")
