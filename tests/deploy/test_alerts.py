"""Alerts fire when they should, as Prometheus itself evaluates them; without promtool these tests fail."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

FOLDER = Path(__file__).parents[2] / "deploy" / "prometheus"
RULES = yaml.safe_load((FOLDER / "alerts.yaml").read_text())["groups"][0]["rules"]
FILES = {name: yaml.safe_load((FOLDER / name).read_text()) for name in ("alerts_test.yaml", "alerts_days_test.yaml")}
CASES = [case for file in FILES.values() for case in file["tests"]]


@pytest.fixture(scope="module")
def promtool():
    found = shutil.which("promtool")
    assert found, "no promtool on PATH: install Debian's package `prometheus`"
    return found


def run(*command):
    environment = {**os.environ, "GOGC": "400"}  # it would collect garbage for a third of its time
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=FOLDER, env=environment)


def test_every_case_holds(promtool):
    ended = run(promtool, "test", "rules", *FILES)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_a_wrong_rule_is_seen(promtool, tmp_path):
    rules = (FOLDER / "alerts.yaml").read_text()
    (tmp_path / "alerts.yaml").write_text(rules.replace("ranker_version_refused) > 0", "ranker_version_refused) > 1"))
    firing = [
        case
        for case in CASES
        if any(
            test["alertname"] == "RankerVersionRefused" and test.get("exp_alerts") for test in case["alert_rule_test"]
        )
    ]
    (tmp_path / "alerts_test.yaml").write_text(yaml.safe_dump({**FILES["alerts_test.yaml"], "tests": firing}))
    ended = run(promtool, "test", "rules", str(tmp_path / "alerts_test.yaml"))
    assert ended.returncode != 0
    assert "RankerVersionRefused" in ended.stdout + ended.stderr


@pytest.mark.parametrize("alert", [rule["alert"] for rule in RULES if "alert" in rule])
def test_every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not(alert):
    tests = [test for case in CASES for test in case["alert_rule_test"] if test["alertname"] == alert]
    assert any(test.get("exp_alerts") for test in tests)
    assert any(not test.get("exp_alerts") for test in tests)


def test_prometheus_takes_its_configuration(promtool):
    ended = run(promtool, "check", "config", "--syntax-only", "prometheus.yaml")  # Debian's knows no Kubernetes
    assert ended.returncode == 0, ended.stdout + ended.stderr
