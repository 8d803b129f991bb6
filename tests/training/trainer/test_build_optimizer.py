"""The config's groups, on the model that they are for."""

import shutil

import numpy as np
import pytest
import tensorflow as tf

from ranker.log_files.log_reader import Log
from ranker.optimizers.per_task import PerTaskOptimizer
from tests.training.conftest import CONFIG, written
from training.config.experiment import Experiment, load
from training.data.encode import prepare
from training.progress_listener import RunListener
from training.trainer.build_model import build_model
from training.trainer.train import train

GROUPS = {
    "average": 0.9,
    "dense": {"learning_rate": 0.002, "schedule": "cosine", "warmup_steps": 3, "clip_norm": 10.0},
    "embeddings": {"name": "adagrad", "learning_rate": 0.02, "schedule": "exponential"},
    "shared": {"per_task": True, "weight_decay": 0.01},
    "towers": {"name": "rmsprop", "by_task": {"like": {"learning_rate": 0.005}}},
    "wide": {"name": "ftrl", "learning_rate": 0.05, "l1": 1e-4, "schedule": "constant"},
    "weighting": {"name": "sgd", "learning_rate": 0.01},
}
EVERY_GROUP = {"interaction": "fm", "weighting": "uncertainty", "optimizer": GROUPS}


SMALL = {"name": "shared_bottom", "bottom": [6], "towers": [4], "dropout": 0.1}


def experiment(**changes):
    return Experiment.model_validate({**CONFIG, "architecture": SMALL, **changes})


@pytest.fixture(scope="module")
def layout(log, tmp_path_factory):
    return prepare(experiment(), Log([log]), tmp_path_factory.mktemp("rows")).encoder.layout


def names(variables):
    return {variable.ref() for variable in variables}


def test_every_variable_is_in_the_group_that_is_for_it(layout):
    model = build_model(experiment(**EVERY_GROUP), layout, steps_per_epoch=10)
    embeddings, shared, towers, like, wide, weighting = _by(model, "embeddings shared towers like wide weighting")
    heads = dict(zip(model.architecture.tasks, model.architecture.heads, strict=True))
    assert names(embeddings.variables) == names(model.embedding.tables.values())
    assert names(like.variables) == names(heads["like"].trainable_variables)
    others = [v for task in ("click", "watch_time") for v in heads[task].trainable_variables]
    assert names(towers.variables) == names(others)
    assert names(wide.variables) == names(model.interactions[0].linear.trainable_variables)
    assert names(weighting.variables) == names(model.weighting.trainable_variables)
    trunk, poolings = model.architecture.trunk.trainable_variables, model.embedding.dense_variables
    assert names(shared.variables) == names([*trunk, *poolings])
    assert isinstance(shared.optimizer, PerTaskOptimizer)
    assert [type(group.optimizer).__name__ for group in (embeddings, towers, like, wide, weighting)] == [
        "Adagrad",
        "RMSprop",
        "RMSprop",
        "Ftrl",
        "SGD",
    ]
    assert wide.optimizer.get_config()["l1_regularization_strength"] == pytest.approx(1e-4)
    assert (shared.weight_decay, towers.weight_decay) == (0.01, 0.0)
    assert {optimizer.clipnorm for optimizer in (*shared.optimizer.of_tasks, like.optimizer)} == {10.0}


def _by(model, order):
    """Groups in the order of their names, told by their first variables."""
    heads = dict(zip(model.architecture.tasks, model.architecture.heads, strict=True))
    first = {
        "embeddings": next(iter(model.embedding.tables.values())),
        "shared": model.architecture.trunk.trainable_variables[0],
        "towers": heads["click"].trainable_variables[0],
        "like": heads["like"].trainable_variables[0],
        "wide": model.interactions[0].wide_variables[0],
        "weighting": model.weighting.trainable_variables[0],
    }
    return [
        next(g for g in model.optimizer.groups if first[name].ref() in names(g.variables)) for name in order.split()
    ]


def test_rates_are_each_groups_own_and_end_with_the_last_epoch(layout):
    model = build_model(experiment(**EVERY_GROUP), layout, steps_per_epoch=10)  # of 3 epochs
    embeddings, shared, like, wide = _by(model, "embeddings shared like wide")
    found = []
    for step in (0, 3, 30):
        model.optimizer.step.assign(step)
        found.append([float(group.rate()) for group in (embeddings, shared, like, wide)])
    np.testing.assert_allclose(found[0], [0.02, 0.002 / 3, 0.005 / 3, 0.05 / 3], rtol=1e-5)
    np.testing.assert_allclose(found[1], [0.02 * 0.01**0.1, 0.002, 0.005, 0.05], rtol=1e-5)
    np.testing.assert_allclose(found[2], [0.02 * 0.01, 0.002 * 0.01, 0.005 * 0.01, 0.05], rtol=1e-5)


