"""``ranker-train evaluate-policy`` from an exposure log to values, numbers and a page."""

import json
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from ranker.artifact import Artifact
from ranker.log_files.errors import DataError
from tests.training.off_policy.service import SHOWN, answered, artifact_in, log_in
from training.cli import app
from training.commands.evaluate_policy import evaluate_policy
from training.commands.join import join
from training.config.experiment import ConfigError
from training.off_policy.estimators import ESTIMATORS
from training.off_policy.options import EvaluationOptions

REWARD = "click + 2*like"
LOOSE = EvaluationOptions(least_effective=5)


@pytest.fixture(scope="module")
def artifact(tmp_path_factory) -> Artifact:
    return artifact_in(tmp_path_factory.mktemp("artifact"))


@pytest.fixture(scope="module")
def table(artifact) -> pa.Table:
    return answered(artifact)


@pytest.fixture(scope="module")
def log(table, tmp_path_factory) -> Path:
    return log_in(tmp_path_factory.mktemp("log"), table)


def run(*arguments):
    return CliRunner().invoke(app, ["evaluate-policy", *map(str, arguments)])


def observed(table: pa.Table) -> float:
    """Mean reward of a request."""
    shown = table.filter(pc.less_equal(table["place"], SHOWN))
    total = pc.sum(shown["click"]).as_py() + 2 * pc.sum(shown["like"]).as_py()
    return total / len(pc.unique(table["request_id"]))


def test_the_fusion_that_ranked_is_worth_what_was_observed(artifact, log, table):
    found = evaluate_policy(artifact, log, ["default"], REWARD, progress=False)
    assert found.observed.value == pytest.approx(observed(table))
    assert found.agreement[:2] == (1.0, 1.0)
    assert (found.requests, found.users, found.places, found.estimator) == (300, 80, SHOWN, "place_dr")
    (policy,) = found.policies
    assert set(policy.estimates) == set(ESTIMATORS)
    for one in policy.estimates.values():
        assert one.value.value == pytest.approx(found.observed.value, abs=1e-12)
        assert one.gain.error == pytest.approx(0.0, abs=1e-12)
    assert not found.failed
    assert not policy.doubts


def test_other_policies_are_told_apart(artifact, log):
    policies = [
        "likes",
        {"name": "sharper", "explore": {"temperature": 0.2}},
        {"name": "swap", "explore": {"kind": "swap", "probability": 0.2}},
        {"name": "boosted", "fusion": "cheap"},
        {"name": "other formula", "fusion": "multiplicative"},
        {"name": "no exploration", "explore": False},
    ]
    found = evaluate_policy(artifact, log, policies, REWARD, options=LOOSE, progress=False)
    assert [policy.name for policy in found.policies] == [
        "likes", "sharper", "swap", "boosted", "other formula", "no exploration",
    ]  # fmt: skip
    values = {policy.name: policy.estimates["place_dr"] for policy in found.policies}
    assert all(one.gain.error > 0 for one in values.values())
    assert values["sharper"].gain.value > 0.0  # a model that knows what users like, followed more closely
    assert found.policies[1].fusion["explore"]["temperature"] == 0.2
    assert found.policies[5].fusion["explore"] is None
    assert found.policies[1].support.outside == 0.0
    assert found.policies[0].support.outside > 0.5  # its best may be fifth, and no candidate moves by more than three
    assert found.policies[0].reasons["list_ips"]


def test_another_model_scores_the_logged_features(artifact, log, tmp_path):
    other = artifact_in(tmp_path, seed=9)
    same = {"name": "same", "artifact": str(artifact.folder)}
    found = evaluate_policy(
        artifact, log, [same, {"name": "other", "artifact": str(other.folder)}], REWARD, options=LOOSE, progress=False
    )
    own, different = (policy.estimates["place_dr"] for policy in found.policies)
    assert own.value.value == pytest.approx(found.observed.value, abs=1e-6)
    assert different.gain.error > 0


