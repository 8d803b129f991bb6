"""What the tape makes of a forward pass: seeds by hand, exact Gramians, and what it refuses."""

import numpy as np
import pytest
import tensorflow as tf

from ranker.weighting import WEIGHTINGS, Balancer, GradientBalancer
from tests.ranker.weighting.readers_model import TASKS, Readers, batch

GRADIENT_METHODS = [name for name in WEIGHTINGS if issubclass(WEIGHTINGS[name], GradientBalancer)]

# A linear problem in the plane: losses 1 + g_i . x of gradients g_1 = (1, 0), g_2 = (-1, 1).
PLANE = np.array([[1.0, 0.0], [-1.0, 1.0]], np.float32)
BY_HAND = {
    "static": [1, 1],
    "mgda": [0.6, 0.4],  # of least norm: w1 = (2 + 1) / (1 + 2 + 2)
    "pcgrad": [2, 1.5],  # g1 + g2 / 2, and g2 + g1
    "normalized_gradients": [1, 0.5**0.5],
    "dualproj": [0.5, 0.5],  # their mean (0, 1/2) opposes neither
    "current_inverse": [1, 1],  # both losses are 1 at 0
}


def plane_step(name, with_features, apply=None):
    x = tf.Variable([0.0, 0.0])
    balancer = Balancer(name, ["first", "second"])
    with balancer.tape() as tape:
        features = tape.share(tf.identity(x)) if with_features else x
        losses = [1.0 + tf.reduce_sum(features * gradient) for gradient in PLANE]
    if apply is not None:
        tape.step(apply, losses, [x], shared=[x])
        return x.numpy()
    return tape.gradients(losses, [x], shared=[x])


