"""Variables of every architecture when features are replaced by others of equal width."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ranker.architectures import ARCHITECTURES
from tests.ranker.models import TRAINABLE
from tests.training.days import CONFIG, rows
from tests.training.stored import file_of
from tests.training.trainer.states import state_arrays
from training.config.experiment import Experiment, checked
from training.data.earlier import Earlier
from training.data.encode import Prepared, prepare
from training.data.experiment_log import open_log
from training.trainer.build_model import build_model
from training.trainer.carry_on import carry_on
from training.trainer.variable_names import TABLES, input_columns, named_variables

UNITS = 7
"""More units than any layer reads of others: longer axes have input columns."""
SMALL: dict[str, Any] = {
    **{name: [3] for name in ("towers", "bottom", "own_bottom", "network", "relation", "expert_units")},
    **dict.fromkeys(("transfer", "gate_units", "rank", "units", "experts"), 2),
}


def experiment(kinds: tuple[str, str], interaction: str = "none", **architecture: Any) -> Experiment:
    """A context of 8 columns and a candidate of 16, with one feature each of the names ``kinds``."""
    ids = {"kind": "categorical", "dimension": 4}
    schema = {
        **CONFIG["schema"],
        "context": {kinds[0]: {**ids, "column": "shelf"}, "user": ids},
        "candidate": {kinds[1]: {**ids, "column": "shelf"}, "item": ids, "rack": {**ids, "column": "shelf"}},
    }
    if architecture["name"] == "esmm":
        schema["tasks"] = {"click": {"kind": "binary"}, "like": {"kind": "binary", "given": "click"}}
    return checked({**CONFIG, "schema": schema, "interaction": {"name": interaction}, "architecture": architecture})


@pytest.fixture(scope="module")
def prepared(tmp_path_factory) -> tuple[Prepared, Prepared]:
    """The rows with the features before and after."""
    log = [file_of(rows(1, "abcd", 1))]
    found = []
    for kinds in (("os", "brand"), ("net", "maker")):
        config = experiment(kinds, name="shared_bottom")
        found.append(prepare(config, open_log(config, log), tmp_path_factory.mktemp("rows")))
    return found[0], found[1]


def moved(
    prepared: tuple[Prepared, Prepared], **config: Any
) -> dict[str, tuple[tuple[int, ...], list[tuple[list[int], list[int]]]]]:
    """By variable but tables, its old shape, and for each axis the old and the new places of entries that were kept."""
    old, new = (experiment(kinds, **config) for kinds in (("os", "brand"), ("net", "maker")))
    before, after = (
        build_model(e, p.encoder.layout, steps_per_epoch=3) for e, p in zip((old, new), prepared, strict=True)
    )
    for variable in named_variables(before).values():
        variable.assign(1000.0 + np.arange(np.prod(variable.shape)).reshape(variable.shape))
    facts, variables = state_arrays(before, prepared[0], old, None)
    artifact: Any = SimpleNamespace(encoder=prepared[0].encoder, schema=old.log_schema)
    earlier = Earlier(artifact, "", facts, SimpleNamespace())
    earlier.__dict__["variables"] = variables
    carry_on(after, new, prepared[1].encoder, earlier, [].append)
    found = {}
    for name, variable in named_variables(after).items():
        if name not in variables or name.startswith(TABLES):
            continue
        values, shape = variable.numpy(), variables[name].shape
        places = np.nonzero(values >= 1000)
        sources = np.unravel_index((values[places] - 1000).astype(int), shape)
        found[name] = (shape, [(a.tolist(), b.tolist()) for a, b in zip(sources, places, strict=True)])
    return found


def of_columns(prepared: tuple[Prepared, Prepared], side: str) -> dict[int, int]:
    """The new place of each old input column that is still there."""
    old, new = (getattr(input_columns(p.encoder), side) for p in prepared)
    assert len(old) == len(new) > UNITS
    return {old.index(name): new.index(name) for name in old if name in new}


def options_of(name: str) -> dict[str, Any]:
    known = ARCHITECTURES[name].Options.model_fields
    layers = {"layers": [3]} if name in ("cross_stitch", "soft_sharing") else {}
    return {"name": name, **layers, **{option: value for option, value in SMALL.items() if option in known}}


@pytest.mark.parametrize("name", TRAINABLE)
def test_only_columns_that_are_still_there_keep_their_values(prepared, name):
    checked_axes = 0
    sides = {f"kernel_{side}": of_columns(prepared, side) for side in ("context", "candidate")}
    for variable, (shape, axes) in moved(prepared, **options_of(name)).items():
        for axis, (sources, places) in enumerate(axes):
            if shape[axis] <= UNITS:
                assert sources == places, variable
                continue
            checked_axes += 1
            known = sides.get(variable.rpartition("/")[2], {}) if axis == 0 else {}
            assert all(known.get(source) == place for source, place in zip(sources, places, strict=True)), (
                variable,
                axis,
            )
    assert checked_axes


@pytest.mark.parametrize(("interaction", "kept"), [("none", 0), ("fm", 5), ("cross", None), ("dots", None)])
def test_columns_of_interactions_are_kept_only_where_they_mean_the_same(prepared, interaction, kept):
    found = moved(prepared, interaction=interaction, **options_of("shared_bottom"))
    name = next(name for name in found if name.startswith("trunk/") and name.endswith("kernel_candidate"))
    known, (shape, axes) = of_columns(prepared, "candidate"), found[name]
    columns = len(input_columns(prepared[0].encoder).candidate)
    pairs = {*zip(*axes[0], strict=True)}
    if kept is None:
        assert not pairs
        return
    assert shape[0] == columns + kept
    assert pairs == {*known.items(), *((columns + i, columns + i) for i in range(kept))}
