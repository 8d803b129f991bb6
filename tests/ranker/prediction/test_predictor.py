import pickle

import numpy as np
import pyarrow as pa
import pytest

from ranker.artifact import difference
from ranker.fusion import FusionError
from ranker.inference import InputError, Model
from ranker.log_files.errors import DataError
from ranker.prediction.options import PredictOptions
from ranker.prediction.predictor import Predictor
from tests.artifacts import shop_log, with_noisy_student
from tests.ranker.prediction.request_rows import requests_of, table_of

ENGINES = ["onnxruntime", "openvino"]
SIZES = (1, 7, 100, 3, 113)
"""A specialised graph of OpenVINO, one that is padded to it, and others."""


def scores_of(table, tasks, rows=slice(None)):
    return {task: table[f"score_{task}"].to_numpy()[rows] for task in tasks}


@pytest.mark.parametrize(
    ("engine", "options"),
    [("openvino", {}), ("onnxruntime", {"fusion": "rank_power", "top_k": 5}), ("onnxruntime", {"top_k": 200})],
)
def test_lists_equal_single_rankings_to_the_last_bit(shop, engine, options):
    model = Model.load(shop.folder, engine=engine)
    requests = requests_of(shop, SIZES)
    predictor = Predictor(shop, PredictOptions(rank_by=("list",), keep=("row",), engine=engine, **options), streams=2)
    found, first = predictor(table_of(requests)), 0
    assert found.schema.names == ["list", "row", *(f"score_{t}" for t in model.tasks), "fused", "rank"]
    kept = found["row"].to_numpy()
    assert (np.diff(kept) > 0).all()
    for size, request in zip(SIZES, requests, strict=True):
        here = (kept >= first) & (kept < first + size)
        expected = model.rank(request["context"], request["candidates"], **options)
        order = np.argsort(found["rank"].to_numpy()[here])
        assert (kept[here][order] - first).tolist() == expected.positions.tolist()
        assert found["rank"].to_numpy()[here][order].tolist() == list(range(1, len(order) + 1))
        assert found["fused"].to_numpy()[here][order].tolist() == expected.fused.tolist()
        for task, scores in scores_of(found, model.tasks, here).items():
            assert scores[order].tolist() == expected.scores[task].tolist()
        first += size


@pytest.mark.parametrize("engine", ENGINES)
def test_rows_without_lists_have_the_scores_of_their_own_context(shop, engine):
    requests = requests_of(shop, SIZES)
    model = Model.load(shop.folder, engine="onnxruntime")
    found = Predictor(shop, PredictOptions(engine=engine))(table_of(requests))
    expected = [model.score(request["context"], request["candidates"]) for request in requests]
    for task, scores in scores_of(found, model.tasks).items():
        assert difference(scores, np.concatenate([one[task] for one in expected])) <= 1e-6


def test_scores_are_calibrated_where_the_fusion_says_so(write_artifact, tmp_path):
    fusion = {"name": "additive", "calibration": {"watch": "scale"}}
    state = {"calibration": {"watch": {"method": "scale", "constants": {"factor": [2.0]}}}}
    artifact = write_artifact(tmp_path, fusion=fusion, state=state)
    table = table_of(requests_of(artifact, (20,)))
    calibrated, raw = (Predictor(artifact, PredictOptions(calibrate=on, engine="onnxruntime"))(table) for on in (1, 0))
    ranked = Predictor(artifact, PredictOptions(rank_by=("list",), engine="onnxruntime"))(table)
    unranked = Predictor(artifact, PredictOptions(rank_by=("list",), calibrate=False, engine="onnxruntime"))(table)
    assert calibrated["score_click"].equals(raw["score_click"])
    assert not calibrated["score_watch"].equals(raw["score_watch"])
    for one, other in ((calibrated, ranked), (raw, unranked)):
        assert difference(one["score_watch"].to_numpy(), other["score_watch"].to_numpy()) <= 1e-6
    assert ranked["fused"].equals(unranked["fused"])


def test_rules_drop_rows_unless_they_are_left_out(write_artifact, tmp_path):
    rules = {"quality": {"kind": "floor", "least": {"click": 0.5}, "below": "drop"}}
    artifact = write_artifact(tmp_path, fusion={"name": "additive", "rules": rules})
    table = table_of(requests_of(artifact, (40,)))
    by = PredictOptions(rank_by=("list",), engine="onnxruntime")
    ruled = Predictor(artifact, by)(table)
    good = ruled["score_click"].to_numpy() >= 0.5
    assert 0 < good.sum() < 40
    assert np.array_equal(np.array(ruled["rank"].is_valid()), good)
    assert sorted(ruled["rank"].drop_null().to_pylist()) == list(range(1, good.sum() + 1))
    free = Predictor(artifact, PredictOptions(rank_by=("list",), rules=False, engine="onnxruntime"))(table)
    assert sorted(free["rank"].to_pylist()) == list(range(1, 41))


