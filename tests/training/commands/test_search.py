"""``ranker-train search`` from an artifact and a log to a report, a config and the next artifact."""

import json

import numpy as np
import orjson
import pytest
import yaml

from ranker.artifact import load, with_fusions
from ranker.fusion import Candidates, FusionOptions, StoredFusion, plan_for
from tests.training.cli.test_cli import table_of
from tests.training.command import ranker_train
from tests.training.reports.browser import dom
from training.commands.search import SearchOptions, export_found, search

GOAL, KEPT = "click.auc + 2*like.auc + watch_time.ndcg@5", "click.auc >= today - 0.02"


def searched(trained, folder, **asked):
    """The search itself, without a process of its own, which would import TensorFlow anew."""
    options = SearchOptions(budget=40, bootstrap=20, jobs=2, **asked)
    return search(trained.output, [trained.log], options, output=folder, progress=False)


@pytest.fixture(scope="module")
def done(trained, tmp_path_factory):
    folder = tmp_path_factory.mktemp("searched")
    ended = ranker_train(
        *("search", trained.output, "--data", trained.log, "--output", folder, "--export", folder / "artifacts"),
        *("--maximise", GOAL, "--require", KEPT, "--budget", 40, "--bootstrap", 20, "--jobs", 2, "--force"),
    )
    assert ended.returncode == 0, ended.stderr
    return folder, ended, json.loads((folder / "search.json").read_text())


def test_the_best_set_is_no_worse_than_today_on_the_rows_searched(done) -> None:
    _, ended, found = done
    objective = found["search"]["gains"]["objective"]
    assert objective["best"] >= objective["today"]
    click = found["search"]["gains"]["click.auc"]
    assert click["best"] >= click["today"] - 0.02
    assert found["tried"] == 40
    assert found["search"]["rows"] > 0
    assert found["held_out"]["rows"] > 0
    path = [step["best so far"] for step in found["path"]]
    assert path == sorted(path)
    assert path[0] == pytest.approx(objective["today"], abs=1e-12)
    assert path[-1] == pytest.approx(objective["best"], abs=1e-12)
    assert "held-out rows" in ended.stdout
    assert ("is within noise" in ended.stdout) == (found["held_out"]["gains"]["objective"]["low"] <= 0)


def test_every_parameter_has_a_curve_through_the_best(done) -> None:
    _, _, found = done
    names = {f"{p}.{o}" for p in ("power", "shift") for o in ("click", "like", "watch_time")}
    assert {curve["parameter"] for curve in found["curves"]} == names
    for curve in found["curves"]:
        assert len(curve["values"]) == len(curve["objective"]) == 21
        assert curve["values"] == sorted(curve["values"])


def test_the_config_is_that_of_the_best_set_and_of_the_next_artifact(done, trained) -> None:
    folder, _, found = done
    options = FusionOptions.model_validate(yaml.safe_load((folder / "fusion.yaml").read_text())["fusion"])
    before, after = load(trained.output), load(folder / "artifacts")
    assert plan_for(before.schema, StoredFusion(options=options)).fusion.values == found["parameters"]
    assert after.fusion.fusion.values == found["parameters"]
    assert after.fusion.calibration == before.fusion.calibration
    assert after.fusion.options.calibration == {"watch_time": "scale"}
    assert after.manifest.files["model.onnx"] == before.manifest.files["model.onnx"]
    assert after.manifest.experiment["fusion"]["parameters"] == found["parameters"]
    assert after.manifest.metrics == before.manifest.metrics
    assert after.manifest.created > before.manifest.created
    scores = np.array(list(before.golden[0].scores.values())).T
    expected = before.fusion.replaced(found["parameters"]).rank(Candidates.of(before.fusion.objectives, scores))
    np.testing.assert_array_equal(
        after.fusion.rank(Candidates.of(after.fusion.objectives, scores)).fused, expected.fused
    )


def test_the_page_draws_sensitivity_path_and_every_pair_of_terms(done, tmp_path) -> None:
    folder, _, found = done
    shown = dom((folder / "search.html").read_text(), tmp_path)
    assert shown.count('class="marks"') == 5
    assert "power.watch_time" in shown
    assert found["goal"] in shown


def test_the_same_command_measures_nothing_again(done, trained) -> None:
    folder, _, found = done
    before = (folder / "state.npz").stat().st_mtime_ns
    again = searched(trained, folder, maximise=GOAL, require=[KEPT])
    assert (folder / "state.npz").stat().st_mtime_ns == before
    assert json.loads(orjson.dumps(again.to_dict())) == found
    (scores,) = folder.glob("scores-*.parquet")
    assert scores.stat().st_mtime_ns < before


def test_another_formula_another_grouping_and_bins(trained, tmp_path) -> None:
    found = searched(
        trained, tmp_path, formula="rank_bucket", maximise="like.auc + click.auc", binned=True, method="nsga2",
        group_by="request_id", vary=["weight"], trust=0.5,
    )  # fmt: skip
    assert found.formula == "rank_bucket"
    assert found.parameters["buckets"] == 100
    assert all(0.5 <= weight <= 1.5 for weight in found.parameters["weight"].values())
    assert {"picked", "on the front"} <= {point["standing"] for point in found.front}


