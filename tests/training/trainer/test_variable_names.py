import numpy as np
import pytest

from ranker.encoding import EncoderFitter
from ranker.encoding.layout import LayoutBuilder, Periodic
from tests.training.days import CONFIG
from training.config.experiment import checked
from training.trainer.build_model import build_model
from training.trainer.input_axes import input_axes
from training.trainer.variable_names import input_columns, named_variables, set_names


def model(architecture, tasks=("click", "like"), **changes):
    schema = {**CONFIG["schema"], "tasks": {task: {"kind": "binary"} for task in tasks}}
    builder = LayoutBuilder()
    builder.table("user", 5, 4)
    builder.table("item", 7, 4)
    builder.ids("context", "user", "user")
    builder.ids("candidate", "item", "item")
    experiment = checked({**CONFIG, "schema": schema, "architecture": architecture, **changes})
    return build_model(experiment, builder.build())


PLE = {"name": "ple", "expert_units": [3], "towers": [2], "levels": 2, "shared_experts": 1}


def test_names_are_those_of_layers_and_tasks_and_the_same_in_every_model():
    changes = {"interaction": {"name": "cross", "layers": 2}, "weighting": "uncertainty"}
    names = list(named_variables(model(PLE, **changes)))
    assert list(named_variables(model(PLE, **changes))) == names  # although Keras goes on counting its layers
    assert len(set(names)) == len(names)
    assert "embedding/tables/4" in names
    assert "weighting/log_variances" in names
    assert any(name.startswith("interactions/interaction/crosses/1/") for name in names)
    assert any("level_0_click_0" in name for name in names)
    assert any(name.startswith("heads/like/") and "last_like_0" in name for name in names)


@pytest.mark.parametrize("architecture", [PLE, {"name": "cross_stitch", "layers": [3], "towers": []}])
def test_without_a_task_its_variables_are_gone_and_the_others_have_their_names(architecture):
    both, one = (named_variables(model(architecture, tasks)) for tasks in (("click", "like"), ("like",)))
    assert one.keys() < both.keys()
    assert {name for name in both if "like" in name} == {name for name in one if "like" in name}
    assert not any("click" in name for name in one)


def test_the_sets_of_embeddings_are_named_by_task():
    stem = {"name": "stem", "expert_units": [3], "towers": []}
    assert set_names(model(stem)) == ("shared", "task:click", "task:like")
    assert set_names(model({"name": "shared_bottom", "bottom": [3]})) == ("0",)


def test_moving_statistics_of_a_batch_normalisation_are_kept_too():
    names = named_variables(model({"name": "home", "expert_units": [3], "towers": []}))
    scales = [name.removesuffix("gamma") for name in names if name.endswith("normalise/gamma")]
    assert scales
    assert all({f"{scale}moving_mean", f"{scale}moving_variance"} <= names.keys() for scale in scales)


def test_the_interactions_of_several_sets_are_named_by_task():
    """By their places, a removed task's interactions would become those of the task after it."""
    stem = {"name": "stem", "expert_units": [3], "towers": []}
    names = named_variables(model(stem, interaction={"name": "cross", "layers": 1}))
    found = {name.split("/")[1] for name in names if name.startswith("interactions/")}
    assert found == {"shared", "task:click", "task:like"}


def statistics_inputs(**options):
    """What follows the key in the names of the inputs of an item's label statistics."""
    of = {"label_statistics": {"of": ["item"], "labels": ["like"], **options}}
    schema = checked({**CONFIG, "schema": {**CONFIG["schema"], **of}}).log_schema
    fitter = EncoderFitter(schema)
    columns = {"user": ["u"], "item": ["a"], "shelf": [1], "price": np.ones(1)}
    fitter.add(columns, np.ones((1, 2)), np.ones((1, 2), dtype=bool), np.zeros(1, dtype=int), np.zeros(1, dtype=int))
    inputs = input_columns(fitter.fitted()).candidate
    return [name.removeprefix("label_statistics(item)") for name in inputs if name.startswith("label_")]


def test_inputs_of_label_statistics_are_named_by_label_and_span():
    assert statistics_inputs(windows=[1], half_lives=[2.5]) == [
        "[count]",
        "[like]",
        "[count, last 1 days]",
        "[like, last 1 days]",
        "[count, half-life 2.5 days]",
        "[like, half-life 2.5 days]",
    ]
    assert statistics_inputs(transform="piecewise_linear", bins=2) == [
        "[count, bin 0 of 2]",
        "[count, bin 1 of 2]",
        "[like, bin 0 of 2]",
        "[like, bin 1 of 2]",
    ]


def test_embedded_numbers_are_named_by_feature():
    builder = LayoutBuilder()
    builder.table("item", 7, 4)
    builder.ids("candidate", "item", "item")
    builder.numbers("candidate", "price", 2, Periodic(2, 0.1, 3), flags=1)
    network = build_model(checked(CONFIG), builder.build())
    names = [name for name in named_variables(network) if "price" in name]
    path = "embedding/numbers/candidate/periodic/price"
    assert names == [f"{path}/frequencies", f"{path}/kernel", f"{path}/bias"]
    axes = input_axes(network, checked(CONFIG), embedded=True)  # another input changes none of them
    assert [axes.growth[name] for name in names] == [(0, 0), (0, 0, 0), (0, 0)]
