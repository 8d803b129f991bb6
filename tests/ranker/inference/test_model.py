"""Scores and rankings in process equal those of the service, whatever table they come in."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import ranker
from ranker.artifact import ArtifactError
from ranker.artifact import load as load_artifact
from ranker.engines import ON_CPU, MergingOnnxRuntime, OnnxRuntime
from ranker.fusion import FusionError
from ranker.inference import InputError, Model
from serving.ranking.ranker import Ranker
from tests.artifacts import shop_log, written
from tests.serving.asking import answered


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return written(tmp_path_factory.mktemp("inference"), **shop_log()).folder.parent


@pytest.fixture(scope="module")
def model(folder) -> Model:
    return ranker.load(folder, engine="onnxruntime")


@pytest.fixture(scope="module")
def golden(model):
    return model.artifact.golden[0]


def test_scores_are_those_of_the_golden_requests(model):
    for golden in model.artifact.golden:
        scores = model.score(golden.context, golden.candidates)
        assert list(scores) == model.tasks
        for task, expected in golden.scores.items():
            np.testing.assert_allclose(scores[task], expected, atol=1e-5)


@pytest.mark.parametrize(
    "convert",
    [pd.DataFrame, pa.table, lambda c: pa.RecordBatch.from_pydict(c), lambda c: {n: pa.array(v) for n, v in c.items()}],
    ids=["DataFrame", "Arrow table", "record batch", "Arrow arrays"],
)
def test_every_kind_of_table_gives_the_same_scores(model, golden, convert):
    context = convert({name: [value] for name, value in golden.context.items()})
    expected = model.score(golden.context, golden.candidates)
    of_table = model.score(context if not isinstance(context, dict) else golden.context, convert(golden.candidates))
    for task in expected:
        np.testing.assert_array_equal(of_table[task], expected[task])


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"top_k": 3, "explain": True},
        {"explain": 2, "fusion": {"name": "additive", "parameters": {"share": {"click": 0.0}}}},
    ],
)
def test_the_ranking_equals_the_services(folder, model, golden, asked):
    artifact = load_artifact(folder)
    service = Ranker(artifact, OnnxRuntime(artifact.model_path), max_candidates=100)
    answer = json.loads(answered(service, {"context": golden.context, "candidates": golden.candidates, **asked}))
    ranking = model.rank(golden.context, golden.candidates, **asked)
    assert ranking.ids == answer["ids"]
    assert ranking.ids == [golden.candidates["sku"][place] for place in ranking.positions]
    assert json.loads(json.dumps(ranking.fusion)) == answer["fusion"]
    np.testing.assert_allclose(ranking.fused, answer["fused"], rtol=1e-6)
    for task in model.tasks:
        np.testing.assert_allclose(ranking.scores[task], answer["scores"][task], rtol=1e-6)
    if "explain" in asked:
        for task in model.tasks:
            expected = answer["explanations"]["contributions"][task]
            np.testing.assert_allclose(ranking.explanations.contributions[task], expected, rtol=1e-6)
        assert {n: v.tolist() for n, v in ranking.explanations.rules.items()} == answer["explanations"]["rules"]


def test_the_frame_of_a_ranking_has_one_row_per_candidate(model, golden):
    frame = model.rank(golden.context, golden.candidates, top_k=4, explain=2).to_frame()
    assert len(frame) == 4
    assert list(frame.columns[:3]) == ["id", "position", "fused"]
    assert frame["fused"].is_monotonic_decreasing
    assert frame["click.contribution"].notna().tolist() == [True, True, False, False]


def test_no_candidates_give_an_empty_ranking(model, golden):
    ranking = model.rank(golden.context, {name: [] for name in golden.candidates})
    assert len(ranking) == 0
    assert {len(values) for values in ranking.scores.values()} == {0}


def test_columns_that_the_model_does_not_read_are_ignored(model, golden):
    more = {**golden.candidates, "colour": ["red"] * len(golden.candidates["sku"])}
    expected = model.score(golden.context, golden.candidates)
    np.testing.assert_array_equal(model.score({**golden.context, "x": 1}, more)["click"], expected["click"])


def test_invalid_inputs_are_reported_with_column_row_and_value(model, golden):
    candidates = {name: list(values) for name, values in golden.candidates.items()}
    with pytest.raises(InputError, match=r"candidates: has no column 'length'; did you mean 'lenght'"):
        model.score(golden.context, {("lenght" if n == "length" else n): v for n, v in candidates.items()})
    with pytest.raises(InputError, match=r"candidates.length, row 2: must be .*number.*, got 'long'"):
        model.score(golden.context, {**candidates, "length": [1.0, 2.0, "long", *candidates["length"][3:]]})
    with pytest.raises(InputError, match=r"candidates.length: has 1 values, but .* has \d+"):
        model.score(golden.context, {**candidates, "length": [1.0]})
    with pytest.raises(InputError, match=r"context: has no column"):
        model.score({}, candidates)
    with pytest.raises(InputError, match=r"context: must have one row, got 2"):
        model.score(pd.DataFrame({name: [value, value] for name, value in golden.context.items()}), candidates)
    with pytest.raises(InputError, match=r"candidates: must be a DataFrame, an Arrow table or a dict .* got list"):
        model.score(golden.context, [1, 2])
    with pytest.raises(InputError, match=r"candidates.length: must be a list, .* got int"):
        model.score(golden.context, {**candidates, "length": 3})
    twice = pd.concat([pd.DataFrame(candidates), pd.DataFrame(candidates)[["sku"]]], axis=1)
    with pytest.raises(InputError, match=r"candidates: has column 'sku' more than once"):
        model.score(golden.context, twice)


@pytest.mark.parametrize("wrong", [{"top_k": 0}, {"top_k": True}, {"explain": -1}, {"explain": 1.5}])
def test_a_count_must_be_a_positive_whole_number(model, golden, wrong):
    with pytest.raises(InputError, match=f"{next(iter(wrong))}: must be a whole number of at least 1"):
        model.rank(golden.context, golden.candidates, **wrong)


@pytest.mark.parametrize(
    ("fusion", "told"),
    [
        ("aditive", "no fusion is named 'aditive'; did you mean 'additive'"),
        ({"nme": "additive"}, "fusion: unknown key 'nme'; did you mean 'name'"),
        ({"name": "additive", "parameters": {"shares": 1.0}}, "share"),
        (3, "must be a name or a dict"),
    ],
)
def test_a_wrong_fusion_is_reported(model, golden, fusion, told):
    with pytest.raises(FusionError, match=told):
        model.rank(golden.context, golden.candidates, fusion=fusion)


def test_loading_and_ranking_import_neither_tensorflow_nor_pandas(folder, golden):
    code = (
        "import json, sys, ranker; model = ranker.load(sys.argv[1], engine='onnxruntime');"
        "asked = json.loads(sys.stdin.read()); ranking = model.rank(asked['context'], asked['candidates'], top_k=2);"
        "print(len(ranking), sorted({'tensorflow', 'pandas', 'pyarrow'} & set(sys.modules)))"
    )
    asked = json.dumps({"context": golden.context, "candidates": golden.candidates})
    ended = subprocess.run(
        [sys.executable, "-c", code, folder], input=asked, capture_output=True, text=True, timeout=120
    )
    assert ended.stdout == "2 []\n", ended.stderr


def test_runs_padded_to_fixed_sizes_reproduce_the_golden_requests(model, golden):
    artifact = model.artifact
    fixed = MergingOnnxRuntime(artifact.model_path, ON_CPU, fixed=True, sizes=(16, 64))
    assert (fixed.sizes, fixed.uncaptured) == ((16, 64), "")
    expected = Model(artifact, MergingOnnxRuntime(artifact.model_path, ON_CPU)).rank(golden.context, golden.candidates)
    found = Model(artifact, fixed).rank(golden.context, golden.candidates)
    assert found.ids == expected.ids
    np.testing.assert_allclose(found.fused, expected.fused, atol=1e-6)


def test_requests_scored_together_are_replayed_too(artifact):
    class Mixed(MergingOnnxRuntime):
        def score(self, packed):
            return super().score_many([packed])[0]

        def score_many(self, requests):
            return [scores + 0.1 for scores in super().score_many(requests)]

    Model(artifact, MergingOnnxRuntime(artifact.model_path, ON_CPU))
    with pytest.raises(ArtifactError, match=r"golden request 0, scored with the others, task 'click': scores differ"):
        Model(artifact, Mixed(artifact.model_path, ON_CPU))
