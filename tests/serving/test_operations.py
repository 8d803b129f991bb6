"""What operators read agrees with what the service does."""

import ast
import json
import re
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from serving.observability.metrics import RELOADS
from serving.settings import Settings
from tests.serving.asking import CLIENT, post
from tests.serving.conftest import server

ROOT = Path(__file__).parents[2]
RUNBOOK = (ROOT / "docs" / "operations.md").read_text()
DOCS = (ROOT / "docs" / "serving.md").read_text()
RULES = yaml.safe_load((ROOT / "deploy" / "prometheus" / "alerts.yaml").read_text())["groups"][0]["rules"]
ALERTS = [rule for rule in RULES if "alert" in rule]
RECORDED = {rule["record"] for rule in RULES if "record" in rule}
DASHBOARD = json.loads((ROOT / "deploy" / "grafana" / "ranker.json").read_text())
QUERIES = [rule["expr"] for rule in RULES] + [
    target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]
]


SAMPLES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}


@pytest.fixture(scope="module")
def shown(artifact, body):
    """What a real server shows Prometheus after one request."""
    with server(artifact.folder, engine="onnxruntime") as running:
        assert post(running.url, body).status_code == 200
        return list(text_string_to_metric_families(CLIENT.get(f"{running.url}/metrics").text))


@pytest.fixture(scope="module")
def names(shown):
    """Every name that can be queried."""
    families = [family for family in shown if not family.name.endswith("_created")]
    return {family.name + suffix for family in families for suffix in SAMPLES[family.type]}


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_documented(name):
    assert f"`{name}`" in DOCS
    assert Settings.model_fields[name].description


def test_every_metric_is_documented(names):
    plain = {re.sub(r"_(bucket|sum|count)$", "", name) for name in names}
    assert {name for name in plain if f"`{name}`" not in DOCS} == set()
    assert all(f"`{outcome}`" in DOCS for outcome in RELOADS)


def events():
    """What the service logs, by the texts in its source."""
    for file in (ROOT / "serving").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "event":
                yield node.args[1].value


def test_every_log_event_is_documented():
    found = set(events())
    assert len(found) > 30
    assert {name for name in found if f"`{name}`" not in DOCS} == set()


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_every_alert_is_explained(rule):
    assert f"### `{rule['alert']}`" in RUNBOOK


@pytest.mark.parametrize("query", QUERIES)
def test_alerts_and_dashboard_ask_for_metrics_that_there_are(names, query):
    asked = set(re.findall(r"\b(?:ranker|process)[_:][\w:]+", query))
    assert asked <= names | RECORDED
    assert asked or "up{" in query


@pytest.mark.parametrize("query", QUERIES)
def test_alerts_and_dashboard_group_by_labels_that_there_are(shown, query):
    known = {label for family in shown for sample in family.samples for label in sample.labels} | {"instance", "job"}
    grouped = [label for labels in re.findall(r"by \(([^)]*)\)", query) for label in labels.split(", ")]
    matched = [label for labels in re.findall(r"{([^}]*)}", query) for label in re.findall(r"(\w+)(?:=|!=|!~)", labels)]
    assert {*grouped, *matched} <= known


def test_the_docs_show_the_file_of_models_that_is_shipped():
    shown = next(block for block in re.findall(r"```yaml\n(.*?)```", DOCS, flags=re.S) if "models:" in block)
    assert yaml.safe_load(shown) == yaml.safe_load((ROOT / "deploy" / "models.yaml").read_text())
