"""What `evaluate` measures of the rankings of a log: by own scores and by every stored fusion, within lists."""

import io
import math

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

import ranker
from ranker.artifact import load, with_fusions
from ranker.fusion import FusionOptions, StoredFusion, plan_for
from ranker.log_files.log_reader import DataError
from ranker.metrics import auc
from tests.artifacts import written
from tests.ranker.conftest import columns_of
from training.commands.evaluate import evaluate
from training.config.experiment import ConfigError

LISTS, EACH = 14, 12
CONTEXT = ("user", "city", "age", "history")
FLOORED = {
    "options": {
        "name": "multiplicative",
        "rules": {
            "quality": {"kind": "floor", "least": {"click": 0.5}},
            "long": {"kind": "boost", "where": "length > 40", "multiply": 2.0},
        },
    }
}
RANKED = {
    "options": {"name": "additive", "normalisation": "rank", "parameters": {"share": {"buy": 0.6173, "watch": 0.2339}}}
}


@pytest.fixture(scope="module")
def artifact(tmp_path_factory):
    """An artifact with three fusions and a config."""
    root = tmp_path_factory.mktemp("three-fusions")
    made = written(root, floored=FLOORED, ranked=RANKED)
    config = {
        "data": {"split": {"by": "random", "fraction": 0.5}},
        "schema": made.schema.model_dump(mode="json"),
        "architecture": "shared_bottom",
        "evaluation": {"group_by": "user"},
    }
    return with_fusions(made, made.fusions, config, root)


@pytest.fixture(scope="module")
def log():
    """Lists of candidates of one context each, in mixed order."""
    columns = columns_of(LISTS * EACH, seed=3)
    table = pd.DataFrame({name: list(values) for name, values in columns.items()})
    first = np.repeat(np.arange(LISTS) * EACH, EACH)
    for name in CONTEXT:
        table[name] = table[name].iloc[first].to_numpy()
    table["search"] = [f"s{i}" for i in first]
    table["margin"] = np.random.default_rng(1).normal(size=len(table))
    return table.sample(frac=1, random_state=0).reset_index(drop=True)


def rankings(artifact, log, **asked):
    return evaluate(artifact, log, **{"bootstrap": 0, "progress": False, **asked})["rankings"]


def served(artifact, log, fusion):
    """Rows of each list, best first, as the library ranks them."""
    model = ranker.load(artifact.folder, engine="onnxruntime")
    for _, rows in log.groupby("search"):
        ranking = model.rank(rows.iloc[[0]][list(CONTEXT)], rows.drop(columns=list(CONTEXT)), fusion=fusion)
        yield rows.iloc[ranking.positions]


def ndcg(gains, k):
    def dcg(values):
        return sum(gain / math.log2(2 + rank) for rank, gain in enumerate(values[:k]))

    return dcg(gains) / dcg(sorted(gains, reverse=True))


@pytest.mark.parametrize("fusion", ["default", "floored", "ranked"])
def test_a_fusion_is_measured_as_it_is_served(artifact, log, fusion):
    found = rankings(
        *(artifact, log),
        metrics=[f"fused({fusion}).{name}" for name in ("ndcg@5(rel)", "mrr(click)", "map@4(buy)", "mean@3(margin)")],
        relevance="rel = 5*buy + click",
        list_by="search",
    )
    expected = {"ndcg@5(rel)": [], "mrr(click)": [], "map@4(buy)": [], "mean@3(margin)": []}
    for rows in served(artifact, log, fusion):
        click, buy = rows["click"].to_numpy(), rows["buy"].to_numpy()
        expected["ndcg@5(rel)"].append(ndcg(list(5 * buy + click), 5))
        expected["mrr(click)"].append(1 / (1 + np.flatnonzero(click)[0]))
        down = np.cumsum(buy) / np.arange(1, EACH + 1)
        if buy.any():
            expected["map@4(buy)"].append((down * buy)[:4].sum() / min(4, buy.sum()))
        expected["mean@3(margin)"].append(rows["margin"].to_numpy()[:3].mean())
    assert len(expected["mrr(click)"]) == LISTS == found["lists"]
    for name, values in expected.items():
        measured = found["metrics"][f"fused({fusion}).{name}"]
        assert measured["value"] == pytest.approx(np.mean(values), abs=1e-9)
        assert measured["lists"] == len(values)


