"""Agreement of scores, and of the rankings made of them, with the exact ones."""

import numpy as np
import pytest

from ranker.artifact import ArtifactError, load, new_version, seal
from ranker.engines import OnnxRuntime
from ranker.fusion import Candidates, FusionOptions, Requests, StoredFusion, plan_for
from ranker.inference.agreement import Agreement, agreement, measure
from ranker.inference.sample import SAMPLE, read_sample, write_sample
from tests.artifacts import shop_log, written
from tests.ranker.conftest import schema_of


@pytest.fixture(scope="module")
def plan():
    return plan_for(schema_of(), StoredFusion(options=FusionOptions(name="additive")))


def exact_of(plan, requests=3, candidates=20):
    scores = np.random.default_rng(0).random((requests * candidates, len(plan.objectives)))
    return Candidates.of(plan.objectives, scores, Requests.of(np.repeat(np.arange(requests), candidates)))


def test_the_same_scores_agree(plan):
    exact = exact_of(plan)
    assert agreement(plan, exact, exact.scores) == Agreement(0.0, 1.0, 1.0, 3)
    equal = Candidates.of(plan.objectives, np.ones((4, len(plan.objectives))))
    assert agreement(plan, equal, equal.scores).ndcg == 1.0


def test_a_reversed_request_is_seen(plan):
    exact = exact_of(plan)
    other = exact.scores.copy()
    other[:20] = -other[:20]
    found = agreement(plan, exact, other)
    assert found.overlap == pytest.approx(2 / 3)  # none of one request's
    assert found.ndcg < 0.9
    assert found.difference > 1
    assert "3 requests" in str(found)


def test_small_errors_cost_little(plan):
    exact = exact_of(plan)
    found = agreement(plan, exact, exact.scores + np.random.default_rng(1).normal(scale=1e-4, size=exact.scores.shape))
    assert 0 < found.difference < 1e-3
    assert 0.999 < found.ndcg <= 1


def test_candidates_that_a_floor_drops_or_ranks_last_are_ranked_as_served():
    """The candidate with the best fused score fails the floor, but not by the other scores."""
    for action in ("drop", "last"):
        rules = {"least": {"kind": "floor", "least": {"buy": 0.1}, "below": action}}
        floored = plan_for(
            schema_of(), StoredFusion(options=FusionOptions.model_validate({"name": "additive", "rules": rules}))
        )
        buy = floored.objectives.index("buy")
        right = np.random.default_rng(0).random((20, len(floored.objectives)))
        right[:, buy] += 0.1
        right[3] = 50.0
        right[3, buy] = 0.05
        other = right.copy()
        other[3, buy] = 0.15
        found = agreement(floored, Candidates.of(floored.objectives, right), other)
        assert found.ndcg < 0.9
        assert found.overlap == pytest.approx(0.9)


class Changed:
    """An engine whose scores are those of ONNX Runtime, changed by a function."""

    name, sizes, precision = "changed", (), "float16"

    def __init__(self, artifact, change) -> None:
        self._engine, self._change = OnnxRuntime(artifact.model_path), change

    def score(self, packed):
        return self._change(self._engine.score(packed))


def test_agreement_is_measured_under_the_fusion_where_it_is_lowest_on_requests_with_features(tmp_path):
    """The default fusion reads a feature; the other one only ranks by ``buy``."""
    artifact = written(
        tmp_path / "plain",
        **shop_log(),
        fusion={
            "name": "expression",
            "options": {"formula": "click + 0.01 * coalesce(length, 3)"},
            "rules": {"special": {"kind": "boost", "where": 'sku == "sku-0003-é" or shelf == 2', "add": 1.0}},
        },
        buys={"options": {"parameters": {"share": {"click": 0.0, "buy": 1.0}}}, "state": {}},
    )
    golden = artifact.golden
    same = measure(artifact, Changed(artifact, lambda scores: scores), golden)
    assert same.difference < 1e-6
    assert (same.ndcg, same.overlap, same.requests) == (1.0, 1.0, 1)

    buy = artifact.manifest.tasks.index("buy")

    def reversed_buy(scores):
        scores[:, buy] = 1 - scores[:, buy]
        return scores

    other = measure(artifact, Changed(artifact, reversed_buy), golden)
    assert other.fusion == "buys"
    assert other.ndcg < 0.9
    assert other.difference > 0.01
    broken = measure(artifact, Changed(artifact, lambda scores: scores * np.nan), golden)
    assert (broken.ndcg, broken.overlap, broken.facts()["difference"]) == (0.0, 0.0, None)
    with pytest.raises(ValueError, match="at least one request"):
        measure(artifact, Changed(artifact, lambda scores: scores), ())


def test_a_sample_is_read_as_requests_and_a_spoilt_one_is_named(artifact, tmp_path):
    assert read_sample(artifact) == ()  # as exported before
    golden = artifact.golden[0]
    scores = {task: np.array(values, np.float32) for task, values in golden.scores.items()}

    def sampled(change):
        with new_version(tmp_path) as folder:
            for name in artifact.manifest.files:
                (folder / name).write_bytes((artifact.folder / name).read_bytes())
            write_sample(folder, [golden.context], golden.candidates, [scores])
            change(folder / SAMPLE)
            seal(folder, tmp_path, artifact.manifest.model_dump(mode="json", by_alias=True))
        return load(tmp_path)

    (request,) = read_sample(sampled(lambda file: file))
    assert (request.context, request.candidates) == (golden.context, golden.candidates)
    for task, values in golden.scores.items():
        np.testing.assert_array_equal(np.float32(request.scores[task]), np.float32(values))
    for change in (lambda f: f.write_bytes(f.read_bytes()[:50]), lambda f: f.write_bytes(b"none")):
        with pytest.raises(ArtifactError, match=r"sample\.json\.gz: cannot be read"):
            read_sample(sampled(change))
