import pytest

from tests.training.conftest import CONFIG
from training.config.experiment import Experiment
from training.sweeps.compare import expand, parse
from training.sweeps.compare.summary import columns, summarise, to_markdown

CELLS = expand(Experiment.model_validate(CONFIG), [parse("architecture=mmoe,ple")], 2)


def result(auc):
    tasks = {task: {"auc": auc} for task in CELLS[0].experiment.log_schema.tasks}
    return {"metrics": {"tasks": tasks, "mean_auc": auc}, "gates": {"gates": []}}


def rows():
    results = {i: result(auc) for i, auc in enumerate((0.6, 0.7, 0.8))} | {3: {"error": "DataError: none"}}
    return summarise(CELLS, results, {"mmoe": {"serving_ms": 1.25}})


def test_mean_and_deviation_over_seeds_and_errors_named():
    mmoe, ple = rows()
    # trials come seed by seed: mmoe .6 and .8, ple .7 and a failure
    assert (mmoe.name, mmoe.seeds, mmoe.errors) == ("mmoe", 2, ())
    assert mmoe.mean_auc is not None
    assert mmoe.mean_auc.mean == pytest.approx(0.7)
    assert mmoe.mean_auc.deviation == pytest.approx(0.02**0.5)
    assert (ple.seeds, ple.errors) == (1, (f"seed {CELLS[3].seed}: DataError: none",))
    assert str(ple.mean_auc) == "0.7000"


def test_the_table_has_a_line_a_variation_and_dashes_for_what_is_missing():
    heads, lines = columns(rows())
    assert len({len(line) for line in [heads, *lines]}) == 1
    assert lines[0][-1] == "1.25"
    assert lines[1][-1] == "-"
    assert to_markdown(rows()).count("\n") == 4


def test_metrics_within_lists_have_columns_after_the_headline():
    results = {i: result(0.7) for i in range(4)}
    for i, found in results.items():
        found["metrics"]["tasks"]["like"] |= {"ndcg@10": 0.5 + 0.1 * i, "ndcg@10_lists": 9, "ndcg@10_interval": [0, 1]}
        found["metrics"]["tasks"]["like"] |= {"fused(default).gauc": 0.6}
    found = summarise(CELLS, results, {})
    heads, lines = columns(found)
    assert heads[1:6] == ["click", "like", "like NDCG@10", "like fused(default) GAUC", "watch_time"]
    assert [line[3] for line in lines] == ["0.6000 ± 0.1414", "0.7000 ± 0.1414"]
    assert found[0].flat()["like.ndcg@10"] == pytest.approx(0.6)
    assert found[0].flat()["fused(default).gauc(like)"] == 0.6


def test_columns_stand_even_where_the_first_variation_failed():
    results = {0: {"error": "x"}, 1: result(0.7), 2: {"error": "x"}, 3: result(0.8)}
    heads, lines = columns(summarise(CELLS, results, {}))
    assert heads[1] == "click"
    assert lines[0][1] == "-"
    assert lines[1][1].startswith("0.7500")
