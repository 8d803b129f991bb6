"""Spans of a log are read apart, in the chunks and blocks of one process."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ranker.log_files import parquet
from ranker.log_files.lists import ListKeys, SeenLists, whole_lists
from ranker.log_files.log_reader import Log
from ranker.log_files.spans import Span, span_blocks


@pytest.fixture
def small(monkeypatch):
    """Chunks of 8 rows, and ranges of at least 16."""
    monkeypatch.setattr(parquet, "CHUNK", 8)
    monkeypatch.setattr(parquet, "RANGE", 16)


def write(path, table, group):
    path.parent.mkdir(exist_ok=True)
    pq.write_table(table, path, row_group_size=group)


@pytest.mark.parametrize("dictionary", [False, True])
@pytest.mark.parametrize(("group", "cuts"), [(8, 8), (16, 8), (24, 5), (12, 5), (10, 3), (7, 3), (100, 1)])
def test_the_chunks_of_all_spans_are_those_of_the_log(tmp_path, small, group, cuts, dictionary):
    text = pa.array([f"v{i % 5}" for i in range(117)])
    table = pa.table({"row": np.arange(117), "text": text.dictionary_encode() if dictionary else text})
    write(tmp_path / "log" / "a.parquet", table, group)
    write(tmp_path / "log" / "b.parquet", table.slice(0, 9), group)
    log = Log([tmp_path / "log"])
    spans = log.spans()
    assert len(spans) == cuts + 1
    assert spans[0] == Span(0, 0, 0)
    assert spans[-1] == Span(1, 0, 117)
    whole = list(log.arrow_chunks(["row", "text"]))
    apart = [chunk for span in spans for chunk in log.span_chunks(span, ["row", "text"])]
    assert [(c.source, c.first, c.number, c.rows) for c in apart] == [
        (c.source, c.first, c.number, c.rows) for c in whole
    ]
    for one, other in zip(apart, whole, strict=True):
        assert one.arrays["row"].equals(other.arrays["row"])
        assert one.arrays["text"].to_pylist() == other.arrays["text"].to_pylist()


def test_a_text_file_is_one_span(tmp_path):
    for name, rows in (("a", 3), ("b", 2)):
        (tmp_path / f"{name}.csv").write_text("id\n" + "".join(f"{i}\n" for i in range(rows)))
    log = Log([tmp_path], {"id": "id"})
    assert log.spans() == [Span(0, 0, 0), Span(1, 0, 0)]
    assert list(log.text_rows().values()) == [3, 2]
    assert log.spans(log.text_rows()) == [Span(0, 0, 0), Span(1, 0, 3)]
    assert [chunk.arrays["id"].to_pylist() for span in log.spans() for chunk in log.span_chunks(span, ["id"])] == [
        [0, 1, 2],
        [0, 1],
    ]


@pytest.mark.parametrize("longest", [1, 3, 9, 30, 70, 200])
@pytest.mark.parametrize("seed", range(4))
def test_every_block_of_whole_lists_belongs_to_one_span(tmp_path, small, longest, seed):
    random = np.random.default_rng(seed)
    sizes = random.integers(1, longest + 1, 300)
    lists = np.repeat(np.arange(300), sizes)[:200]
    table = pa.table({"list": lists, "row": np.arange(len(lists))})
    for number, start in enumerate(range(0, len(lists), 50)):
        write(tmp_path / "log" / f"{number}.parquet", table.slice(start, 50), 8)
    log = Log([tmp_path / "log"])
    spans = log.spans()
    assert len(spans) > 4

    def described(blocks):
        rows = [np.concatenate([chunk.arrays["row"].to_numpy() for chunk in b.chunks]).tolist() for b in blocks]
        return [(r, b.starts.tolist()) for r, b in zip(rows, blocks, strict=True)]

    def read(span):
        return log.span_chunks(span, ["list", "row"])

    whole = list(whole_lists(log.arrow_chunks(["list", "row"]), ListKeys(["list"]), SeenLists()))
    apart = [b for i in range(len(spans)) for b in span_blocks(read, spans, i, ListKeys(["list"]))]
    assert described(apart) == described(whole)
