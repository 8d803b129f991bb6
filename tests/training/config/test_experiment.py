from pathlib import Path

import pytest
import yaml

from tests.training.conftest import CONFIG, written
from training.config.experiment import ConfigError, Experiment, json_schema, load
from training.config.optimizer import Optimizer

ROOT = Path(__file__).parents[3]


def refused(tmp_path, text):
    path = tmp_path / "config.yaml"
    path.write_text(text if isinstance(text, str) else yaml.safe_dump(text, sort_keys=False))
    with pytest.raises(ConfigError) as caught:
        load(path)
    return str(caught.value)


SHIPPED = [path for path in sorted((ROOT / "configs").glob("*.yaml")) if path.stem != "online"]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_the_shipped_configs_are_valid(path):
    assert load(path).log_schema.tasks


def test_every_mistake_is_named_by_line_path_and_nearest_key(tmp_path):
    text = """data: {split: {by: time, column: date, last: 1}}
schema:
  candidate:
    item: {kind: categorical, dimention: 3}
    price: {kind: numeric, transform: log}
  tasks:
    click: {kind: binary}
architecture: {name: plee}
training:
  epochs: -1
  batchsize: 3
wieghting: {name: static}
"""
    lines = refused(tmp_path, text.replace("wieghting: {name: static}\n", "")).splitlines()
    assert "4 mistake(s)" in lines[0] or "5 mistake(s)" in lines[0]
    assert "line 4, schema.candidate.item.dimention: unknown key 'dimention'; did you mean 'dimension'?" in lines[1]
    assert "line 5, schema.candidate.price.transform: must be 'standardise'" in lines[2]
    assert "line 8, architecture" in lines[3]
    assert "'plee'" in lines[3]
    assert "line 11, training.batchsize: unknown key 'batchsize'; did you mean 'batch_size'?" in lines[4]
    top = refused(tmp_path, text)
    assert "line 12, wieghting: unknown key 'wieghting'; did you mean 'weighting'?" in top


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"fusion": {"name": "additve"}}, "did you mean 'additive'"),
        ({"fusion": {"name": "additive", "parameters": {"share": {"clik": 1}}}}, "click"),
        ({"weighting": {"name": "pe_ltr", "bounds": {"clik": 0.1}}}, "did you mean 'click'"),
        (
            {"weighting": {"name": "pe_ltr", "bounds": 0.5}},
            "the bounds must sum to at most 1, as the weights sum to 1; got 1.5",
        ),
        ({"early_stopping": {"metric": "click.auk"}}, "no metric 'click.auk' (valid: mean_loss, mean_auc, click.auc"),
        ({"data": {"split": {"by": "time", "column": "date"}}}, "exactly one of fraction, last and start"),
        ({"training": {"epochs": "many"}}, "got 'many'"),
    ],
)
def test_names_and_values_are_checked(tmp_path, changes, expected):
    assert expected in refused(tmp_path, {**CONFIG, **changes})


def test_esmm_needs_a_condition(tmp_path):
    schema = {**CONFIG["schema"], "tasks": {"click": {"kind": "binary"}}}
    changes = {"schema": schema, "architecture": {"name": "esmm"}, "fusion": {}}
    assert "needs a task with `given`" in refused(tmp_path, {**CONFIG, **changes})


@pytest.mark.parametrize(("text", "expected"), [("a: [", "not valid YAML"), ("- a", "a config is a mapping")])
def test_what_is_no_mapping_is_said(tmp_path, text, expected):
    assert expected in refused(tmp_path, text)


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.yaml: cannot be read"):
        load(tmp_path / "none.yaml")


def test_it_survives_json():
    experiment = Experiment.model_validate(CONFIG)
    assert Experiment.model_validate_json(experiment.model_dump_json(by_alias=True)) == experiment


@pytest.mark.parametrize(
    ("section", "value", "expected"),
    [
        (
            "architecture",
            {"name": "asymmetric", "feeds": {"clik": ["like"]}},
            "architecture.feeds: 'clik' is not a task",
        ),
        ("architecture", {"name": "pepnet", "domain": ["devise"]}, "architecture.domain: 'devise' is not a feature"),
        ("architecture", {"name": "aitm", "calibrator": 0.6}, "architecture.calibrator: like is given click"),
    ],
)
def test_options_that_do_not_fit_are_named_by_line_and_path(tmp_path, section, value, expected):
    message = refused(tmp_path, {**CONFIG, section: value})
    text = (tmp_path / "config.yaml").read_text().splitlines()
    line = next(i for i, content in enumerate(text, 1) if content.startswith(f"{section}:"))
    key = next(i for i, content in enumerate(text[line:], line + 1) if next(k for k in value if k != "name") in content)
    assert f"line {key}, {expected}" in message


