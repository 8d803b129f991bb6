import json
from pathlib import Path

import numpy as np
import orjson
import pytest

from tests.training.conftest import CONFIG
from tests.training.reports.browser import dom
from training.config.experiment import ConfigError, Experiment
from training.data.batches import EncodedWriter
from training.reports.pareto import pair_records, to_html
from training.sweeps import TrialResult
from training.sweeps.pareto import choice, expand
from training.sweeps.pareto.objectives import mean_label_baseline
from training.sweeps.pareto.summary import columns, summarise

BASE = Experiment.model_validate(CONFIG)
CELLS = expand(BASE, 4, 0.8, ["pe_ltr", "static"])
NOTHING = {"tasks": {"click": {"auc": 0.5}, "like": {"auc": 0.5}, "watch_time": {"rmse": 20.0}}}
# click AUC and like AUC by trial; the last one fails. PE-LTR's third is dominated by its second.
VALUES = [(0.7, 0.6), (0.6, 0.8), (0.55, 0.8), (0.5, 0.9), (0.65, 0.7), (0.8, 0.5), (0.6, 0.6)]


def metrics(click, like):
    binary = {"rows": 100, "log_loss": 0.5, "gauc": None}
    return {
        "tasks": {
            "click": {**binary, "auc": click, "auc_interval": [click - 0.02, click + 0.02]},
            "like": {**binary, "auc": like, "auc_interval": [None, None]},
            "watch_time": {"rows": 100, "rmse": 10.0, "mae": 1.0},
        }
    }


def done():
    whole = [{"validation": metrics(*v), "metrics": metrics(v[0] - 0.1, v[1] - 0.1)} for v in VALUES]
    results = [*whole, {"error": "it broke"}]
    return [TrialResult(trial, Path(), Path(), result) for trial, result in zip(CELLS, results, strict=True)]


def summary(rule="least_misery", prefer=None, tested=NOTHING):
    asked = choice(BASE, "click.auc,like.auc", rule, prefer)
    return asked, summarise(asked, done(), NOTHING, tested)


def test_front_pick_and_errors():
    _, found = summary()
    standings = [model.standing for model in found.models]
    # On the front click spans .5 to .8 and like .5 to .9: worst values .25, .33, 0, .5 of the static one with .65, .7.
    assert standings == [
        "on the front",
        "on the front",
        "dominated",
        "on the front",
        "picked",
        "on the front",
        "dominated",
    ]
    assert found.models[found.picked].validation == pytest.approx({"click.auc": 0.65, "like.auc": 0.7})
    assert found.models[found.picked].intervals == pytest.approx({"click.auc": 0.02})
    assert found.errors == [f"{CELLS[7].name}: it broke"]


def test_volumes_by_method_and_of_all_on_validation_and_test():
    _, found = summary()
    # Above (.5, .5). PE-LTR: .1 wide and .3 high, then .1 more at .1; static: .15 at .2.
    # All: .1 at .3, .05 at .2, .05 at .1.
    expected = {"pe_ltr": 0.03 + 0.01, "static": 0.03, "all": 0.03 + 0.01 + 0.005}
    assert found.hypervolume == pytest.approx(expected)
    # On the test rows every value is .1 less; the front stays that of the validation rows. (.5, .7) adds nothing.
    assert found.hypervolume_test == pytest.approx({"pe_ltr": 0.0, "static": 0.05 * 0.1, "all": 0.05 * 0.1})


def test_an_undefined_metric_is_named():
    asked = choice(BASE, "click.auc,like.gauc", None, None)
    with pytest.raises(ConfigError, match=r"like\.gauc is undefined on these rows"):
        summarise(asked, done(), NOTHING, tested=None)


def test_the_table_has_the_pick_first_and_the_dominated_last():
    asked, found = summary()
    heads, lines = columns(found, asked.objectives)
    assert heads == ["", "click AUC", "like AUC", "click AUC, test", "like AUC, test", ""]
    assert lines[0] == [CELLS[4].name, "0.6500", "0.7000", "0.5500", "0.6000", "picked"]
    assert [line[-1] for line in lines[-2:]] == ["dominated", "dominated"]


def test_a_pair_s_line_joins_what_is_best_of_each_method_in_order():
    asked, found = summary()
    records = pair_records(found.models, *asked.objectives)
    assert [record["step"] for record in records] == [2, 1, None, 0, 0, 1, None]


def test_the_page_shows_every_pair_the_pick_and_what_chose_it(tmp_path):
    asked = choice(BASE, None, None, "like=3")
    shown = dom(to_html(BASE, asked, summarise(asked, done(), NOTHING, tested=None)), tmp_path)
    assert shown.count('class="marks"') == 3 + 1  # pairs of three objectives, and all of them
    assert "weighted by click.auc 1, like.auc 3, watch_time.rmse 1" in shown
    assert "--test measures on other rows" in shown
    assert "click AUC 0.5, like AUC 0.5, watch_time RMSE 20" in shown
    assert "it broke" in shown


def test_the_baseline_predicts_the_mean_label(tmp_path):
    writer = EncodedWriter(tmp_path / "rows")
    labels = np.array([[1, 0, 4], [0, 0, 0], [1, 1, 8], [0, 0, 0]], dtype=np.float32)
    known = np.ones_like(labels)
    known[3, 1] = 0
    for rows in (slice(0, 3), slice(3, 4)):
        groups = np.array([1, 1, 1, 2])[rows]
        writer.write({"labels": labels[rows], "known": known[rows], "group": groups})
    base = BASE.measuring(["watch_time.mean@2", "mean_auc"])
    tasks = mean_label_baseline(base, writer.close().chunks())["tasks"]
    assert tasks["click"]["auc"] == tasks["like"]["auc"] == 0.5
    assert tasks["click"]["log_loss"] == pytest.approx(np.log(2))
    third = -np.log(1 / 3) / 3 - 2 * np.log(2 / 3) / 3  # one like among three known
    assert tasks["like"]["log_loss"] == pytest.approx(third)
    assert tasks["watch_time"]["rmse"] == pytest.approx(np.std([4, 0, 8, 0]))
    assert tasks["watch_time"]["mean@2"] == pytest.approx((4 + 0) / 2)  # all tied: means of 4, 0, 8 and of 0


def test_a_summary_is_plain_data_whatever_the_number_of_objectives():
    asked = choice(BASE, None, None, None)
    found = summarise(asked, done(), NOTHING, NOTHING)
    # PE-LTR's .04 and static's .03 of the two AUCs, 10 seconds deep.
    assert found.hypervolume == pytest.approx({"pe_ltr": 0.4, "static": 0.3, "all": 0.45})
    assert json.loads(orjson.dumps(found.to_dict()))["hypervolume"] == found.hypervolume
