"""Every balancing method on Keras models that are not ours."""

import numpy as np
import pytest
import tensorflow as tf

from ranker.tasks import TASK_KINDS
from ranker.weighting import (
    MGDA,
    WEIGHTINGS,
    Balancer,
    LabelFacts,
    Static,
)
from tests.ranker.models import batch_of, model_of
from tests.ranker.weighting.readers_model import TASKS, Readers, batch

NEEDS = {"prior_inverse": {"facts": LabelFacts.of_rates([0.5, 0.3, 0.3])}}


def readers(name, *, with_features=True):
    tf.keras.utils.set_random_seed(1)
    return Readers(Balancer(name, TASKS, **NEEDS.get(name, {})), with_features=with_features)


def trained(name, steps, *, with_features=True, rate=0.05):
    """A model after some steps, and their logs; not compiled, which takes longer than so few steps."""
    model = readers(name, with_features=with_features)
    model.compile(optimizer=tf.keras.optimizers.legacy.Adam(rate))
    return model, [model.train_step(batch()) for _ in range(steps)]


WAYS = [(name, True) for name in WEIGHTINGS] + [
    (name, False) for name in ("static", "imtl_l", "mgda", "pcgrad", "pe_ltr")
]
"""Whether a Gramian is that of features or of variables is the tape's doing, and the same for all methods."""


@pytest.mark.parametrize(("name", "with_features"), WAYS)
def test_every_method_trains_a_readers_model(name, with_features):
    model, logs = trained(name, 5, with_features=with_features, rate=0.2)
    first, last = (sum(float(log[task]) for task in TASKS) for log in (logs[0], logs[-1]))
    assert last < 0.75 * first
    assert np.isfinite([log["weights"] for log in logs]).all()
    assert float(model.unused) == 1


