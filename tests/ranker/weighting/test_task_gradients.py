import numpy as np
import pytest
import tensorflow as tf

from ranker.architectures import ARCHITECTURES
from ranker.weighting import PELTR, WEIGHTINGS, Balance, GradientBalancer
from tests.ranker.models import batch_of, model_of


class Fixed(GradientBalancer):
    """Given weights, so that the combination can be compared with a plain weighted sum."""

    def __init__(self, weights, gradients_of):
        super().__init__(PELTR.Options())
        self.fixed, self.gradients_of, self.gramian = tf.constant(weights), gradients_of, None

    def balance(self, losses, evidence):
        del losses
        self.gramian = evidence.gramian()
        return Balance(self.fixed, self.fixed, [])


class Keep(tf.keras.optimizers.legacy.SGD):
    """Remembers what it was asked to apply."""

    def apply_gradients(self, grads_and_vars, **_):
        self.kept = {v.ref(): tf.convert_to_tensor(g) for g, v in grads_and_vars}


WITHOUT_SHARED_LAYERS = ("esmm", "independent")
WAYS = [
    (name, way)
    for name in ARCHITECTURES
    for way in ("representation", "shared", "shared_with_embeddings")
    if way == "representation" or name not in WITHOUT_SHARED_LAYERS
]


@pytest.mark.parametrize(("name", "gradients_of"), WAYS)
def test_the_combination_is_the_gradient_of_the_weighted_sum(rows, name, gradients_of):
    weights = [0.5, 0.2, 0.3]
    model = model_of(rows, name, Fixed(weights, gradients_of), l2=0.01, activation="tanh")
    model.compile(optimizer=Keep())
    batch = batch_of(rows)
    model.train_step(batch)
    with tf.GradientTape() as tape:
        losses = model.compute_loss(batch, training=True)
        penalties = [*model.embedding.losses, *model.architecture.trunk.losses]
        total = tf.add_n([w * loss for w, loss in zip(weights, losses, strict=True)]) + tf.add_n(penalties)
    variables = model.trainable_variables
    for variable, expected in zip(variables, tape.gradient(total, variables), strict=True):
        np.testing.assert_allclose(model.optimizer.kept[variable.ref()], tf.convert_to_tensor(expected), atol=1e-6)


@pytest.mark.parametrize("name", ["shared_bottom", "mmoe", "ple"])
def test_the_gramian_of_shared_variables_is_exact(rows, name):
    model = model_of(rows, name, Fixed([1.0, 1.0, 1.0], "shared"))
    model.compile(optimizer=Keep())
    batch = batch_of(rows)
    model.train_step(batch)
    trunk = model.architecture.trunk.trainable_variables
    flat = []
    for task in range(3):
        with tf.GradientTape() as tape:
            loss = model.compute_loss(batch, training=True)[task]
        gradients = tape.gradient(loss, trunk, unconnected_gradients="zero")
        flat.append(np.concatenate([g.numpy().ravel() for g in gradients]))
    np.testing.assert_allclose(model.weighting.gramian, np.array(flat) @ np.array(flat).T, rtol=1e-3, atol=1e-9)


def test_the_gramian_of_the_representation_by_hand(rows):
    model = model_of(rows, "shared_bottom", Fixed([1.0, 1.0, 1.0], "representation"))
    model.compile(optimizer=Keep())
    batch = batch_of(rows)
    model.train_step(batch)
    hidden = model._trunk(batch, training=True)
    flat = []
    for task in range(3):
        with tf.GradientTape() as tape:
            tape.watch(hidden)
            logits = model.architecture.logits(hidden, training=True)
            loss = model._task_losses(logits, batch)[task]
        flat.append(tape.gradient(loss, hidden)[0].numpy().ravel())
    np.testing.assert_allclose(model.weighting.gramian, np.array(flat) @ np.array(flat).T, rtol=1e-4, atol=1e-9)


@pytest.mark.parametrize("name", ["shared_bottom", "ple", "stem"])
def test_the_gramian_with_embeddings_is_that_of_whole_tables(rows, name):
    model = model_of(rows, name, Fixed([1.0, 1.0, 1.0], "shared_with_embeddings"))
    model.compile(optimizer=Keep())
    batch = batch_of(rows)
    model.train_step(batch)
    flat = []
    for task in range(3):
        with tf.GradientTape() as tape:
            loss = model.compute_loss(batch, training=True)[task]
        gradients = tape.gradient(loss, model.shared_variables, unconnected_gradients="zero")
        flat.append(np.concatenate([tf.convert_to_tensor(g).numpy().ravel() for g in gradients]))
    np.testing.assert_allclose(model.weighting.gramian, np.array(flat) @ np.array(flat).T, rtol=1e-3, atol=1e-9)


@pytest.mark.parametrize("gradients_of", ["representation", "shared", "shared_with_embeddings"])
def test_a_pareto_step_increases_no_loss(rows, gradients_of):
    model = model_of(rows, "shared_bottom", PELTR(PELTR.Options(gradients_of=gradients_of)), activation="tanh")
    batch = batch_of(rows)
    before = np.array(model.compute_loss(batch))
    model.compile(optimizer=tf.keras.optimizers.legacy.SGD(1e-3))
    model.train_step(batch)
    assert (np.array(model.compute_loss(batch)) <= before + 1e-7).all()


def test_comparing_shared_variables_where_there_are_none_is_refused(rows):
    with pytest.raises(ValueError, match="this architecture has none; use representation"):
        model_of(rows, "esmm", PELTR(PELTR.Options(gradients_of="shared")))


@pytest.mark.parametrize("name", list(WEIGHTINGS))
def test_every_method_trains(rows, name):
    model = model_of(rows, "shared_bottom", WEIGHTINGS[name]())
    model.compile(optimizer=tf.keras.optimizers.legacy.Adam(0.1))
    batch = batch_of(rows)
    before = np.array(model.compute_loss(batch))
    for _ in range(8):  # not compiled, which takes longer than so few steps; test_balancer compiles every method
        logs = model.train_step(batch)
    assert np.array(model.compute_loss(batch)).sum() < 0.8 * before.sum()
    assert set(logs) >= {"losses", "weights"}


@pytest.mark.parametrize("weighting", ["static", "pe_ltr"])
def test_penalties_of_heads_are_added_as_they_are(rows, weighting):
    def gradients(**options):
        model = model_of(rows, "aitm", WEIGHTINGS[weighting](), activation="tanh", **options)
        model.compile(optimizer=Keep())
        model.train_step(batch_of(rows))
        return model, [model.optimizer.kept[v.ref()] for v in model.trainable_variables]

    _, plain = gradients()
    model, whole = gradients(calibrator=0.5)
    with tf.GradientTape() as tape:
        shared = model._trunk(batch_of(rows), training=True)
        logits = model.architecture.logits(shared, training=True)
        (penalty,) = model.architecture.penalties(logits)
    extra = tape.gradient(penalty, model.trainable_variables, unconnected_gradients="zero")
    assert float(penalty) > 0
    for with_it, without, own in zip(whole, plain, extra, strict=True):
        np.testing.assert_allclose(with_it, without + tf.convert_to_tensor(own), atol=1e-6)