def test_labels_may_come_from_a_joined_log(artifact, table, tmp_path):
    bare = log_in(tmp_path / "log", table.drop_columns(["click", "like"]))
    shown = table.filter(pc.less_equal(table["place"], SHOWN))
    joined = shown.select(["request_id", "item", "click", "like"])
    late = pc.equal(joined["request_id"], "r7")
    pq.write_table(joined.filter(pc.invert(late)), tmp_path / "joined.parquet")
    found = evaluate_policy(artifact, bare, ["default"], REWARD, labels=tmp_path / "joined.parquet", progress=False)
    assert found.left_out == {"the joined log does not have all of their items": 1}
    assert found.requests == 299
    rest = table.filter(pc.not_equal(table["request_id"], "r7"))
    assert found.observed.value == pytest.approx(observed(rest))
    with pytest.raises(DataError, match="name the log that `ranker-train join` has written with --labels"):
        evaluate_policy(artifact, bare, ["default"], REWARD, progress=False)
    pq.write_table(pa.concat_tables([joined, joined.slice(0, 1)]), tmp_path / "twice.parquet")
    with pytest.raises(DataError, match="twice; join it only once"):
        evaluate_policy(artifact, bare, ["default"], REWARD, labels=tmp_path / "twice.parquet", progress=False)


def test_join_writes_the_labels_that_are_read(artifact, table, tmp_path):
    bare = log_in(tmp_path / "log", table.drop_columns(["click", "like"]))
    shown = table.filter(pc.less_equal(table["place"], SHOWN))
    events = []
    for kind in ("click", "like"):
        happened = shown.filter(pc.greater(shown[kind], 0)).select(["request_id", "item", "time"])
        events.append(happened.append_column("kind", pa.array([kind] * len(happened))))
    pq.write_table(pa.concat_tables(events), tmp_path / "events.parquet")
    join(
        artifact, bare, tmp_path / "events.parquet", output=tmp_path / "joined", within=timedelta(minutes=30),
        progress=False,
    )  # fmt: skip
    found = evaluate_policy(artifact, bare, ["default"], REWARD, labels=tmp_path / "joined", progress=False)
    assert found.requests == 300
    assert found.observed.value == pytest.approx(observed(table))


def test_requests_that_cannot_be_used_are_counted(artifact, table, tmp_path):
    fixed = answered(artifact, 20, 6, fusion="fixed")
    fixed = fixed.set_column(0, "request_id", pc.utf8_replace_slice(fixed["request_id"], 0, 1, "f"))
    older = table.slice(0, pc.sum(pc.equal(table["request_id"], "r0")).as_py())
    older = older.set_column(older.schema.get_field_index("version"), "version", pa.array([99] * len(older)))
    older = older.set_column(0, "request_id", pa.array(["old"] * len(older)))
    again = table.filter(pc.equal(table["request_id"], "r3"))
    folder = tmp_path / "log"
    for part in (table, fixed, older, again):
        log_in(folder, part)
    found = evaluate_policy(artifact, folder, ["default"], REWARD, progress=False)
    assert found.left_out == {
        f"ranked by another version than {artifact.manifest.version}": 1,
        "their order was not drawn at random": 20,
        "another request has the same id": 2,
    }
    assert found.requests == 299
    none = log_in(tmp_path / "none", fixed)
    with pytest.raises(DataError, match=r"none of 20 requests can be used \(20: their order was not drawn at random"):
        evaluate_policy(artifact, none, ["default"], REWARD, progress=False)


def test_candidates_that_are_not_logged_are_refused_or_meant(artifact, tmp_path):
    log = log_in(tmp_path / "log", answered(artifact, 200, depth=6))
    found = evaluate_policy(artifact, log, ["likes"], REWARD, progress=False)
    assert not found.policies
    assert len(found.failed) == 1
    assert "set the service's exposures_depth to the number of candidates" in found.failed[0]
    meant = EvaluationOptions(within_logged=True, least_effective=5)
    found = evaluate_policy(artifact, log, ["likes"], REWARD, options=meant, progress=False)
    assert found.policies
    assert any("rank the logged candidates alone" in note for note in found.notes)
    shallow = log_in(tmp_path / "shallow", answered(artifact, 50, depth=0))
    with pytest.raises(DataError, match=r"set the service's exposures_depth to at least 6, the first \+ max_move"):
        evaluate_policy(artifact, shallow, ["likes"], REWARD, options=meant, progress=False)