def test_own_scores_are_measured_as_in_the_table_of_objectives(artifact, log):
    whole = evaluate(artifact, log, metrics="click.auc, click.gauc, buy.gauc", bootstrap=0, progress=False)
    found = whole["rankings"]
    assert found["list_by"] == ["user"]
    for name in ("click.auc", "click.gauc", "buy.gauc"):
        task, metric = name.split(".")
        assert found["metrics"][name]["value"] == pytest.approx(whole["tasks"][task][metric], abs=1e-12)
    assert found["metrics"]["click.gauc"]["lists"] == whole["tasks"]["click"]["gauc_groups"]


def test_by_default_every_binary_task_for_every_fusion_and_the_own_score(artifact, log):
    screen = io.StringIO()
    found = rankings(
        *(artifact, log),
        fusion="all",
        list_by=["search", "user"],
        bootstrap=20,
        progress=Console(file=screen, width=160),
    )
    rankers = ["", *(f"fused({name})" for name in ("default", "floored", "ranked"))]
    keys = [(ranker, task, key) for ranker in rankers for task in ("click", "buy") for key in ("ndcg@10", "gauc")]
    names = [f"{ranker}.{key}({task})" if ranker else f"{task}.{key}" for ranker, task, key in keys]
    assert set(found["metrics"]) == set(names)
    for measured in found["metrics"].values():
        low, high = measured["interval"]
        assert 0.0 <= low <= measured["value"] <= high <= 1.0
        assert low < high
    shown = screen.getvalue()
    assert f"{LISTS * EACH} rows in {LISTS} lists by search, user" in shown
    assert all(header in shown for header in ("own score", "default", "floored", "ranked", "NDCG@10", "±"))


def test_one_metric_against_a_column_for_each_fusion_named(artifact, log):
    found = rankings(artifact, log, fusion="ranked", metrics="rel.ndcg@5, click.hit@1", relevance={"rel": "watch"})
    assert list(found["metrics"]) == ["click.hit@1", "fused(ranked).ndcg@5(rel)", "fused(ranked).hit@1(click)"]
    by_task = rankings(artifact, log, metrics="click.ndcg@5(rel)", relevance={"rel": "watch"})
    assert list(by_task["metrics"]) == ["click.ndcg@5(rel)"]


def test_the_interval_resamples_lists(artifact, log):
    whole = rankings(artifact, log, metrics="click.auc", list_by="search", bootstrap=1000)["metrics"]["click.auc"]
    model = ranker.load(artifact.folder, engine="onnxruntime")
    parts = [
        (
            rows["click"].to_numpy(),
            model.score(rows.iloc[[0]][list(CONTEXT)], rows.drop(columns=list(CONTEXT)))["click"],
        )
        for _, rows in log.groupby("search")
    ]
    random = np.random.default_rng(5)
    drawn = [[parts[i] for i in random.integers(0, LISTS, LISTS)] for _ in range(1000)]
    values = [auc(*(np.concatenate(side) for side in zip(*parts, strict=True))) for parts in drawn]
    np.testing.assert_allclose(whole["interval"], np.quantile(values, [0.025, 0.975]), atol=0.02)


def test_rows_without_a_list_are_left_out_and_counted(artifact, log):
    some = log["search"].isin(["s0", "s12"])
    holes = log.assign(search=log["search"].where(~some))
    whole = evaluate(artifact, holes, metrics="click.ndcg@5", list_by="search", bootstrap=0, progress=False)
    found = whole["rankings"]
    assert (found["rows"], found["rows_without_list"], found["lists"]) == ((LISTS - 2) * EACH, 2 * EACH, LISTS - 2)
    assert f"rankings: {2 * EACH} rows have no search" in " ".join(whole["cautions"])
    rest = rankings(artifact, log[~some], metrics="click.ndcg@5", list_by="search")
    assert found["metrics"] == rest["metrics"]
    with pytest.raises(DataError, match="--list-by search: every row has a null there"):
        rankings(artifact, log.assign(search=None), metrics="click.ndcg@5", list_by="search")


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ({"fusion": "rankd"}, r"--fusion rankd: the artifact has no such fusion; did you mean 'ranked'"),
        ({"metrics": "rel.ndcg@5"}, r"'rel' is not a task; add --fusion all, or write fused\(default\).ndcg@5\(rel\)"),
        ({"metrics": "clik.auc"}, "no metric 'clik.auc'; did you mean 'click'"),
        ({"relevance": "rel = click"}, "--relevance: measures nothing by itself"),
        ({"fusion": "all", "relevance": "length = buy"}, "'length' is the name of a task or feature"),
        ({"list_by": "search"}, "--list-by: measures nothing by itself"),
        ({"fusion": "all", "relevance": "5*buy"}, "write NAME = FORMULA"),
    ],
)
def test_options_that_cannot_be_meant(artifact, log, asked, problem):
    with pytest.raises(ConfigError, match=problem):
        rankings(artifact, log, **asked)


