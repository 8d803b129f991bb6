"""What every file format promises, and the format that the docs show how to add."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from ranker.log_files import FILE_FORMATS
from ranker.log_files.errors import DataError
from ranker.log_files.log_reader import Log

DOCS = Path(__file__).parents[3] / "docs" / "extending.md"
FRAME = pd.DataFrame({"id": [3, 1, 2], "name": ["b", None, "a"], "score": [0.5, np.nan, 1.0]})
KINDS = {"id": "id", "name": "text", "score": "number"}


def write_parquet(path):
    FRAME.to_parquet(path)


def write_csv(path):
    FRAME.to_csv(path, index=False)


def write_arrow(path):
    table = pa.Table.from_pandas(FRAME, preserve_index=False)
    with pa.ipc.new_file(path, table.schema) as file:
        file.write_table(table, max_chunksize=2)


WRITERS = {"parquet": write_parquet, "csv": write_csv, "arrow": write_arrow}


@pytest.fixture
def documented(monkeypatch):
    """The docs' format, known for the time of a test."""
    section = DOCS.read_text(encoding="utf-8").partition("## A data source")[2]
    code = re.search(r"```python\n(.*?)```", section, re.DOTALL)[1]
    monkeypatch.setattr(FILE_FORMATS, "_entries", dict(FILE_FORMATS._entries))
    exec(compile(code, str(DOCS), "exec"), {"__name__": "documented"})


@pytest.fixture(params=[*FILE_FORMATS, "arrow"])
def written(request, documented, tmp_path):
    assert request.param in WRITERS, f"say in WRITERS how a file of the format {request.param} is written"
    path = tmp_path / f"log{FILE_FORMATS[request.param].endings[0]}"
    WRITERS[request.param](path)
    return path


def test_values_come_in_order_and_only_the_columns_asked_for(written):
    chunks = list(Log([written], KINDS).chunks(["score", "id"]))
    assert [list(chunk.columns) for chunk in chunks] == [["score", "id"]] * len(chunks)
    np.testing.assert_array_equal(np.concatenate([chunk.columns["id"] for chunk in chunks]), [3, 1, 2])
    np.testing.assert_array_equal(np.concatenate([chunk.columns["score"] for chunk in chunks]), [0.5, np.nan, 1.0])
    assert sum(chunk.rows for chunk in Log([written], KINDS).chunks([])) == 3


def test_folders_find_it_and_name_it(written):
    log = Log([written.parent], KINDS)
    assert log.paths() == [str(written)]
    with pytest.raises(DataError, match=f"{re.escape(str(written))} has no column 'scor'; did you mean 'score'"):
        list(log.chunks(["scor"]))


def test_a_missing_text_is_missing(written):
    names = [name for chunk in Log([written], KINDS).chunks(["name"]) for name in chunk.columns["name"].tolist()]
    assert names == ["b", None, "a"]


def test_a_file_that_changed_is_refused(written):
    log = Log([written], KINDS)
    written.write_bytes(written.read_bytes() + b"\n")
    with pytest.raises(DataError, match="was changed while it was being read"):
        list(log.chunks(["id"]))


def test_a_damaged_file_is_named(written):
    written.write_bytes(written.read_bytes()[:7] + b"\x00\xff" * 20)
    with pytest.raises(DataError, match=re.escape(str(written))):
        list(Log([written], KINDS).chunks(["id", "score"]))


def test_endings_are_one_formats_alone(documented):
    endings = [ending for part in FILE_FORMATS.values() for ending in part.endings]
    assert len(set(endings)) == len(endings)
    assert all(ending == ending.lower() and ending.startswith(".") for ending in endings)
