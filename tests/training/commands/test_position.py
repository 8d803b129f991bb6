"""Correction of position bias from the log to the served score."""

import io
import shutil

import numpy as np
import onnx
import pandas as pd
import pytest
from rich.console import Console

from ranker.inference import Model
from ranker.log_files.log_reader import DataError
from training.commands.distill import DistillOptions, distill
from training.commands.evaluate import evaluate
from training.commands.fit import fit
from training.commands.inspect import inspect_artifact
from training.commands.report import report_artifact
from training.config.experiment import ConfigError, checked
from training.config.student import StudentOptions
from training.data.cache import fingerprint
from training.data.experiment_log import open_log
from training.progress_listener import RunListener
from training.sweeps.compare.grid import expand, parse
from training.trainer.train import train

TRUTH = np.array([1.0, 0.6, 0.35, 0.2])
CONFIG = {
    "data": {"split": {"by": "random", "fraction": 0.1}},
    "schema": {
        "context": {"device": {"kind": "categorical", "dimension": 2}},
        "candidate": {"item": {"kind": "categorical", "dimension": 4}},
        "tasks": {"click": {"kind": "binary"}, "buy": {"kind": "binary", "given": "click"}},
    },
    "architecture": {"name": "shared_bottom", "bottom": [16], "towers": []},
    "optimizer": {"dense": {"learning_rate": 0.01, "schedule": "cosine"}, "embeddings": {"learning_rate": 0.1}},
    "training": {"epochs": 6, "batch_size": 256, "checkpoint_every": 10},
    "early_stopping": None,
    "evaluation": {"bootstrap": 0},
}


def config(method="multiplicative", **options):
    changes = {name: options.pop(name) for name in list(options) if name in (*CONFIG, "ensemble", "trees")}
    return {**CONFIG, **changes, "position": {"column": "position", "method": method, **options}}


def log(rows=8000, seed=0):
    """Items are shown first the more they are liked, and clicked if examined and liked."""
    random = np.random.default_rng(seed)
    item = random.integers(0, 8, rows)
    position = np.clip(np.round(4 - item / 3 + random.normal(size=rows)), 1, 4).astype(int)
    click = random.random(rows) < TRUTH[position - 1] * (0.2 + 0.08 * item)
    buy = click & (random.random(rows) < 0.4)
    device = random.choice(["phone", "tablet"], rows)
    frame = pd.DataFrame({"device": device, "item": item, "click": click.astype(int), "buy": buy.astype(int)})
    return frame.assign(position=position)


