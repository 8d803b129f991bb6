"""Rankings in two stages, in process and in the service's formats."""

import io
import json

import numpy as np
import pyarrow as pa
import pytest

from ranker.artifact import ArtifactError, with_fusions
from ranker.engines import EngineOptions, OnnxRuntime, engine_of
from ranker.fusion import Candidates
from ranker.inference import InputError, Model
from ranker.inference.cascade import kept, student_engine
from serving.protocol.errors import RequestError
from serving.protocol.formats import Exchange
from serving.protocol.formats.arrow import ARROW
from serving.protocol.formats.base import BY_ROW
from serving.ranking.ranker import Ranker
from serving.ranking.request_trace import STAGES, RequestTrace
from tests.artifacts import plain, with_noisy_student, written
from tests.ranker.conftest import columns_of
from tests.serving.asking import answered

N = 200
FUSION = {
    "parameters": {"share": {"buy": 2.0}},
    "rules": {
        "least": {"kind": "floor", "least": {"click": 0.72}, "below": "last"},
        "never": {"kind": "floor", "least": {"buy": 0.76}, "below": "drop"},
        "long": {"kind": "boost", "where": "length > 60", "add": 0.2},
    },
}
RANKS = {"options": {"name": "additive", "normalisation": "rank"}, "state": {}}


@pytest.fixture(scope="module")
def artifact(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cascade")
    return with_noisy_student(written(folder / "full", fusion=FUSION, ranks=RANKS), folder / "both")


def loaded(artifact, **changes) -> Model:
    return Model(artifact, OnnxRuntime(artifact.model_path), student=OnnxRuntime(artifact.student_path), **changes)


@pytest.fixture(scope="module")
def model(artifact) -> Model:
    return loaded(artifact)


@pytest.fixture(scope="module")
def request_(artifact):
    columns = columns_of(N, seed=7)
    columns["item"] = np.arange(N)
    names = {side: list(dict.fromkeys(map(artifact.schema.column, getattr(artifact.schema, side))))
             for side in ("context", "candidate")}  # fmt: skip
    context = {name: values[0] for name, values in plain(columns, names["context"], [0]).items()}
    return {"context": context, "candidates": plain(columns, names["candidate"], range(N))}


def test_how_many_are_kept():
    assert kept(1000, 0.25) == 250
    assert kept(1001, 0.25) == 251
    assert kept(100, 0.25) == 50
    assert kept(40, 0.25) == 40
    assert kept(1000, 0.01, top_k=100) == 400
    assert kept(300, 0.01, top_k=100) == 300


def test_the_students_best_are_ranked_by_the_full_model_and_the_rest_follow(model, request_):
    full, both = model.rank(**request_, cascade=False), model.rank(**request_)
    assert full.scored_by is None
    count = both.scored_by.count("full")
    assert count == 50 - int(np.isin(both.positions, full.positions, invert=True).sum())
    scores = model.cascade.engine.score(model.artifact.encoder.encode(
        {name: [value] for name, value in request_["context"].items()}, request_["candidates"]
    ))  # fmt: skip
    plan = model.artifact.fusion
    by_student = plan.rank(Candidates.of(plan.objectives, scores, features={
        "length": np.array(request_["candidates"]["length"])
    }))  # fmt: skip
    best = by_student.order(50)
    by_full = np.array(both.scored_by) == "full"
    assert set(both.positions[by_full]) <= set(best)
    # Kept candidates have the full model's scores, in its order; tiers of the floor are around those of the cascade.
    places = {position: place for place, position in enumerate(full.positions.tolist())}
    order = [places[position] for position in both.positions[by_full].tolist()]
    assert order == sorted(order)
    np.testing.assert_array_equal(both.fused[by_full], full.fused[order])
    for task in model.tasks:
        np.testing.assert_array_equal(both.scores[task][by_full], full.scores[task][order])
    low = both.scores["click"] < np.float32(0.72)
    assert 0 < low.sum() < len(low)
    tiers = 2 * low + ~by_full
    assert tiers.tolist() == sorted(tiers.tolist())
    for tier in range(4):
        assert (np.diff(both.fused[tiers == tier]) <= 0).all()
    rest = both.positions[~by_full & ~low].tolist()
    after = [position for position in by_student.order().tolist() if position in rest]
    assert rest == after


def test_a_share_of_one_or_a_small_request_is_the_full_ranking(model, request_):
    full = model.rank(**request_, cascade=False, top_k=20)
    for asked in ({"cascade": 1.0}, {"cascade": 0.1, "top_k": 50}):
        again = model.rank(**{**request_, "top_k": 20, **asked})
        assert again.scored_by is None
        np.testing.assert_array_equal(again.fused[:20], full.fused)
    few = {name: values[:50] for name, values in request_["candidates"].items()}
    assert model.rank(request_["context"], few, cascade=True).scored_by is None
    assert model.rank(**request_, cascade=True).to_frame()["scored_by"].tolist()[0] == "full"


def test_ranks_within_the_request_are_over_all_candidates(model, request_):
    both = model.rank(**request_, fusion="ranks", cascade=0.25)
    full = model.rank(**request_, fusion="ranks", cascade=False)
    by_full = np.array(both.scored_by) == "full"
    fused = dict(zip(full.positions.tolist(), full.fused.tolist(), strict=True))
    expected = [fused[position] for position in both.positions[by_full].tolist()]
    np.testing.assert_allclose(both.fused[by_full], expected, atol=0.3)
    alone = model.artifact.fusions["ranks"].rank(
        Candidates.of(tuple(model.tasks), np.stack([both.scores[task][by_full] for task in model.tasks], axis=1))
    )
    assert np.abs(alone.fused - expected).max() > 0.5


@pytest.fixture(scope="module")
def service(artifact):
    options = EngineOptions(threads=1)
    full = engine_of("onnxruntime", artifact.model_path, options)
    student = student_engine(artifact, "onnxruntime", options)
    return Ranker(artifact, full, max_candidates=N, student=student)


def test_the_service_ranks_as_the_model_in_every_format(service, model, request_):
    trace = RequestTrace()
    answer = json.loads(answered(service, {**request_, "explain": 3, "top_k": 12}, trace))
    expected = model.rank(**request_, explain=3, top_k=12)
    assert tuple(trace.seconds) == STAGES[2:]
    assert (trace.by_full, trace.scores.shape) == (50, (N, 3))
    assert answer["cascade"] == {"keep": 0.25, "full": 50, "student": 150}
    assert answer["ids"] == expected.ids
    assert answer["scored_by"] == expected.scored_by == ["full"] * 12
    np.testing.assert_allclose(answer["fused"], expected.fused, rtol=1e-6)
    assert [answer["explanations"]["rank_without"][task][0] > 0 for task in model.tasks] == [True] * 3
    rows = json.loads(answered(service, request_, exchange=Exchange(writes=BY_ROW)))
    whole = model.rank(**request_)
    assert rows["cascade"] == answer["cascade"]
    assert [row["id"] for row in rows["candidates"]] == whole.ids
    assert [row["scored_by"] for row in rows["candidates"]] == whole.scored_by
    stream = pa.ipc.open_stream(io.BytesIO(answered(service, request_, exchange=Exchange(writes=ARROW)))).read_all()
    assert stream["scored_by"].to_pylist() == whole.scored_by
    assert service.cascade()["default"] is True


def test_without_a_cascade_answers_are_as_before(service, artifact, request_):
    plainly = Ranker(artifact, OnnxRuntime(artifact.model_path), max_candidates=N)
    expected = answered(plainly, request_)
    assert answered(service, {**request_, "cascade": False}) == expected
    assert b"scored_by" not in expected
    assert b"cascade" not in expected
    assert plainly.cascade() is None
    for asked in (True, {"keep": 0.5}):
        with pytest.raises(RequestError) as error:
            answered(plainly, {**request_, "cascade": asked})
        (problem,) = error.value.problems
        assert problem["field"] == "cascade"
        assert "the artifact has no student" in problem["reason"]


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (0.25, "must be true, false, or an object with the share to keep"),
        ({"kep": 0.25}, "may hold only keep, not kep"),
        ({"keep": 0}, "keep must be a number above 0 and at most 1"),
        ({"keep": True}, "keep must be a number above 0 and at most 1"),
        ({"keep": "much"}, "keep must be a number above 0 and at most 1"),
    ],
)
def test_a_bad_choice_is_named(service, request_, asked, reason):
    with pytest.raises(RequestError) as error:
        answered(service, {**request_, "cascade": asked})
    assert [problem["field"] for problem in error.value.problems] == ["cascade"]
    assert reason in error.value.problems[0]["reason"]