def test_a_log_that_was_changed_is_refused(artifact, table, tmp_path):
    text = table["parameters"][0].as_py().replace('"temperature":0.5', '"temperature":0.7')
    wrong = table.set_column(table.schema.get_field_index("parameters"), "parameters", pa.array([text] * len(table)))
    found = evaluate_policy(artifact, log_in(tmp_path / "one", wrong), ["likes"], REWARD, progress=False)
    assert found.agreement.propensities < 0.5
    assert "propensities that their exploration gives them" in found.failed[0]
    scores = pa.array(np.random.default_rng(0).random(len(table)).astype(np.float32))
    wrong = table.set_column(table.schema.get_field_index("score.click"), "score.click", scores)
    found = evaluate_policy(artifact, log_in(tmp_path / "two", wrong), ["likes"], REWARD, progress=False)
    assert found.agreement.propensities == 1.0
    assert "order that their fusion gives the logged scores" in found.failed[0]


def test_thin_support_is_refused_with_what_would_help(artifact, log):
    reversed_ = {"name": "reversed", "parameters": {"share": {"click": -1.0, "like": -0.5}}, "explore": False}
    found = evaluate_policy(artifact, log, [reversed_], REWARD, progress=False)
    (policy,) = found.policies
    assert policy.support.outside == 1.0
    assert any("never shown there by the logging policy" in line for line in found.failed)
    assert any("the effective sample size is" in line for line in found.failed)
    assert found.failed[0].startswith("reversed: ")


def test_the_command_writes_numbers_and_a_page_and_says_by_status(artifact, log, tmp_path):
    common = (artifact.folder, "--exposures", log, "--reward", REWARD)
    files = ("--json", tmp_path / "values.json", "--output", tmp_path / "page.html")
    policy = "{name: sharper, explore: {temperature: 0.4}}"
    done = run(*common, "--policy", policy, "--policy", "default", *files)
    assert done.exit_code == 0, done.output
    written = json.loads((tmp_path / "values.json").read_text())
    assert [one["name"] for one in written["policies"]] == ["sharper", "default"]
    assert written["failed"] == []
    page = (tmp_path / "page.html").read_text()
    for text in ("sharper", "Weights", "By place", "What estimators assume", "as logged"):
        assert text in page
    refused = run(*common, "--policy", "{explore: false, parameters: {share: {click: -1}}}")
    assert refused.exit_code == 3
    assert "no answer: " in refused.output
    below = run(*common, "--policy", policy, "--least", 10)
    assert below.exit_code == 3
    assert "below the least of 10" in below.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--policy", "lykes"), "did you mean 'likes'?"),
        (("--policy", "{fusion: likes, paramters: {}}"), "unknown key 'paramters'"),
        (("--policy", "{fusion: likes"), "is not valid YAML"),
        (("--policy", "{explore: {kind: swap, probability: 2}}"), "probability"),
        (("--policy", "{parameters: {share: {clik: 1}}}"), "clik"),
        (("--policy", "default", "--policy", "default"), "two policies are named 'default'"),
        (("--policy", "default", "--by", "list"), "is no estimator"),
        (("--policy", "default", "--clip", "0.5"), "--clip: must be at least 1, got 0.5"),
        (("--policy", "default", "--model", "other"), "the log has no such model"),
    ],
)
def test_mistakes_are_told_in_one_line(artifact, log, arguments, message):
    done = run(artifact.folder, "--exposures", log, "--reward", REWARD, *arguments)
    assert done.exit_code == 1
    assert message in " ".join(done.output.split())
    assert "Traceback" not in done.output


def test_rewards_need_labels(artifact, log):
    with pytest.raises(ConfigError, match="--reward"):
        evaluate_policy(artifact, log, ["default"], "click +", progress=False)
    with pytest.raises(DataError, match=r"is null or infinite for .* shown items"):
        evaluate_policy(artifact, log, ["default"], "log(click)", progress=False)
    options = EvaluationOptions(estimator="place_dr")
    with pytest.raises(ConfigError, match="--by: place_dr needs a reward of tasks alone"):
        evaluate_policy(artifact, log, ["default"], "click + place", options=options, progress=False)
    found = evaluate_policy(artifact, log, ["default"], "click / place", progress=False)
    assert found.estimator == "place_snips"