def curve(run):
    return run.metrics["position"]["tasks"]["click"]["relative"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    run = fit(config(), log(), output=tmp_path_factory.mktemp("run"), progress=False)
    run.export()
    return run


def test_a_known_curve_is_recovered_and_scores_are_of_the_first_place(made):
    np.testing.assert_allclose(curve(made), TRUTH, rtol=0.15)
    assert made.metrics["position"]["rows"] == np.bincount(_trained(made), minlength=5)[1:].tolist()
    scores = Model.load(made.artifact.folder).score({"device": "phone"}, {"item": list(range(8))})
    np.testing.assert_allclose(scores["click"], 0.2 + 0.08 * np.arange(8), atol=0.08)
    np.testing.assert_allclose(np.asarray(scores["buy"]) / scores["click"], np.full(8, 0.4), atol=0.12)


def _trained(run):
    return np.concatenate([positions for (positions,) in run.trained.prepared.training.columns("position")])


def test_propensities_are_estimated_from_the_log(tmp_path):
    run = fit(config("propensity"), log(), output=tmp_path / "run", progress=False)
    np.testing.assert_allclose(curve(run), TRUTH, rtol=0.2)


def test_the_exported_graph_has_no_position_and_evaluation_needs_no_column(made, tmp_path):
    graph = onnx.load(str(made.artifact.model_path))
    assert {node.name for node in graph.graph.input} == {"context_ids", "candidate_ids"}
    assert "position" not in made.artifact.schema.input_columns()
    with_column = evaluate(made.artifact, log(2000, 1), bootstrap=0, progress=False)
    without = evaluate(made.artifact, log(2000, 1).drop(columns="position"), bootstrap=0, progress=False)
    assert with_column["tasks"] == without["tasks"]


def test_the_curve_is_shown_by_inspect_and_in_both_reports(made, tmp_path):
    console = Console(file=io.StringIO(), width=400)
    inspect_artifact(made.artifact.folder, 1, console)
    text = console.file.getvalue()
    assert f"click by position (multiplicative), relative to the first place: 1: 1.000, 2: {curve(made)[1]:.3f}" in text
    page = report_artifact(made.artifact.folder, tmp_path / "report.html", Console(file=io.StringIO())).read_text()
    run_page = (made.folder / "run" / "report.html").read_text()
    for html in (page, run_page):
        assert "<h2>Position</h2>" in html
        assert f"<td>4</td><td>{made.metrics['position']['rows'][3]:,}</td><td>{curve(made)[3]:.3f}</td>" in html


@pytest.mark.parametrize("method", ["additive", "propensity"])
def test_a_killed_run_goes_on_to_the_same_bits(method, tmp_path):
    def keep(epoch, step, *_):
        if (epoch, step) == (1, 3):  # what a kill leaves
            shutil.copytree(tmp_path / "whole", tmp_path / "killed")

    training = {**CONFIG["training"], "epochs": 2, "checkpoint_every": 2}
    chosen = checked(config(method, training=training, **({"context": ["device"]} if method == "additive" else {})))
    file = tmp_path / "log.parquet"
    log(1000).to_parquet(file)
    notes = []
    whole = train(chosen, [file], tmp_path / "whole", RunListener(step=keep), rows=tmp_path / "rows")
    again = train(chosen, [file], tmp_path / "killed", RunListener(note=notes.append), rows=tmp_path / "rows")
    assert any("resuming from epoch 1, step 2" in note for note in notes)
    for one, other in zip(whole.model.variables, again.model.variables, strict=True):
        np.testing.assert_array_equal(one, other, err_msg=one.name)
    assert again.metrics["position"] == whole.metrics["position"]


def test_rows_are_encoded_once_for_all_methods_and_anew_for_another_column(tmp_path):
    file = tmp_path / "log.parquet"
    log(50).assign(slot=1).to_parquet(file)

    def of(**options):
        chosen = checked(config(**options)) if options else checked(CONFIG)
        return fingerprint(chosen, open_log(chosen, [file]))

    kept = [of(method="additive", context=["device"]), of(method="propensity", clip=3.0), of(positions=9)]
    assert len({*kept, of(tasks=["click"])}) == 1
    assert len({kept[0], of(column="slot"), of(first=0), of()}) == 4


def test_a_later_fit_carries_the_curve_on_and_follows_values_of_context(tmp_path):
    chosen = config("additive", context=["device"], dropout=0.0, training={**CONFIG["training"], "epochs": 2})
    first = fit(chosen, log(2000), output=tmp_path / "one", progress=False)
    artifact = first.export()
    still = {**chosen, "optimizer": {"dense": {"learning_rate": 1e-9}, "embeddings": {"learning_rate": 1e-9}}}
    later = log(500, 1)
    later["device"] = later["device"].replace("phone", "watch")
    second = fit(still, later, output=tmp_path / "two", from_artifact=artifact, progress=False)
    before, after = (run.trained.model.position.towers["click"] for run in (first, second))
    np.testing.assert_allclose(after.table, before.table, atol=1e-6)
    ids = [run.trained.prepared.encoder.encodings["device"] for run in (first, second)]
    moves = ids[1].row_moves(ids[0])
    old, new = (tower.embeddings["of.device"].numpy() for tower in (before, after))
    np.testing.assert_allclose(new[moves.targets], old[moves.sources], atol=1e-6)
    assert len(new) > len(old)


def test_ensembles_refits_and_mixed_precision(tmp_path):
    training = {**CONFIG["training"], "epochs": 2, "refit": True, "precision": "bfloat16"}
    chosen = config(training=training, ensemble={"seeds": 2})
    run = fit(chosen, log(2000), output=tmp_path / "run", progress=False)
    assert run.trained.refit is not None
    np.testing.assert_allclose(curve(run), TRUTH, rtol=0.4)
    assert run.export().manifest.metrics["position"]["method"] == "multiplicative"


def test_a_student_is_taught_without_positions(made, tmp_path):
    student = StudentOptions.model_validate({"epochs": 1, "batch_size": 256, "recombined": 1})
    taught = distill(
        made.artifact, log(), DistillOptions(candidates=40, lists=4, student=student), output=tmp_path, progress=False
    )
    assert taught.student is not None


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (0, r"column 'position'.*: 0 is not a position of at least 1, the first \(position.first\)"),
        (1.5, r"column 'position'.*1\.5 is not a whole number"),
        (-2, r"column 'position'.*-2 is not a position of at least 1"),
    ],
)
def test_wrong_positions_name_the_row(value, message, tmp_path):
    frame = log(300)
    frame["position"] = frame["position"].astype(type(value))
    frame.loc[7, "position"] = value
    with pytest.raises(DataError, match=message):
        fit(config(), frame, output=tmp_path / "run", progress=False)