def test_the_setting_says_who_gets_two_stages(artifact, request_):
    engine, student = OnnxRuntime(artifact.model_path), OnnxRuntime(artifact.student_path)
    asking = Ranker(artifact, engine, max_candidates=N, student=student, cascade="request")
    assert b"scored_by" not in answered(asking, request_)
    assert json.loads(answered(asking, {**request_, "cascade": {"keep": 0.5}}))["cascade"]["full"] == 100
    assert asking.cascade()["default"] is False
    off = Ranker(artifact, engine, max_candidates=N, cascade="off")
    with pytest.raises(RequestError) as error:
        answered(off, {**request_, "cascade": True})
    assert "switched off by the service" in error.value.problems[0]["reason"]
    assert b"scored_by" not in answered(off, {**request_, "cascade": False})


def test_rankings_that_do_not_agree_are_only_for_who_asks(tmp_path, artifact, request_):
    doubtful = with_noisy_student(written(tmp_path / "full"), tmp_path / "both", ndcg=0.9)
    model = loaded(doubtful)
    assert "is 0.90000, below 0.999" in model.cascade.doubt()
    assert model.rank(**request_).scored_by is None
    assert model.rank(**request_, cascade=True).scored_by is not None
    changed = with_fusions(
        artifact, {**artifact.fusions, "default": artifact.fusion.replaced({"share": 3.0})}, {}, tmp_path / "changed"
    )
    assert "was not measured with this fusion 'default'" in changed.student_doubt()
    assert changed.student_doubt("ranks") is None
    for wrong in (2, 0.0, "much", float("nan")):
        with pytest.raises(InputError, match=rf"cascade: must be a share above 0 and at most 1, got {wrong!r}"):
            model.rank(**request_, cascade=wrong)
    with pytest.raises(InputError, match=r"cascade: the artifact has no student .* `ranker-train distill`"):
        Model(doubtful, OnnxRuntime(doubtful.model_path)).rank(**request_, cascade=True)


def test_a_student_that_scores_otherwise_is_refused(tmp_path):
    artifact = with_noisy_student(written(tmp_path / "full"), tmp_path / "both", change_scores=1e-3)
    with pytest.raises(ArtifactError, match=r"task 'click': the student's scores differ by 1\.00e-03"):
        loaded(artifact)


def test_values_beyond_the_student_are_left_to_the_full_model(model, request_, monkeypatch):
    full = model.rank(**request_, cascade=False)
    scores = np.full((N, 3), np.nan, dtype=np.float32)
    monkeypatch.setattr(model.cascade.engine, "score", lambda _: scores)
    left = model.rank(**request_)
    assert left.scored_by is None
    np.testing.assert_array_equal(left.positions, full.positions)
