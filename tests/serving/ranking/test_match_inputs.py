"""Matches are the same to the last bit in a log, in requests of every format, by id, and in predictions."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ranker.artifact import Artifact
from ranker.engines import OnnxRuntime
from ranker.log_files.log_reader import Log
from ranker.schema import Schema
from serving.features.items import ItemSource
from serving.ranking.ranker import Ranker
from tests.artifacts import ROWS, plain, shop_log, written
from tests.ranker.prediction.request_rows import write_files
from tests.serving.ranking.shop_lists import (
    CANDIDATE,
    SIZES,
    as_requests,
    as_table,
    assert_formats_agree,
    assert_predictions_are_rankings,
    encoded,
)

CONTEXT = ("user", "city", "age", "history", "shelves", "liked_tags")
MATCHES = [
    {"of": "sku", "in": "history"},
    {"of": "shelf", "in": "shelves"},
    {"of": "tags", "in": "liked_tags", "as": ["count", "last"]},
]


@pytest.fixture(scope="module")
def columns():
    """Five lists of rows, each with one context."""
    columns = dict(shop_log()["columns"])
    columns["history"] = [[f"sku-{j % 11:04d}-é" for j in range(i % 6)] or None for i in range(ROWS)]
    columns["shelves"] = [[0, 3, None, 1, 1][: i % 6] for i in range(ROWS)]
    columns["liked_tags"] = [["blue", "red", "blue", "green"][: i % 5] for i in range(ROWS)]
    columns["list"] = np.repeat(np.arange(len(SIZES)), SIZES)
    first = np.repeat(2 + np.cumsum([0, *SIZES[:-1]]), SIZES)
    for name in CONTEXT:
        columns[name] = [columns[name][row] for row in first]
    return columns


@pytest.fixture(scope="module")
def matching(columns, tmp_path_factory) -> Artifact:
    """The shop with matches of text, of hashed integers, and of several texts."""
    schema = shop_log()["schema"].model_dump(mode="json")
    schema["context"] |= {
        "shelves": {"kind": "sequence", "shares": "shelf", "pooling": "none", "max_length": 4},
        "liked_tags": {"kind": "sequence", "shares": "tags", "pooling": "none"},
    }
    schema = Schema.model_validate({**schema, "matches": MATCHES})
    return written(tmp_path_factory.mktemp("matching"), schema=schema, columns=columns)


@pytest.fixture(scope="module")
def requests(columns):
    return as_requests(columns, CONTEXT)


@pytest.fixture(scope="module")
def table(columns):
    return as_table(columns, CONTEXT)


def places(artifact):
    numbers = artifact.encoder.layout.candidate.numbers
    return [field.start for field in numbers if field.feature in artifact.schema.match_inputs]


def test_log_and_request_agree_to_the_last_bit_in_every_format(matching, requests, table, tmp_path):
    write_files(tmp_path, table, rows=17, group=4)
    chunks = [chunk.columns for chunk in Log([tmp_path]).chunks(matching.schema.encoded_columns())]
    assert len(chunks) > 1
    logged = np.concatenate([matching.encoder.encode(chunk, chunk).candidate_numbers for chunk in chunks])
    at = places(matching)
    assert len(at) == 3 + 3 + 2
    assert (np.ptp(logged[:, at], axis=0) > 0).all()
    service = Ranker(matching, OnnxRuntime(matching.model_path), max_candidates=100)
    for request, expected in zip(requests, np.split(logged, np.cumsum(SIZES)[:-1]), strict=True):
        assert_formats_agree(service, request, expected)


def test_items_by_id_match_as_sent_ones_known_or_not(matching, columns, requests, tmp_path):
    items = plain(columns, CANDIDATE, range(14, 24))
    pq.write_table(pa.table(items), tmp_path / "items.parquet")
    source = ItemSource(tmp_path / "items.parquet", tmp_path / "cache")
    service = Ranker(matching, OnnxRuntime(matching.model_path), max_candidates=100, source=source)
    context = {**requests[2]["context"], "history": ["sku-0003-é", "sku-9999"]}
    chosen = [7, 2, 2, 5, 0]
    ids = ["sku-9999", *(items["sku"][i] for i in chosen)]
    whole = {name: [None, *(values[i] for i in chosen)] for name, values in items.items()} | {"sku": ids}
    expected = encoded(service, {"context": context, "candidates": whole})
    found = encoded(service, {"context": context, "candidates": {"sku": ids}})
    assert found.tobytes() == expected.tobytes()
    count = matching.encoder.encodings["match(sku, history).count"]
    assert expected[0, places(matching)[0]] == np.float32((np.log1p(1) - count.mean) / count.deviation)


def test_predictions_of_lists_are_rankings_to_the_last_bit(matching, requests, table):
    assert_predictions_are_rankings(matching, requests, table)