def test_lists_are_re_ranked_as_in_the_service(write_artifact, tmp_path):
    steps = {
        "diverse": {"kind": "mmr", "of": ["tags", "vector", "shelf"], "lambda": 0.3, "first": 9},
        "items": {"kind": "spread", "of": "sku", "window": 3},
    }
    explore = {"kind": "epsilon", "epsilon": 1.0}  # which only requests do
    artifact = write_artifact(tmp_path, **shop_log(), fusion={"rerank": steps, "explore": explore})
    model, requests = Model.load(artifact.folder, engine="onnxruntime"), requests_of(artifact, SIZES)
    by, table = {"rank_by": ("list",), "engine": "onnxruntime"}, table_of(requests)
    found, first = Predictor(artifact, PredictOptions(**by))(table), 0
    plain = Predictor(artifact, PredictOptions(**by, rules=False))(table)
    assert not found["rank"].equals(plain["rank"])
    for size, request in zip(SIZES, requests, strict=True):
        here = slice(first, first + size)
        for table, fusion in ((found, None), (plain, {"rerank": False})):
            expected = model.rank(request["context"], request["candidates"], fusion=fusion)
            assert np.argsort(table["rank"].to_numpy()[here]).tolist() == expected.positions.tolist()
        first += size


def test_a_student_sifts_as_in_the_service(artifact, tmp_path):
    student = with_noisy_student(artifact, tmp_path)
    model = Model.load(student.folder, engine="onnxruntime")
    request = requests_of(student, (300,))[0]
    by = {"rank_by": ("list",), "engine": "onnxruntime"}
    for cascade in (None, False):
        found = Predictor(student, PredictOptions(**by, cascade=cascade))(table_of([request]))
        expected = model.rank(request["context"], request["candidates"], cascade=cascade)
        order = np.argsort(found["rank"].to_numpy())
        assert order.tolist() == expected.positions.tolist()
        assert found["fused"].to_numpy()[order].tolist() == expected.fused.tolist()
        assert ("scored_by" in found.schema.names) == (cascade is None)
        if cascade is None:
            assert found["scored_by"].to_numpy()[order].tolist() == expected.scored_by
            assert set(expected.scored_by) == {"full", "student"}
    with pytest.raises(InputError, match="cascade: the artifact has no student"):
        Predictor(artifact, PredictOptions(**by, cascade=True))


def test_new_ids_are_counted(artifact):
    table = table_of(requests_of(artifact, (10, 10)))
    user = table.schema.get_field_index("user")
    table = table.set_column(user, "user", pa.array([999] * 10 + [None] * 10, pa.int64()))
    predictor = Predictor(artifact, PredictOptions(engine="onnxruntime"))
    (block,) = predictor.blocks([chunk(predictor, table)])
    ids = predictor.predict(block, predictor.schema({})).ids
    assert ids["user"] == (10, 10)
    assert ids["item"] == (20, 0)


def chunk(predictor, table):
    from ranker.prediction.predictor import chunk_of

    return chunk_of(table, predictor.columns, (), "table")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"length": ["long"] * 6}, "table, row 0, column 'length': 'long' is not"),
        ({"length": [1.0] * 4 + [float("inf"), 1.0]}, "table, row 4, column 'length': inf is not"),
        ({"item": [{"a": 1}] * 6}, "table: column 'item' is of type struct"),
        ({"length": None}, "table has no column 'length'"),
        ({"age": [1.0, 1.0, 1.0, 2.0, 2.0, 3.0]}, "table, row 5: context feature 'age' has another value than in the"),
        ({"list": ["a", "a", "b", "b", "a", "a"]}, "table, row 4: the list of list 'a' began before"),
    ],
)
def test_bad_input_names_row_and_value(artifact, change, told):
    table = table_of(requests_of(artifact, (3, 3)), ["a", "b"])
    for name, values in change.items():
        table = table.drop_columns(name)
        table = table if values is None else table.append_column(name, pa.array(values))
    with pytest.raises(DataError, match=told):
        Predictor(artifact, PredictOptions(rank_by=("list",), engine="onnxruntime"))(table)


def test_options_of_the_artifact_are_checked_at_once(artifact):
    with pytest.raises(FusionError, match="no fusion is named 'best'"):
        Predictor(artifact, PredictOptions(fusion="best", engine="onnxruntime"))
    with pytest.raises(ValueError, match="keep: 'score_click' is the name of a column that is computed"):
        Predictor(artifact, PredictOptions(keep=("score_click",), engine="onnxruntime"))


def test_its_arguments_can_be_sent_to_a_worker(artifact):
    arguments = pickle.loads(pickle.dumps((artifact.folder, PredictOptions(engine="onnxruntime"))))
    table = table_of(requests_of(artifact, (4,)))
    assert Predictor(*arguments)(table).num_rows == 4
    assert Predictor(*arguments)(table.slice(0, 0)).num_rows == 0
