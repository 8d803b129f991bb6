"""What operators read agrees with what the service does."""

import json
import re
from pathlib import Path

import pytest
import yaml

from serving.metrics import RELOADS, Metrics
from serving.settings import Settings

ROOT = Path(__file__).parents[2]
DOCS = (ROOT / "docs" / "serving.md").read_text()
ALERTS = yaml.safe_load((ROOT / "deploy" / "prometheus" / "alerts.yaml").read_text())["groups"][0]["rules"]
DASHBOARD = json.loads((ROOT / "deploy" / "grafana" / "ranker.json").read_text())
QUERIES = [rule["expr"] for rule in ALERTS] + [
    target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]
]


@pytest.fixture(scope="module")
def names():
    """Every name that can be queried."""
    families = Metrics()._own.collect()
    suffixes = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}
    return {family.name + suffix for family in families for suffix in suffixes[family.type]}


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_documented(name):
    assert f"`{name}`" in DOCS
    assert Settings.model_fields[name].description


def test_every_metric_is_documented(names):
    plain = {re.sub(r"_(bucket|sum|count)$", "", name) for name in names}
    assert {name for name in plain if f"`{name}`" not in DOCS} == set()
    assert all(f"`{outcome}`" in DOCS for outcome in RELOADS)


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_every_alert_is_explained(rule):
    assert f"| `{rule['alert']}` |" in DOCS


@pytest.mark.parametrize("query", QUERIES)
def test_alerts_and_dashboard_ask_for_metrics_that_there_are(names, query):
    asked = set(re.findall(r"\branker_\w+", query))
    assert asked <= names
    assert asked or "up{" in query


@pytest.mark.parametrize("query", QUERIES)
def test_alerts_and_dashboard_group_by_labels_that_there_are(query):
    parts = [part for part in vars(Metrics()).values() if hasattr(part, "_labelnames")]
    known = {label for part in parts for label in part._labelnames} | {"instance", "job", "le", "stage"}
    grouped = [label for labels in re.findall(r"by \(([^)]*)\)", query) for label in labels.split(", ")]
    matched = [label for labels in re.findall(r"{([^}]*)}", query) for label in re.findall(r"(\w+)(?:=|!=|!~)", labels)]
    assert {*grouped, *matched} <= known


def test_the_docs_show_the_file_of_models_that_is_shipped():
    shown = next(block for block in re.findall(r"```yaml\n(.*?)```", DOCS, flags=re.S) if "models:" in block)
    assert yaml.safe_load(shown) == yaml.safe_load((ROOT / "deploy" / "models.yaml").read_text())