def test_a_value_column_of_the_log_is_maximised(trained, tmp_path) -> None:
    maximise, relevance = "duration_s.mean@2 + fused(default).mean@2(rel)", ["rel = 2*duration_s + 0*click"]
    found = searched(trained, tmp_path, maximise=maximise, relevance=relevance, method="random")
    gains = found.search.gains
    assert set(gains) == {"objective", "duration_s.mean@2", "rel.mean@2"}
    durations = table_of(trained.log)["duration_s"].to_numpy()
    assert durations.min() < gains["duration_s.mean@2"].best < durations.max()
    assert gains["rel.mean@2"].best == pytest.approx(2 * gains["duration_s.mean@2"].best)


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ({"maximise": "clik.auc"}, "did you mean 'click'"),
        ({"maximise": "nothing.mean@2"}, "has no column 'nothing'"),
        ({"maximise": "tags.mean@2"}, "column 'tags' must hold numbers to be used in a metric; it holds lists"),
        ({"maximise": "device.mean@2"}, "column 'device' must hold numbers"),
        ({"maximise": "fused(other).auc(click)"}, "by fusion 'default'; write click.auc"),
        (
            {"relevance": ["rel = user_age"], "maximise": "rel.mean@2"},
            "--relevance rel: 'user_age' is null or infinite in",
        ),
        ({"fusion": "defalt"}, "did you mean 'default'"),
        ({"formula": "aditive"}, "did you mean 'additive'"),
        ({"formula": "percentile"}, "must be fitted to a reference population"),
        ({"method": "crossentropy"}, "did you mean 'cross_entropy'"),
        ({"vary": ["pwr"]}, "did you mean 'power'"),
        (
            {"require": ["like.auc >= 0.999"], "method": "random"},
            "none of 40 parameter sets satisfies like.auc",
        ),
        ({"held_out": 1.5}, "cannot be split"),
        ({"group_by": "nobody"}, "has no column 'nobody'"),
    ],
)
def test_mistakes_are_named(trained, tmp_path, asked, problem) -> None:
    with pytest.raises(ValueError, match=problem):
        searched(trained, tmp_path, **asked)


def test_a_gain_that_the_held_out_rows_do_not_confirm_is_exported_only_by_force(trained, tmp_path) -> None:
    command = (
        *("search", trained.output, "--data", trained.log, "--output", tmp_path, "--export", tmp_path / "artifacts"),
        *("--budget", 2, "--bootstrap", 20, "--vary", "power.like=0.5:0.50001", "--method", "random"),
    )
    ended = ranker_train(*command)
    assert ended.returncode == 3
    assert ended.stderr.startswith("nothing is exported to ")
    assert "--force" in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert not (tmp_path / "artifacts").exists()
    forced = ranker_train(*command, "--force")
    assert forced.returncode == 0, forced.stderr
    assert (tmp_path / "artifacts" / "1" / "manifest.json").exists()


def test_a_mistake_is_one_line(trained, tmp_path) -> None:
    ended = ranker_train("search", trained.output, "--data", trained.log, "--output", tmp_path, "--trust", -1)
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: --trust -1: must be > 0")
    assert "Traceback" not in ended.stderr


def test_a_re_ranking_step_is_searched_for_diversity_and_exported(trained, tmp_path) -> None:
    artifact = load(trained.output)
    steps = {
        "diverse": {"kind": "mmr", "of": ["tags", "item_embedding"], "lambda": 0.9},
        "items": {"kind": "spread", "of": "item_id"},
    }
    plan = plan_for(artifact.schema, StoredFusion(options=FusionOptions.model_validate({"rerank": steps})))
    made = with_fusions(artifact, {"default": plan}, artifact.manifest.experiment, tmp_path / "artifacts")
    asked = SearchOptions(
        maximise="0.01*click.ndcg@5 + tags.intra_list_distance@5 + item_id.coverage@3",
        vary=["rerank.diverse.lambda=0:1", "share"],
        budget=25,
        bootstrap=10,
        jobs=2,
    )
    found = search(made, [trained.log], asked, output=tmp_path / "found", progress=False)
    gains = found.search.gains["tags.intra_list_distance@5"]
    assert gains.best > gains.today
    assert found.rerank["diverse"]["lambda"] < 0.9
    assert found.moved
    config = yaml.safe_load((tmp_path / "found" / "fusion.yaml").read_text())["fusion"]
    assert config["rerank"]["diverse"]["lambda"] == found.rerank["diverse"]["lambda"]
    assert plan_for(artifact.schema, StoredFusion(options=FusionOptions.model_validate(config)))
    again = search(made, [trained.log], asked, output=tmp_path / "found", progress=False)  # from cached rows
    assert again.to_dict() == found.to_dict()
    exported = export_found(made, asked, found, tmp_path / "artifacts")
    assert exported.fusion.options.rerank["diverse"].numbers["lambda"] == found.rerank["diverse"]["lambda"]
    assert exported.manifest.experiment["fusion"]["rerank"]["items"]["kind"] == "spread"
