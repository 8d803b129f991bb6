"""The exploration section of a report, on a sample made by hand."""

import numpy as np
import pytest

from ranker.fusion import FusionOptions, StoredFusion, plan_for
from ranker.metrics import ndcg
from ranker.schema import Schema
from training.evaluation.evaluate import Predictions
from training.export.report_data import ReportData
from training.reports import Page
from training.reports.artifact.exploration import CONFIGURED, WITHOUT, add_exploration, settings

SCHEMA = Schema.model_validate(
    {"candidate": {"genre": {"kind": "categorical"}}, "tasks": {"click": {"kind": "binary"}, "buy": {"kind": "binary"}}}
)
LISTS, EACH = 60, 15


@pytest.fixture(scope="module")
def data():
    random = np.random.default_rng(0)
    rows = LISTS * EACH
    scores = random.random((rows, 2))
    labels = (random.random((rows, 2)) < scores).astype(float)
    return ReportData(
        rows=Predictions(scores, labels, np.ones((rows, 2), bool), np.arange(rows) // EACH),
        grouped_by="request_id",
        features={"genre": random.choice(["a", "b"], rows).tolist()},
        shown=[],
        columns={},
        history=[],
        best_epoch=0,
        curves={},
    )


def plans(**fusions):
    return {
        name: plan_for(SCHEMA, StoredFusion(options=FusionOptions.model_validate(options)))
        for name, options in fusions.items()
    }


def test_more_exploration_costs_more_and_moves_more(data):
    made = plans(default={"explore": {"kind": "plackett_luce", "temperature": 0.2}}, plain={})
    found = settings(SCHEMA, made, data)
    assert [one.name for one in found] == [WITHOUT, CONFIGURED, *(f"temperature = {t}" for t in (0.05, 0.1, 0.4, 0.8))]
    assert {one.fusion for one in found} == {"default"}
    without, configured, least, _, _, most = found
    keys = made["default"].rank(data.candidates(made["default"])).sort_keys()
    for i, task in enumerate(SCHEMA.tasks):
        assert without.ndcg[task] == pytest.approx(ndcg(data.rows.labels[:, i], keys, data.rows.groups, 10).value)
        assert without.ndcg[task] > configured.ndcg[task] > most.ndcg[task]
    assert (without.moved, without.move, without.rare, without.unchanged) == (0, 0, 1, 1)
    assert 0 < least.moved < configured.moved < most.moved
    assert 0 < least.move < configured.move < most.move
    assert 1 > least.unchanged > configured.unchanged > most.unchanged > 0


def test_numbers_by_hand(data):
    explore = {"kind": "swap", "probability": 0.5, "first": 10}
    _, configured, *_ = settings(SCHEMA, plans(default={"explore": explore}), data)
    assert configured.rare == 0.5
    assert configured.unchanged == pytest.approx(0.5**10)
    assert 0.5 < configured.moved < 0.8
    assert configured.move == configured.moved  # neighbours swap
    names = [one.name for one in settings(SCHEMA, plans(default={"explore": explore}), data)]
    assert names[2:] == ["probability = 0.125", "probability = 0.25", "probability = 1"]


def test_floors_and_re_ranking_come_before(data):
    rules = {"quality": {"kind": "floor", "least": {"click": 0.9}, "below": "drop"}}
    rerank = {"one": {"kind": "mmr", "of": "genre", "lambda": 0.2}}
    fusion = {"rules": rules, "rerank": rerank, "explore": {"kind": "epsilon", "epsilon": 1.0}}
    without, configured, *_ = settings(SCHEMA, plans(default=fusion), data)
    assert configured.moved > 0
    assert without.ndcg["click"] >= 0


def test_the_section_is_there_if_a_fusion_explores(data):
    page = Page("x")
    add_exploration(page, SCHEMA, plans(default={"explore": {"kind": "epsilon", "epsilon": 0.2}}), data)
    html = page.html()
    assert "Exploration" in html
    assert "epsilon = 0.1" in html
    empty = Page("x")
    add_exploration(empty, SCHEMA, plans(default={}), data)
    assert "Exploration" not in empty.html()
