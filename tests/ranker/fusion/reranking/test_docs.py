"""What docs/reranking.md shows is valid, and names every step with its parameters and bounds."""

import json
import re
from pathlib import Path

import pytest
import yaml

from ranker.fusion import FusionOptions, StoredFusion, plan_for
from ranker.fusion.reranking import STEPS
from ranker.schema import Schema

TEXT = (Path(__file__).parents[4] / "docs" / "reranking.md").read_text(encoding="utf-8")
SCHEMA = Schema.model_validate(
    {
        "candidate_id": "item_id",
        "candidate": {
            "item_id": {"kind": "categorical"},
            "author_id": {"kind": "categorical"},
            "tags": {"kind": "multi"},
            "is_new": {"kind": "numeric"},
            "is_sponsored": {"kind": "numeric"},
        },
        "tasks": {"click": {"kind": "binary"}},
    }
)
(CONFIG,) = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)


def test_the_config_is_valid_and_the_request_changes_it() -> None:
    options = FusionOptions.model_validate(yaml.safe_load(CONFIG)["fusion"])
    plan = plan_for(SCHEMA, StoredFusion(options=options))
    assert {step.kind for step in plan.options.rerank.values()} >= set(STEPS) - {"dpp"}
    request = json.loads(re.findall(r"```json\n(\{\"fusion.*?)```", TEXT, re.DOTALL)[0])
    changed = plan.with_rerank(request["fusion"]["rerank"])
    assert changed.options.rerank["diverse"].numbers["lambda"] == 0.5
    assert "new_items" not in changed.options.rerank


@pytest.mark.parametrize("kind", list(STEPS))
def test_every_step_and_parameter_is_in_the_tables(kind: str) -> None:
    assert f"| `{kind}` |" in TEXT
    rows = [line for line in TEXT.splitlines() if line.startswith("|")]
    for parameter in STEPS[kind].parameters:
        found = [row for row in rows if f"`{parameter.name}`" in row and f"{parameter.high:g}".lstrip("0") in row]
        assert found, parameter.name
