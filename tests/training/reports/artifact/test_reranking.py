"""The re-ranking section of a report, on a sample made by hand."""

import numpy as np
import pytest

from ranker.fusion import FusionOptions, StoredFusion, plan_for
from ranker.metrics import ndcg
from ranker.schema import Schema
from training.evaluation.evaluate import Predictions
from training.export.report_data import ReportData
from training.reports import Page
from training.reports.artifact.reranking import BEFORE, CONFIGURED, add_reranking, settings

SCHEMA = Schema.model_validate(
    {
        "candidate": {
            "genre": {"kind": "categorical"},
            "tags": {"kind": "multi"},
            "is_new": {"kind": "numeric"},
        },
        "tasks": {"click": {"kind": "binary"}, "buy": {"kind": "binary"}},
    }
)
RERANK = {
    "diverse": {"kind": "mmr", "of": "genre", "lambda": 0.5},
    "tags": {"kind": "spread", "of": "genre", "window": 3, "first": 12},
    "new": {"kind": "quota", "where": "is_new == 1", "at_least": 1, "of_first": 3},
}
LISTS, EACH = 12, 15


@pytest.fixture(scope="module")
def data():
    random = np.random.default_rng(0)
    rows = LISTS * EACH
    scores = random.random((rows, 2))
    return ReportData(
        rows=Predictions(
            scores, (random.random((rows, 2)) < scores).astype(float), np.ones((rows, 2), bool), np.arange(rows) // EACH
        ),
        grouped_by="request_id",
        features={
            "genre": random.choice(["a", "b", "c"], rows).tolist(),
            "tags": random.choice(["x", "y", "z"], (rows, 8)).tolist(),
            "is_new": (random.random(rows) < 0.1).astype(float).tolist(),
        },
        shown=[],
        columns={},
        history=[],
        best_epoch=0,
        curves={},
    )


def plans(**fusions):
    return {
        name: plan_for(SCHEMA, StoredFusion(options=FusionOptions.model_validate({"rerank": steps})))
        for name, steps in fusions.items()
    }


def test_every_setting_is_measured_as_it_ranks(data):
    made = plans(default=RERANK, plain={})
    found = settings(SCHEMA, made, data)
    assert [one.name for one in found][:3] == [BEFORE, CONFIGURED, "diverse.lambda = 0"]
    assert {one.fusion for one in found} == {"default"}
    before, configured, least = found[:3]
    for one, plan in ((before, made["default"].without_reranking), (configured, made["default"])):
        keys = plan.rank(data.candidates(made["default"])).sort_keys()
        for i, task in enumerate(SCHEMA.tasks):
            assert one.ndcg[task] == pytest.approx(ndcg(data.rows.labels[:, i], keys, data.rows.groups, 10).value)
    assert before.distance["genre"] < configured.distance["genre"] <= least.distance["genre"] + 1e-12
    assert before.fused > configured.fused >= least.fused
    assert before.gave_way == {}
    # Three genres in windows of three can be spread in few lists; there is no new candidate in some.
    assert set(configured.gave_way) == {"tags", "new"}


def test_tags_are_read_from_the_sample_as_lists(data):
    (_, configured, *_) = settings(SCHEMA, plans(default={"it": {"kind": "dpp", "of": "tags", "theta": 0.2}}), data)
    assert 0 < configured.distance["tags"] < 1


def test_the_section_is_there_if_a_fusion_re_ranks(data):
    page = Page("x")
    add_reranking(page, SCHEMA, plans(default=RERANK), data)
    html = page.html()
    assert "Re-ranking" in html
    assert "diverse.lambda = 0.25" in html
    empty = Page("x")
    add_reranking(empty, SCHEMA, plans(default={}), data)
    assert "Re-ranking" not in empty.html()
