"""What docs/balancing.md shows on a Keras model of one's own runs, and names every method."""

import re
from pathlib import Path

import numpy as np
import pytest

import ranker.weighting
from ranker.weighting import WEIGHTINGS

TEXT = (Path(__file__).parents[3] / "docs" / "balancing.md").read_text(encoding="utf-8")
SECTION = TEXT.partition("## Using it in your own Keras model")[2].partition("\n## ")[0]
NEEDS = SECTION.partition("| method | needs |")[2]


def test_the_model_runs_and_learns() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", SECTION, re.DOTALL)
    names: dict[str, object] = {}
    exec(compile(code, "docs/balancing.md", "exec"), names)
    losses = np.array([names["history"].history[task] for task in ("click", "like")])
    assert (losses[:, -1] < 0.95 * losses[:, 0]).all()


@pytest.mark.parametrize("name", list(WEIGHTINGS))
def test_every_method_is_in_a_table_and_exported(name: str) -> None:
    assert f"\n| `{name}` |" in TEXT
    assert WEIGHTINGS[name].__name__ in ranker.weighting.__all__


@pytest.mark.parametrize("name", list(WEIGHTINGS))
def test_what_a_method_needs_is_told(name: str) -> None:
    if WEIGHTINGS[name].looks_back or WEIGHTINGS[name].reads_kinds:
        assert f"`{name}`" in NEEDS


def test_all_of_the_package_can_be_imported() -> None:
    assert all(hasattr(ranker.weighting, name) for name in ranker.weighting.__all__)