def test_by_default_one_optimiser_moves_all_that_is_no_table(layout):
    model = build_model(experiment(interaction="fm", weighting="uncertainty"), layout, steps_per_epoch=10)
    dense, embeddings = model.optimizer.groups
    assert (type(dense.optimizer).__name__, type(embeddings.optimizer).__name__) == ("Adam", "Adagrad")
    every = [*model.trainable_variables, *model.weighting.trainable_variables]
    assert names(dense.variables) | names(embeddings.variables) == names(every)
    assert len(dense.variables) + len(embeddings.variables) == len(names(every))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"optimizer": {"wide": {}}},
            "optimizer.wide: this model has no such variables; it has embeddings, shared, towers",
        ),
        ({"optimizer": {"weighting": {}}}, "optimizer.weighting: this model has no such variables"),
        (
            {"optimizer": {"dense": {"warmup_steps": 30}}},
            "optimizer.dense.warmup_steps must be fewer than the run's 30",
        ),
    ],
)
def test_what_a_model_does_not_have_is_refused(layout, changes, expected):
    with pytest.raises(ValueError, match=expected):
        build_model(experiment(**changes), layout, steps_per_epoch=10)


def test_overrides_of_a_task_are_for_all_of_its_heads(log, tmp_path):
    schema = {
        **CONFIG["schema"],
        "tasks": {"click": {"kind": "binary"}, "like": {"kind": "ordinal", "levels": [0, 1, 2]}},
    }
    schema["label_statistics"] = None
    towers = {"by_task": {"like": {"learning_rate": 0.5}, "click": {"learning_rate": 0.25}}}
    config = experiment(
        schema=schema, optimizer={"towers": towers}, evaluation={}, early_stopping=None, fusion="additive"
    )
    model = build_model(config, prepare(config, Log([log]), tmp_path).encoder.layout, steps_per_epoch=10)
    assert model.architecture.tasks == ("click", "like", "like.logit_2")
    rates = {float(group.rate()): names(group.variables) for group in model.optimizer.groups}
    click, *like = (names(head.trainable_variables) for head in model.architecture.heads)
    assert rates[0.25] == click
    assert rates[0.5] == set().union(*like)


def test_moments_by_task_need_shared_layers(log, tmp_path):
    schema = {**CONFIG["schema"], "context": {"user_id": {"kind": "categorical", "dimension": 4}}}
    alone = experiment(schema=schema, architecture="independent", optimizer={"shared": {"per_task": True}})
    layout = prepare(alone, Log([log]), tmp_path).encoder.layout
    with pytest.raises(
        ValueError, match=r"optimizer\.shared: this model has no such variables; it has embeddings, towers"
    ):
        build_model(alone, layout, steps_per_epoch=10)


def test_killed_it_goes_on_to_the_same_result_with_every_groups_moments(log, tmp_path):
    training = {"epochs": 2, "batch_size": 256, "checkpoint_every": 4}
    schema = {**CONFIG["schema"], "label_statistics": None, "context": {"user_id": {"kind": "categorical"}}}
    changes = {"schema": schema, "architecture": SMALL, "evaluation": {"bootstrap": 0}, "training": training}
    changes["early_stopping"] = None
    config = load(written(tmp_path, **{**EVERY_GROUP, **changes}))

    def keep(epoch, step, steps, losses):
        if (epoch, step) == (2, 7):  # what a kill leaves; a checkpoint lies three steps back
            shutil.copytree(tmp_path / "whole", tmp_path / "cut")

    whole = train(config, [log], tmp_path / "whole", RunListener(step=keep))
    notes = []
    resumed = train(config, [log], tmp_path / "cut", RunListener(note=notes.append))
    assert "resuming from epoch 2, step 4" in notes[-1]
    assert resumed.history == whole.history
    ours, theirs = (saved(tmp_path / name / "run" / "checkpoints" / "latest") for name in ("cut", "whole"))
    slots = [key for key in ours if "OPTIMIZER_SLOT" in key]
    by_task = [key for key in slots if "/task_2/" in key]
    assert len(slots) > len(by_task) > 5
    assert ours.keys() == theirs.keys()
    for key, value in ours.items():
        np.testing.assert_array_equal(value, theirs[key], err_msg=key)

    for place, variable in enumerate(whole.model.trainable_variables):  # what is validated and exported
        (average,) = (value for key, value in theirs.items() if f"/average/averages/{place}/" in key)
        np.testing.assert_array_equal(variable, average)


def test_tables_drawn_afresh_are_not_averaged():
    with pytest.raises(ValueError, match=r"optimizer\.average: would average tables across epochs"):
        experiment(optimizer={"average": 0.99}, embedding={"reinitialise_each_epoch": True})


def saved(folder):
    """Everything in the latest checkpoint but how often and in what order it was written."""
    reader = tf.train.load_checkpoint(tf.train.latest_checkpoint(str(folder)))
    skipped = ("_CHECKPOINTABLE_OBJECT_GRAPH", "save_counter")
    return {key: reader.get_tensor(key) for key in reader.get_variable_to_shape_map() if not key.startswith(skipped)}
