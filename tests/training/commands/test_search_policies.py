"""``ranker-train search --exposures``: parameters that would have earned more on logged requests."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from ranker.artifact import Artifact
from ranker.artifact import load as load_artifact
from tests.training.off_policy.service import answered, artifact_in, log_in
from training.cli import app
from training.commands.search import SearchOptions
from training.commands.search_policies import search_policies
from training.config.experiment import ConfigError
from training.fusion_search.confidence import OBJECTIVE
from training.fusion_search.policy_evaluator import PolicyEvaluator, Requests
from training.off_policy.options import EvaluationOptions
from training.off_policy.prepare import logged_of, logging_orders
from training.off_policy.read import read_exposures
from training.off_policy.reward import reward_of

GOAL = "off_policy(click + 2*like)"
LOOSE = EvaluationOptions(least_effective=20, most_outside=1.0)


@pytest.fixture(scope="module")
def artifact(tmp_path_factory) -> Artifact:
    return artifact_in(tmp_path_factory.mktemp("artifact"))


@pytest.fixture(scope="module")
def log(artifact, tmp_path_factory):
    return log_in(tmp_path_factory.mktemp("log"), answered(artifact))


@pytest.fixture(scope="module")
def requests(artifact, log) -> Requests:
    reward = reward_of("--reward", "click + 2*like", artifact.schema)
    exposures = read_exposures(log, artifact, reward)
    logged = logged_of(exposures, artifact, reward)
    return Requests(logged, logging_orders(exposures, artifact, logged)[0])


def shares(*values):
    return {"share": np.array(values, dtype=float), "shift": np.zeros((len(values), 2))}


@pytest.mark.parametrize("by", ["place_dr", "cascade_snips", "list_ips"])
def test_the_logged_parameters_measure_what_was_observed(artifact, requests, by):
    options = EvaluationOptions(estimator=by)
    evaluator = PolicyEvaluator(artifact.fusions["default"], requests, options)
    observed = requests.logged.rewards.sum() / len(requests.logged)
    value, support = evaluator.baseline()
    assert value == pytest.approx(observed)
    assert support > 0
    measured = evaluator(shares([1.0, 0.5], [2.0, 1.0], [0.2, 3.0]))
    assert measured[0].tolist() == pytest.approx([value, support])
    assert measured[1, 0] == pytest.approx(value)  # the same order, and the same relevance
    assert measured[2, 0] != pytest.approx(value)
    one = shares([0.2, 3.0])
    statistics = evaluator.statistics(one)
    assert statistics(np.ones(evaluator.group_count)) == pytest.approx(measured[2])
    low = PolicyEvaluator(artifact.fusions["default"], requests, options, pessimistic=True)(one)
    assert low[0, 0] < measured[2, 0]


def test_halves_have_different_users(requests):
    first, second = requests.halves(0.25, seed=1)
    assert len(first.logged) + len(second.logged) == len(requests.logged)
    users = [len(np.unique(part.logged.units)) for part in (first, second)]
    assert users == [60, 20]
    total = sum(part.logged.rewards.sum() for part in (first, second))
    assert total == pytest.approx(requests.logged.rewards.sum())


def test_a_search_finds_parameters_and_writes_them(artifact, log, tmp_path):
    options = SearchOptions(maximise=GOAL, method="random", budget=6, bootstrap=20, vary=["share.like=0:3"])
    found = search_policies(artifact, log, options, output=tmp_path, evaluation=LOOSE, pessimistic=True, progress=False)
    assert found.tried == 6
    assert found.goal == GOAL
    assert found.constraints == ["support >= 0"]
    assert set(found.search.gains) == {OBJECTIVE, GOAL, "support"}
    assert found.search.rows + found.held_out.rows == 300
    written = json.loads((tmp_path / "search.json").read_text())
    assert written["parameters"]["share"]["click"] == 1.0
    assert "off-policy" in (tmp_path / "search.html").read_text() or GOAL in (tmp_path / "search.html").read_text()
    again = search_policies(artifact, log, options, output=tmp_path, evaluation=LOOSE, pessimistic=True, progress=False)
    assert again.parameters == found.parameters


def test_the_command_exports_only_a_gain_beyond_noise(artifact, log, tmp_path):
    common = [
        "search", str(artifact.folder), "--exposures", str(log), "--maximise", GOAL, "--method", "random",
        "--budget", "3",
        "--bootstrap", "20", "--least-effective", "20", "--vary", "share.like", "--output", str(tmp_path / "report"),
        "--export", str(tmp_path / "artifact"),
    ]  # fmt: skip
    done = CliRunner().invoke(app, common)
    assert done.exit_code == 3, done.output
    assert "nothing is exported" in done.output
    done = CliRunner().invoke(app, [*common, "--force"])
    assert done.exit_code == 0, done.output
    assert load_artifact(tmp_path / "artifact").fusion.options.explore is not None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"maximise": "click.auc"}, r"with --exposures, write off_policy\(FORMULA\)"),
        ({"maximise": "off_policy(click +)"}, "--maximise"),
        ({"maximise": GOAL, "require": ["click.auc >= today"]}, "--require: does not apply with --exposures"),
        ({"maximise": GOAL, "binned": True}, "--binned: does not apply"),
    ],
)
def test_options_that_do_not_apply_are_refused(artifact, log, tmp_path, options, message):
    with pytest.raises(ConfigError, match=message):
        search_policies(artifact, log, SearchOptions(**options), output=tmp_path, progress=False)


def test_support_is_a_constraint(artifact, log, tmp_path):
    options = SearchOptions(maximise=GOAL, method="random", budget=2, bootstrap=0)
    strict = EvaluationOptions(least_effective=10_000)
    with pytest.raises(ConfigError, match="none of 2 parameter sets satisfies support >= 0"):
        search_policies(artifact, log, options, output=tmp_path, evaluation=strict, progress=False)
