"""NDCG and overlap of rankings, from numbers that can be calculated by hand."""

import numpy as np
import pytest

from ranker.artifact import ArtifactError, load, new_version, seal
from ranker.engines import OnnxRuntime
from ranker.fusion.plan import Ranked
from ranker.inference.agreement import measure, ndcg, overlap
from ranker.inference.sample import SAMPLE, read_sample, write_sample
from tests.artifacts import shop_log, written


def ranked(fused, last=(), dropped=()) -> Ranked:
    fused = np.array(fused, dtype=float)
    masks = [np.isin(np.arange(len(fused)), places) for places in (last, dropped)]
    return Ranked(np.zeros((len(fused), 1)), fused, *masks, {})


def test_ndcg_has_shifted_fused_scores_as_gains():
    right, swapped = ranked([-1.0, -2.0, -4.0]), ranked([-2.0, -1.0, -4.0])
    gains = np.array([3.0, 2.0, 0.0])
    discounts = 1 / np.log2([2, 3, 4])
    expected = (gains[[1, 0, 2]] @ discounts) / (gains @ discounts)
    assert ndcg(right, swapped) == pytest.approx(expected, rel=1e-12)
    assert ndcg(ranked([80.0, 70.0, 50.0]), swapped) == pytest.approx(expected, rel=1e-12)  # of any unit and origin
    assert ndcg(right, swapped, k=1) == pytest.approx(2 / 3)
    assert ndcg(right, right) == overlap(right, right) == 1.0
    assert overlap(right, swapped, k=1) == 0.0
    assert overlap(right, swapped, k=2) == 1.0


def test_ndcg_where_no_order_is_better_and_where_fused_scores_are_infinite():
    assert ndcg(ranked([2.0, 2.0]), ranked([1.0, 5.0])) == 1.0
    assert ndcg(ranked([]), ranked([])) == overlap(ranked([]), ranked([])) == 1.0
    assert ndcg(ranked([np.inf, 1.0, 0.0]), ranked([np.inf, 1.0, 0.0])) == 1.0
    assert ndcg(ranked([-np.inf, 1.0]), ranked([2.0, 1.0]), k=1) == 1.0  # one finite score: all gains are 0


def test_candidates_that_rules_drop_or_rank_last_have_no_gain():
    right = ranked([9.0, 3.0, 2.0, 1.0], last=[0], dropped=[1])
    assert right.order().tolist() == [2, 3, 0]
    kept = ranked([9.0, 3.0, 2.0, 1.0], last=[0])  # the other keeps what the reference drops: it takes the first place
    discounts = 1 / np.log2([2, 3])
    assert ndcg(right, kept) == pytest.approx(discounts[1] / discounts[0])
    assert overlap(right, kept, k=2) == 0.5


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
