"""Inputs within lists are the same to the last bit in a log, in requests of every format, by id, and in predictions."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ranker.artifact import Artifact, difference
from ranker.encoding.within_list import ListInputs
from ranker.engines import OnnxRuntime
from ranker.inference import Model
from ranker.log_files.errors import DataError
from ranker.log_files.log_reader import Log
from ranker.prediction.options import PredictOptions
from ranker.prediction.predictor import Predictor
from ranker.schema import LIST_SIZE, Schema
from serving.features.items import ItemSource
from serving.http.model_info import facts
from serving.ranking.ranker import Ranker
from serving.registry.snapshot import Snapshot
from tests.artifacts import ROWS, plain, shop_log, with_noisy_student, written
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

CONTEXT = ("user", "city", "age", "history")


@pytest.fixture(scope="module")
def columns():
    """Five lists, each with one context; some lengths are missing, and some equal."""
    columns = dict(shop_log()["columns"])
    columns["list"] = np.repeat(np.arange(len(SIZES)), SIZES)
    first = np.repeat(np.cumsum([0, *SIZES[:-1]]), SIZES)
    for name in CONTEXT:
        columns[name] = [columns[name][row] for row in first]
    columns["length"] = np.where(np.arange(ROWS) % 9 == 4, np.nan, np.round(columns["length"], -1))
    return columns


@pytest.fixture(scope="module")
def listed(columns, tmp_path_factory) -> Artifact:
    """The shop with inputs within lists of a number, of text, and of hashed integers."""
    within = {"list_by": "list", "of": ["length", "sku", "shelf"]}
    schema = Schema.model_validate({**shop_log()["schema"].model_dump(mode="json"), "within_list": within})
    return written(tmp_path_factory.mktemp("listed"), schema=schema, columns=columns)


@pytest.fixture(scope="module")
def requests(columns):
    return as_requests(columns, CONTEXT)


@pytest.fixture(scope="module")
def table(columns):
    return as_table(columns, CONTEXT)


@pytest.fixture(scope="module")
def files(table, tmp_path_factory):
    """Row groups of 4 rows in files of 17, so that lists span both."""
    folder = tmp_path_factory.mktemp("files")
    write_files(folder, table, rows=17, group=4)
    return folder


@pytest.fixture(scope="module")
def logged(listed, files):
    """Numbers of the candidates by list, as a log is encoded."""
    log = Log([files], {"list": "id"}).with_lists(ListInputs.of_schema(listed.schema))
    chunks = [chunk.columns for chunk in log.chunks(listed.schema.encoded_columns())]
    assert len(chunks) > len(SIZES)
    numbers = [listed.encoder.encode(chunk, chunk).candidate_numbers for chunk in chunks]
    return np.split(np.concatenate(numbers), np.cumsum(SIZES)[:-1])


def places(artifact):
    """Columns of the inputs within lists."""
    numbers = artifact.encoder.layout.candidate.numbers
    found = [field for field in numbers if field.feature in artifact.schema.list_inputs]
    assert {field.length for field in found} == {1}
    return [field.start for field in found]


def test_log_and_request_agree_to_the_last_bit_in_every_format(listed, requests, logged):
    service = Ranker(listed, OnnxRuntime(listed.model_path), max_candidates=100)
    at = places(listed)
    assert len(at) == 5 + 1 + 1 + 1
    for request, expected in zip(requests, logged, strict=True):
        assert_formats_agree(service, request, expected)
        if len(expected) > 2:
            assert (np.ptp(expected[:, [at[0], at[5]]], axis=0) > 0).all()


def test_items_by_id_are_compared_with_those_of_the_request(listed, columns, tmp_path):
    rows = list(range(14, 24))
    items = plain(columns, CANDIDATE, rows)
    pq.write_table(pa.table(items), tmp_path / "items.parquet")
    engine, source = OnnxRuntime(listed.model_path), ItemSource(tmp_path / "items.parquet", tmp_path / "cache")
    keeping = Ranker(listed, engine, max_candidates=100, source=source)
    dropping = Ranker(listed, engine, max_candidates=100, source=source, drop_unknown=True)
    chosen = [7, 2, 2, 5, 0]
    whole = {name: [values[i] for i in chosen] for name, values in items.items()}
    request = {"context": listed.golden[0].context}
    expected = encoded(keeping, {**request, "candidates": whole})
    ids = {"sku": whole["sku"]}
    assert encoded(keeping, {**request, "candidates": ids}).tobytes() == expected.tobytes()
    some = {"sku": ["sku-9999", *whole["sku"]]}
    assert encoded(dropping, {**request, "candidates": some}).tobytes() == expected.tobytes()
    with_unknown = {name: [None, *values] for name, values in whole.items()} | some
    expected = encoded(keeping, {**request, "candidates": with_unknown})
    assert encoded(keeping, {**request, "candidates": some}).tobytes() == expected.tobytes()


def test_the_second_stage_has_the_inputs_of_the_whole_request(listed, columns, tmp_path):
    both = with_noisy_student(listed, tmp_path)
    model = Model(both, OnnxRuntime(both.model_path), student=OnnxRuntime(both.student_path))
    random = np.random.default_rng(3)
    candidates = plain(columns, CANDIDATE, random.integers(0, ROWS, 200).tolist())
    context = both.golden[0].context
    found = model.rank(context, candidates, cascade=0.25)
    full = np.array(found.scored_by) == "full"
    assert full.sum() == 50
    kept = found.positions[full]
    exact, alone = (model.score(context, {name: [v[i] for i in rows] for name, v in candidates.items()})["click"]
                    for rows in (range(200), kept))  # fmt: skip
    assert difference(found.scores["click"][full], exact[kept]) <= 1e-6
    assert difference(found.scores["click"][full], alone) > 1e-3


def test_predictions_of_lists_are_rankings_to_the_last_bit(listed, requests, table):
    assert_predictions_are_rankings(listed, requests, table)


def test_predictions_of_rows_find_their_lists_by_the_schema(listed, requests, table):
    model = Model.load(listed.folder, engine="onnxruntime")
    predictor = Predictor(listed, PredictOptions(engine="onnxruntime"))
    scores = predictor(table)["score_click"].to_numpy()
    expected = [model.score(request["context"], request["candidates"])["click"] for request in requests]
    assert difference(scores, np.concatenate(expected)) <= 1e-6
    with pytest.raises(DataError, match=r"no column 'list'.*the model compares the rows of a list"):
        predictor(table.drop_columns("list"))
    again = pa.concat_tables([table, table.slice(0, 1)])
    with pytest.raises(DataError, match=r"row 60: the list of list 0 began before.*schema\.within_list\.list_by"):
        predictor(again)


def test_sizes_of_the_lists_in_training_are_told(listed):
    assert listed.encoder.list_sizes == (13, 30)
    assert LIST_SIZE in listed.encoder.encodings
    served = Snapshot({"default": Ranker(listed, OnnxRuntime(listed.model_path), max_candidates=100)}, "default")
    assert facts(served.rankers["default"], "default")["list_sizes"] == {"median": 13, "p99": 30}


def test_requests_and_their_documents_name_no_list(listed, requests):
    service = Ranker(listed, OnnxRuntime(listed.model_path), max_candidates=100)
    written_schema = json.dumps(service.checker.model.model_json_schema())
    assert "within_list" not in written_schema
    assert set(service.checker.columns) == set(CANDIDATE)
