"""What docs/fusion.md shows is valid, and names everything there is."""

import re
from pathlib import Path

import pytest
import yaml

from ranker.fusion import FUSIONS, FusionOptions, StoredFusion, plan_for
from ranker.fusion.calibration import CALIBRATIONS
from ranker.fusion.normalisation import NORMALISATIONS
from ranker.schema import Schema

TEXT = (Path(__file__).parents[3] / "docs" / "fusion.md").read_text(encoding="utf-8")
SCHEMA = Schema.model_validate(
    {
        "candidate": {"item_age_days": {"kind": "numeric"}},
        "tasks": {
            **{name: {"kind": "binary"} for name in ("click", "long_view", "like")},
            "watch_time": {"kind": "regression"},
        },
    }
)


@pytest.mark.parametrize("block", re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL))
def test_the_configs_are_valid(block: str) -> None:
    config = yaml.safe_load(block)
    schema = SCHEMA
    if "schema" in config:  # tasks that a block adds
        tasks = {name: {"kind": "binary"} for name in ("click", "long_view", "like", "share")}
        schema = Schema.model_validate(
            {"candidate": {"item_id": {"kind": "categorical"}}, "tasks": {**tasks, **config["schema"]["tasks"]}}
        )
    fusions = [*([config["fusion"]] if "fusion" in config else []), *config.get("fusions", {}).values()]
    assert fusions
    for options in fusions:
        plan_for(schema, StoredFusion(options=FusionOptions.model_validate(options)))


@pytest.mark.parametrize("name", [*FUSIONS, *CALIBRATIONS, *NORMALISATIONS])
def test_the_docs_name_every_formula_and_method(name: str) -> None:
    assert f"`{name}`" in TEXT or f": {name} " in TEXT


@pytest.mark.parametrize("name", [name for name in FUSIONS if FUSIONS[name].direction])
def test_the_table_names_parameters_and_their_direction(name: str) -> None:
    line = next(line for line in TEXT.splitlines() if line.startswith(f"| `{name}` |"))
    for parameter in FUSIONS[name].parameters:
        shown = f"**`{parameter.name}`**" if parameter.name == FUSIONS[name].direction else f"`{parameter.name}`"
        assert shown in line