@pytest.mark.parametrize("with_features", [True, False])
@pytest.mark.parametrize("name", list(BY_HAND))
def test_the_step_is_the_one_by_hand(name, with_features):
    found = plane_step(name, with_features)
    np.testing.assert_allclose(found.weights, BY_HAND[name], rtol=1e-5)
    ((gradient, _),) = found.updates
    np.testing.assert_allclose(gradient, np.array(BY_HAND[name]) @ PLANE, rtol=1e-5, atol=1e-7)
    moved = plane_step(name, with_features, tf.keras.optimizers.SGD(0.1))
    np.testing.assert_allclose(moved, -0.1 * np.array(BY_HAND[name]) @ PLANE, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", GRADIENT_METHODS)
def test_features_that_are_the_shared_variables_give_the_same_seed(name):
    """The trunk is the identity, so gradients of features and of variables are one thing."""
    by_features, by_variables = (plane_step(name, with_features) for with_features in (True, False))
    np.testing.assert_allclose(by_features.gramian, PLANE @ PLANE.T, rtol=1e-6)
    np.testing.assert_allclose(by_features.gramian, by_variables.gramian, rtol=1e-6)
    np.testing.assert_allclose(by_features.weights, by_variables.weights, rtol=1e-6)


def gradients_of(with_features, **options):
    tf.keras.utils.set_random_seed(1)
    balancer = Balancer("pcgrad", TASKS, **options)
    model = Readers(balancer)
    rows = batch()
    with balancer.tape() as tape:
        features = model.features(rows["ids"])
        features = tape.share(features) if with_features else features
        losses, _ = model.losses_of(features, rows)
    shared = [*model.table.trainable_variables, *model.trunk.trainable_variables]
    return tape.gradients(losses, model.trainable_variables, shared=shared), model, rows


def jacobian(model, rows, variables):
    flat = []
    for task in TASKS:
        with tf.GradientTape() as tape:
            loss = model.losses_of(model.features(rows["ids"]), rows)[0][task]
        found = tape.gradient(loss, variables, unconnected_gradients="zero")
        flat.append(np.concatenate([tf.convert_to_tensor(g).numpy().ravel() for g in found]))
    return np.array(flat)


@pytest.mark.parametrize(
    ("with_features", "options", "tables"),
    [
        (False, {}, True),
        (False, {"gradients_of": "shared"}, False),
        (False, {"gradients_of": "shared_with_embeddings"}, True),
        (True, {"gradients_of": "shared"}, False),
        (True, {"gradients_of": "shared_with_embeddings"}, True),
    ],
)
def test_the_gramian_of_variables_is_exact(with_features, options, tables):
    found, model, rows = gradients_of(with_features, **options)
    variables = [*(model.table.trainable_variables if tables else []), *model.trunk.trainable_variables]
    jacobi = jacobian(model, rows, variables)
    np.testing.assert_allclose(found.gramian, jacobi @ jacobi.T, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("options", [{}, {"gradients_of": "shared"}, {"gradients_of": "shared_with_embeddings"}])
@pytest.mark.parametrize("with_features", [True, False])
def test_shared_gradients_are_weighted_and_heads_keep_their_own(with_features, options):
    found, model, rows = gradients_of(with_features, **options)
    updates = {variable.ref(): tf.convert_to_tensor(gradient).numpy() for gradient, variable in found.updates}
    assert model.unused.ref() not in updates
    shared = [*model.table.trainable_variables, *model.trunk.trainable_variables]
    expected = found.weights.numpy() @ jacobian(model, rows, shared)
    np.testing.assert_allclose(np.concatenate([updates[v.ref()].ravel() for v in shared]), expected, atol=1e-6)
    for index, head in enumerate([*model.heads.values(), model.classes]):
        own = jacobian(model, rows, head.trainable_variables)[index]
        got = np.concatenate([updates[v.ref()].ravel() for v in head.trainable_variables])
        np.testing.assert_allclose(got, own, atol=1e-6)


@pytest.mark.parametrize("with_features", [True, False])
def test_gradients_by_task_are_those_of_each_loss(with_features):
    found, model, rows = gradients_of(with_features)
    shared = [*model.table.trainable_variables, *model.trunk.trainable_variables]
    columns = found.task_gradients.by_task(shared)
    flat = [
        np.concatenate([tf.convert_to_tensor(g).numpy().ravel() for g in task]) for task in zip(*columns, strict=True)
    ]
    np.testing.assert_allclose(np.array(flat), jacobian(model, rows, shared), atol=1e-6)


def test_gradients_of_tables_stay_sparse():
    for with_features in (True, False):
        found, model, _ = gradients_of(with_features)
        (table,) = model.table.trainable_variables
        (gradient,) = [gradient for gradient, variable in found.updates if variable is table]
        assert isinstance(gradient, tf.IndexedSlices)


@pytest.mark.parametrize("name", ["static", "pcgrad"])
def test_penalties_are_added_as_they_are(name):
    kernel, head = tf.Variable([[2.0]]), tf.Variable([[3.0]])
    found = []
    for factor in (0.0, 1.0):
        with Balancer(name, ["only"]).tape() as tape:
            features = tape.share(tf.ones([1, 1]) @ kernel)
            loss = tf.reduce_sum(features @ head)
            penalty = factor * (tf.reduce_sum(kernel**2) + tf.reduce_sum(head**3))
        found.append([g.numpy().item() for g, _ in tape.gradients([loss], [kernel, head], penalties=[penalty]).updates])
    np.testing.assert_allclose(np.subtract(*found[::-1]), [4.0, 27.0])


def used(name="mgda", tasks=("a", "b"), losses=None, share=True, outside=False, step=False, twice=False, **passed):
    kernel, options = tf.Variable([2.0]), passed.pop("options", {})
    with Balancer(name, tasks, **options).tape() as tape:
        features = 2.0 * kernel
        features = tape.share(features) if share else features
        if twice:
            tape.share(features)
        own = [tf.reduce_sum(features**2), tf.reduce_sum(features)]
    if outside:
        own = [tf.reduce_sum(features**2), tf.reduce_sum(features)]
    given = own if losses is None else losses(own, kernel)
    if step:
        return tape.step(tf.keras.optimizers.SGD(0.1), given, [kernel], **passed)
    return tape.gradients(given, [kernel], **passed)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"share": False}, "mark the tensors heads read with tape.share"),
        ({"share": False, "shared": [], "options": {"gradients_of": "representation"}}, "gradients_of: representation"),
        ({"twice": True}, "share was called twice"),
        ({"outside": True}, "no loss reaches the features"),
        ({"outside": True, "name": "static"}, "no loss reaches the features"),
        ({"losses": lambda own, _: own[:1]}, r"each of 2 task\(s\) \(a, b\), got 1"),
        ({"losses": lambda own, _: tf.stack(own)}, "a list or a mapping of scalars"),
        ({"losses": lambda own, _: {"a": own[0], "c": own[1]}}, "unknown task 'c'"),
        ({"losses": lambda own, _: {"a": own[0]}}, "missing loss of 'b'"),
        ({"losses": lambda own, _: [own[0], own[1][None]]}, "'b' must be a scalar"),
        ({"name": "famo", "step": True}, "pass look_again"),
        ({"name": "dtp"}, "pass quality"),
        ({"options": {"every": 4}}, "compares gradients once every 4 steps"),
        ({"compare": False}, "keeps them only if every > 1"),
        ({"shared": []}, "Variable:0: read before share, but not among the shared"),
    ],
)
def test_what_a_step_lacks_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        used(**arguments)


def test_dtp_by_likelihood_needs_only_losses():
    assert np.isfinite(used("dtp", options={"kpi": "likelihood"}).weights).all()


def tied(name):
    """A head that reads a shared variable directly, bypassing the features."""
    kernel = tf.Variable([2.0])
    with Balancer(name, ["a", "b"]).tape() as tape:
        features = tape.share(3.0 * kernel)
        losses = [tf.reduce_sum(features * kernel), tf.reduce_sum(features)]
    return tape.gradients(losses, [kernel])


def test_variables_read_past_the_features():
    with pytest.raises(ValueError, match=r"heads read Variable:0 directly"):
        tied("mgda")
    ((gradient, _),) = tied("static").updates
    np.testing.assert_allclose(gradient, [3 * 2 * 2 + 3])  # of 3 x^2 + 3 x at 2
