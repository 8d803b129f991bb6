"""What docs/exploration.md shows is valid, and names every kind with its parameters and bounds."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import yaml

from ranker.fusion import FusionOptions, build_plan
from ranker.fusion.exploration import EXPLORATIONS

TEXT = (Path(__file__).parents[4] / "docs" / "exploration.md").read_text(encoding="utf-8")
ROWS = [line for line in TEXT.splitlines() if line.startswith("|")]


def test_the_config_is_valid_and_the_request_changes_it() -> None:
    (config,) = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    plan = build_plan(FusionOptions.model_validate(yaml.safe_load(config)["fusion"]), {"click": "binary"})
    assert plan.options.explore is not None
    request, answer = (json.loads(block) for block in re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)[:2])
    changed = plan.with_explore(request["fusion"]["explore"]).options.explore
    assert changed is not None
    assert (changed.facts["temperature"], changed.first) == (0.2, 5)
    assert answer["fusion"]["explore"].keys() == changed.facts.keys()
    assert np.prod(answer["propensity"]) == pytest.approx(0.2, abs=0.005)
    assert f"{np.prod(answer['propensity']):.2f}".lstrip("0") in TEXT


@pytest.mark.parametrize("kind", list(EXPLORATIONS))
def test_every_kind_and_parameter_is_in_the_tables(kind: str) -> None:
    assert sum(f"| `{kind}` |" in row for row in ROWS) >= 2
    for parameter in EXPLORATIONS[kind].parameters:
        bounds = f"{parameter.low:g} to {parameter.high:g}".replace("0.", ".")
        found = [row for row in ROWS if f"| `{parameter.name}` |" in row and bounds in row]
        assert any(f"{parameter.default:g}".lstrip("0") in row for row in found), parameter.name