@pytest.mark.parametrize(
    ("fusions", "expected"),
    [
        ({"fusion": {"name": "additve"}}, "fusion.name: unknown fusion 'additve'; did you mean 'additive'"),
        ({"fusion": {"calibration": {"clik": "platt"}}}, "fusion.calibration.clik: 'clik' is not an objective"),
        ({"fusion": {"normalisation": "z_scor"}}, "fusion.normalisation: must be 'none', 'min_max'"),
        (
            {"fusions": {"mine": {"parameters": {"share": {"click": 200}}}}},
            "fusions.mine.parameters: fusion 'additive': parameter 'share' for objective 'click' must be a number in "
            "[-100, 100], got 200",
        ),
        (
            {"fusions": {"mine": {"name": "expression", "options": {"formula": "click * duration"}}}},
            "fusions.mine.options: 'duration' is not an objective, parameter or feature of one value; did you mean "
            "'duration_s'?",
        ),
        (
            {"fusions": {"mine": {"rules": {"new": {"kind": "boost", "where": "tags > 1", "add": 1}}}}},
            "fusions.mine.rules.new.where: 'tags' is not an objective or feature of one value",
        ),
        (
            {"fusions": {"mine": {"rules": {"new": {"kind": "floor", "leest": {"click": 1}}}}}},
            "fusions.mine.rules.new.leest: unknown key 'leest'; did you mean 'least'?",
        ),
        ({"fusions": {"additive": {}}}, "fusions.additive: is already the name of a formula"),
        ({"fusions": {"default": {}}}, "fusions.default: is already the name of the fusion under `fusion`"),
    ],
)
def test_mistakes_in_fusions_are_named_by_line_and_path(tmp_path, fusions, expected):
    message = refused(tmp_path, {**CONFIG, **fusions})
    text = (tmp_path / "config.yaml").read_text().splitlines()
    keys = [key for key in expected.partition(": ")[0].split(".") if any(f"{key}:" in line for line in text)]
    line = max(i for i, content in enumerate(text, 1) if content.strip().startswith(f"{keys[-1]}:"))
    assert f"line {line}, {expected}" in message


def test_dots_of_unlike_widths_are_refused_before_anything_is_read(tmp_path):
    schema = {**CONFIG["schema"], "candidate": {**CONFIG["schema"]["candidate"]}}
    schema["candidate"]["tags"] = {"kind": "multi", "dimension": 6}
    message = refused(tmp_path, {**CONFIG, "schema": schema, "interaction": {"name": "dots"}})
    assert "interaction.name: dots needs embeddings of one width, got the widths [4, 6]" in message


def test_a_choice_may_be_a_bare_word():
    words = {**CONFIG, "architecture": "mmoe", "interaction": "fm", "funnel": "escm2_ips", "weighting": "static"}
    experiment = Experiment.model_validate(words)
    assert (experiment.architecture.name, experiment.funnel.name) == ("mmoe", "escm2_ips")
    schema = json_schema()
    assert "mmoe" in schema["properties"]["architecture"]["anyOf"][0]["enum"]


def test_a_fusion_may_be_one_word(tmp_path):
    experiment = load(written(tmp_path, fusion="rank_bucket", fusions={"other": "reciprocal_rank"}))
    assert {name: options.name for name, options in experiment.named_fusions.items()} == {
        "default": "rank_bucket",
        "other": "reciprocal_rank",
    }


@pytest.mark.parametrize(
    ("given", "name", "rate"),
    [({"learning_rate": 0.01}, "adagrad", 0.01), ({"name": "adam"}, "adam", 0.001), ({"l1": 0.0}, "adagrad", 0.02)],
)
def test_tables_keep_adagrad_and_its_rate_unless_told_otherwise(given, name, rate):
    tables = Optimizer.model_validate({"embeddings": given}).embeddings
    assert (tables.name, tables.learning_rate) == (name, rate)
