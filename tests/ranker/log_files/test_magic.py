import bz2
import gzip
import io
import lzma
import re
import zipfile

import pyarrow as pa
import pyarrow.feather
import pyarrow.orc
import pyarrow.parquet as pq
import pytest

from ranker.log_files.log_reader import DataError, Log

TABLE = pa.table({"x": [1, 2, 3]})
TEXT = b"x,y\n1,2\n3,4\n"


def bytes_of(write):
    sink = io.BytesIO()
    write(sink)
    return sink.getvalue()


def zstd(data):
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return sink.getvalue().to_pybytes()


def archive(sink):
    with zipfile.ZipFile(sink, "w") as file:
        file.writestr("a.csv", TEXT)


PARQUET = bytes_of(lambda sink: pq.write_table(TABLE, sink))
FEATHER = bytes_of(lambda sink: pyarrow.feather.write_feather(TABLE, sink))
ORC = bytes_of(lambda sink: pyarrow.orc.write_table(TABLE, sink))


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("a.csv", PARQUET, "is a Parquet file, though its name does not say so; name it a.parquet"),
        ("a.tsv.gz", PARQUET, "is a Parquet file, though its name does not say so; name it a.parquet"),
        (
            "a.csv",
            gzip.compress(TEXT, mtime=0),
            "is compressed by gzip, though its name does not say so; name it a.csv.gz",
        ),
        (
            "a.TSV",
            gzip.compress(TEXT, mtime=0),
            "is compressed by gzip, though its name does not say so; name it a.TSV.gz",
        ),
        ("a.csv", zstd(TEXT), "is compressed by zstd, though its name does not say so; name it a.csv.zst"),
        ("a.csv", bz2.compress(TEXT), "is compressed by bzip2, though its name does not say so; name it a.csv.bz2"),
        ("a.csv.gz", zstd(TEXT), "is compressed by zstd, though its name does not say so; name it a.csv.zst"),
        ("a.csv.zst", TEXT, "is not compressed, though its name says so; name it a.csv"),
        ("a.csv.gz", gzip.compress(PARQUET, mtime=0), "compressed again; decompress it, and name it a.parquet"),
        (
            "a.csv.gz",
            gzip.compress(gzip.compress(TEXT, mtime=0), mtime=0),
            "compressed again; decompress it, and name it a.csv.gz",
        ),
        ("a.parquet", TEXT, "is text, not Parquet; if it is CSV, name it a.csv"),
        ("a.pq", gzip.compress(TEXT, mtime=0), "name it a.csv.gz if it holds CSV; if it holds Parquet, decompress it"),
        ("a.csv", lzma.compress(TEXT), "is compressed by xz, which cannot be read; write it as Parquet or CSV"),
        ("a.csv", bytes_of(archive), "is a ZIP archive, or a spreadsheet of Excel, which cannot be read"),
        ("a.parquet", FEATHER, "is an Arrow file (Feather), which cannot be read; write it as Parquet or CSV"),
        ("a.csv", ORC, "is an ORC file, which cannot be read; write it as Parquet or CSV"),
    ],
)
def test_a_file_of_another_format_than_its_name_says(tmp_path, name, data, told):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(DataError, match=re.escape(f"{name}: ") + ".*" + re.escape(told)):
        Log([tmp_path / name])


@pytest.mark.parametrize("header", ["PAR1,y", "PAR1", "ORC,y", "BZh9", "Obj"])
def test_a_header_may_begin_as_a_format_does(tmp_path, header):
    (tmp_path / "a.csv").write_text(f"{header}\n1,2\n")
    assert Log([tmp_path / "a.csv"])._parts[0].columns() == header.split(",")


def test_a_damaged_file_of_the_named_format_is_called_damaged(tmp_path):
    (tmp_path / "a.parquet").write_bytes(PARQUET[:-20])
    with pytest.raises(DataError, match=r"a\.parquet: is not a complete Parquet file, or is damaged"):
        Log([tmp_path / "a.parquet"])