@pytest.mark.parametrize(
    ("name", "with_features"),
    [("uncertainty", True), ("famo", True), ("gradnorm", True), ("dtp", False), ("pcgrad", False)],
)
def test_a_graph_and_eager_steps_agree(name, with_features):
    trained_in = []
    for eager in (False, True):
        model = readers(name, with_features=with_features)
        model.compile(optimizer=tf.keras.optimizers.Adam(0.05), run_eagerly=eager)
        model.fit(tf.data.Dataset.from_tensors(batch()).repeat(3), verbose=0)
        trained_in.append(model.trainable_variables)
    for one, other in zip(*trained_in, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("name", ["static", "mgda", "pcgrad", "uncertainty"])
def test_the_ranking_model_takes_the_same_step(rows, name):
    """The model's own parts, put together as a reader would, move as its train step does."""
    kind = WEIGHTINGS[name]
    one, other = (model_of(rows, "mmoe", kind(), activation="tanh") for _ in range(2))
    data, balancer = batch_of(rows), Balancer(name, rows.schema.tasks)
    one.compile(optimizer=tf.keras.optimizers.legacy.SGD(0.1))
    for _ in range(2):
        one.train_step(data)
        with balancer.tape() as tape:
            features = tape.share(other._trunk(data, training=True))
            losses = other._task_losses(other.architecture.logits(features, training=True), data)
        tape.step(tf.keras.optimizers.legacy.SGD(0.1), losses, other.trainable_variables)
    ours, theirs = ([*model.shared_variables, *model.head_variables] for model in (one, other))
    for first, second in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(first, second, atol=1e-6)


@pytest.mark.parametrize("name", ["uncertainty", "imtl_l", "famo", "gradnorm", "dwa", "dtp", "excess_mtl", "gradvac"])
def test_a_checkpoint_holds_what_the_method_remembers(name, tmp_path):
    model, _ = trained(name, 3)
    path = tf.train.Checkpoint(model).write(str(tmp_path / "state"))
    other = readers(name)
    tf.train.Checkpoint(other).read(path).expect_partial()
    state = [variable.numpy() for variable in model.balancer.variables]
    assert state
    for kept, restored in zip(state, other.balancer.variables, strict=True):
        np.testing.assert_array_equal(restored, kept)


def test_what_the_method_learns_is_trained_with_the_model():
    model, _ = trained("uncertainty", 2)
    assert np.abs(model.balancer.method.log_variances).min() > 0


def test_famo_looks_at_the_losses_after_the_step():
    model, _ = trained("famo", 2)
    assert np.ptp(model.balancer.method._logits) > 0


def test_weights_hold_in_between():
    tf.keras.utils.set_random_seed(1)
    model = Readers(Balancer("mgda", TASKS, every=2))
    model.compile(optimizer=tf.keras.optimizers.Adam(0.02))
    seen = []
    for compare in (True, False, True, False):
        model.passed = {"compare": compare}
        seen.append(model.train_step(batch())["weights"].numpy())
    np.testing.assert_array_equal(seen[1], seen[0])
    np.testing.assert_array_equal(seen[3], seen[2])
    assert not np.allclose(seen[2], seen[0])


@pytest.mark.parametrize("name", list(WEIGHTINGS))
def test_a_single_task(name):
    kernel = tf.Variable([[2.0]])
    balancer = Balancer(name, {"only": "binary"}, facts=LabelFacts.of_rates([0.4]))
    with balancer.tape() as tape:
        loss = tf.reduce_sum(tape.share(tf.ones([1, 1]) @ kernel) ** 2)
    found = tape.gradients({"only": loss}, [kernel], quality=tf.constant([0.6]))
    gradients = {variable.ref(): gradient for gradient, variable in found.updates}
    assert float(found.weights[0]) > 0
    np.testing.assert_allclose(gradients[kernel.ref()], [[4 * found.weights[0]]], rtol=1e-6)


def test_names_options_and_instances_are_the_same_method():
    ways = ["mgda", MGDA.Options(), MGDA(), MGDA(MGDA.Options())]
    assert all(isinstance(Balancer(way, ["a", "b"]).method, MGDA) for way in ways)
    assert Balancer("static", ["a", "b"], weights={"b": 3.0}).method.options.weights == {"b": 3.0}


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("mgdaa", ["a"]), {}, "did you mean 'mgda'"),
        (("cagrad", ["a"]), {"d": 0.3}, "unknown key 'd'"),
        ((Static(), ["a"]), {"weights": 2.0}, "need the method's name"),
        (("mgda", []), {}, "one name or more"),
        (("mgda", "click"), {}, "one name or more"),
        (("mgda", ["a", "a"]), {}, "each once"),
        (("mgda", {"a": "count"}), {}, r"'a': unknown task kind 'count'.*binary, .*regression"),
        (("uncertainty", ["a"]), {}, "tasks={'a': 'binary'}"),
        (("prior_inverse", ["a"]), {}, "pass facts"),
        (("initial_inverse", ["a"]), {"initial": "theory"}, "pass facts"),
        (("mgda", ["a"]), {"scale_by": "prior"}, "pass facts"),
        (("mgda", ["a", "b"], LabelFacts.of_rates([0.1])), {}, r"need 2 number\(s\), one per task, got 1"),
        (("pe_ltr", ["a"]), {"bounds": {"b": 0.1}}, "unknown task 'b'"),
    ],
)
def test_what_does_not_fit_is_refused(arguments, options, message):
    with pytest.raises((KeyError, ValueError), match=message):
        Balancer(*arguments, **options)


def test_rates_give_facts():
    facts = LabelFacts.of_rates([0.5, 0.0])
    np.testing.assert_allclose(facts.constant, [np.log(2), 0])
    np.testing.assert_allclose(facts.untrained, [np.log(2)] * 2)
    with pytest.raises(ValueError, match=r"between 0 and 1, got 1\.5"):
        LabelFacts.of_rates([1.5])


@pytest.mark.parametrize("kind", list(TASK_KINDS))
def test_every_kind_of_task_may_be_named(kind):
    assert Balancer("uncertainty", tasks={"target": kind}).tasks == ("target",)