def test_lists_need_a_column(artifact, log, tmp_path):
    config = {**artifact.manifest.experiment, "evaluation": {}}
    without = with_fusions(load(artifact.folder), artifact.fusions, config, tmp_path)
    with pytest.raises(ConfigError, match=r"--list-by: name the column.*no evaluation.group_by"):
        rankings(without, log, fusion="all")
    assert rankings(without, log, fusion="all", group_by="search")["list_by"] == ["search"]


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ({"metrics": "click.ndcg@5(margin)"}, r"gains must be >= 0, got -\d.*, in column 'margin'"),
        ({"metrics": "click.ndcg@5(nothing)"}, "nothing"),
        ({"metrics": "click.ndcg@5(tags)"}, "column 'tags' must hold numbers"),
        (
            {"metrics": "click.ndcg@5(r)", "relevance": "r = age + 1"},
            r"--relevance r: 'age \+ 1' is null or infinite in",
        ),
        ({"metrics": "click.ndcg@5(r)", "relevance": "r = tags + 1"}, "column 'tags' must be a number"),
        ({"fusion": "all", "list_by": "history"}, "column 'history' must be"),
    ],
)
def test_columns_that_cannot_be_measured_against(artifact, log, asked, problem):
    with pytest.raises(DataError, match=problem):
        rankings(artifact, log, **asked)


def test_a_config_s_metric_of_a_fusion_that_now_reads_features_is_left_out(artifact, log, tmp_path):
    config = {
        **artifact.manifest.experiment,
        "fusions": {"floored": {"name": "multiplicative"}, "ranked": {"name": "additive"}},
        "evaluation": {
            "group_by": "user",
            "metrics": [f"fused({name}).ndcg@5(click)" for name in ("floored", "ranked")],
        },
    }
    made = with_fusions(artifact, artifact.fusions, config, tmp_path)
    report = evaluate(made, log, bootstrap=0, progress=False)["tasks"]["click"]
    assert "fused(ranked).ndcg@5" in report
    assert "fused(floored).ndcg@5" not in report


def test_re_ranked_lists_are_measured_as_served(artifact, log):
    steps = {
        "diverse": {"kind": "mmr", "of": ["tags", "vector"], "lambda": 0.4},
        "items": {"kind": "spread", "of": "item", "window": 3},
        "long": {"kind": "quota", "where": "length > 40", "at_least": 2, "of_first": 4},
    }
    plan = plan_for(artifact.schema, StoredFusion(options=FusionOptions.model_validate({"rerank": steps})))
    made = with_fusions(
        artifact, {**artifact.fusions, "diverse": plan}, artifact.manifest.experiment, artifact.folder.parent
    )
    names = ("ndcg@5(click)", "intra_list_distance@4(tags)", "intra_list_distance@4(item)", "coverage@2(item)")
    found = rankings(made, log, metrics=[f"fused(diverse).{name}" for name in names], list_by="search")["metrics"]
    lists = list(served(made, log, "diverse"))
    click = [ndcg(rows["click"].tolist(), 5) for rows in lists]
    assert found["fused(diverse).ndcg@5(click)"]["value"] == pytest.approx(np.mean(click))

    def distance(rows, column):
        def apart(one, other):
            if column == "item":
                return float(one != other)
            one, other = (set([tag for tag in text.split(",") if tag][:2]) for text in (one, other))
            return 1 - len(one & other) / max(len(one | other), 1)

        first = rows[column].tolist()[:4]
        return np.mean([apart(first[i], first[j]) for i in range(4) for j in range(i)])

    for column in ("tags", "item"):
        expected = np.mean([distance(rows, column) for rows in lists])
        assert found[f"fused(diverse).intra_list_distance@4({column})"]["value"] == pytest.approx(expected)
    shown = {item for rows in lists for item in rows["item"].tolist()[:2]}
    assert found["fused(diverse).coverage@2(item)"]["value"] == pytest.approx(len(shown) / log["item"].nunique())
    with pytest.raises(ConfigError, match=r"no metric 'click\.coverage'"):
        rankings(made, log, metrics="click.coverage@3", list_by="search")