def test_a_log_without_the_column_is_refused(tmp_path):
    with pytest.raises(DataError, match="position"):
        fit(config(), log(300).drop(columns="position"), output=tmp_path / "run", progress=False)


def with_schema(**changes):
    return {**CONFIG["schema"], **changes}


CLICK = CONFIG["schema"]["tasks"]["click"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"schema": with_schema(candidate={"position": {"kind": "numeric"}})},
            r"position\.column: 'position' is also the column of the feature 'position'; requests cannot know",
        ),
        ({"column": "click"}, r"position\.column: 'click' is the label or mask of the task 'click'"),
        ({"context": ["devise"]}, r"position\.context: 'devise' is not a categorical feature; did you mean 'device'"),
        ({"context": ["device", "device"]}, r"position\.context: 'device' is listed twice"),
        ({"method": "multiplicativ"}, r"position: unknown name 'multiplicativ'; did you mean 'multiplicative'"),
        ({"method": "propensity", "dropout": 0.1}, r"position\.dropout: unknown key 'dropout'"),
        (
            {"method": "multiplicative", "schema": with_schema(tasks={"click": {**CLICK, "positive_weight": 2.0}})},
            r"position\.tasks: 'click' has a positive_weight",
        ),
        (
            {"schema": with_schema(tasks={"stars": {"kind": "regression"}})},
            r"position\.tasks: no task is binary and without given; name the tasks to correct",
        ),
        (
            {
                "tasks": ["stars"],
                "schema": with_schema(tasks={"stars": {"kind": "ordinal", "levels": [1, 2, 3]}}),
            },
            r"position\.tasks: 'stars' is of kind ordinal and has 2 logits",
        ),
        (
            {
                "method": "propensity",
                "schema": with_schema(
                    tasks={"click": {"kind": "binary", "rank_loss": {"name": "softmax", "group": "request_id"}}}
                ),
            },
            r"position\.tasks: 'click' has a rank_loss, which does not know that this method weighs clicks",
        ),
        ({"architecture": "boosted_trees"}, r"position: boosted_trees trains no network"),
        ({"trees": {"blend": 0.5}}, r"trees\.blend: served scores of click would be a part of trees"),
    ],
)
def test_configs_that_contradict_themselves(changes, message):
    with pytest.raises(ConfigError, match=message):
        checked(config(**{"method": "additive", **changes}))


def test_trees_that_are_inputs_are_allowed():
    checked(config(trees={"rounds": 5}))
    checked(config(trees={"blend": 0.5, "of": ["buy"]}))


def test_compare_varies_the_method_and_keeps_what_all_have():
    base = checked(config("additive", context=["device"], dropout=0.0, positions=7))
    trials = expand(base, [parse("position.method=additive,multiplicative,propensity")], seeds=1)
    found = [trial.experiment.position for trial in trials]
    assert [(each.method, each.positions) for each in found] == [
        ("additive", 7),
        ("multiplicative", 7),
        ("propensity", 7),
    ]
    assert found[0].context == ("device",)
    without = expand(base, [parse("position=null")], seeds=1)
    assert without[0].experiment.position is None
