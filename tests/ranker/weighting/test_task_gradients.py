import numpy as np
import pytest
import tensorflow as tf

from ranker.model import RankingModel
from ranker.weighting import PELTR, WEIGHTINGS, Balance, GradientBalancer
from tests.ranker.models import TRAINABLE, batch_of, model_of


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


def balanced_by(model, weighting):
    """The same layers with another balancing method, compiled to keep its gradients."""
    parts = (model.schema, model.embedding, model.interactions, model.architecture)
    other = RankingModel(*parts, weighting, funnel=model.funnel)
    other.compile(optimizer=Keep())
    return other


@pytest.mark.parametrize("name", TRAINABLE)
def test_the_combination_is_the_gradient_of_the_weighted_sum(rows, name):
    weights, batch = [0.5, 0.2, 0.3], batch_of(rows)
    model = model_of(rows, name, l2=0.01, activation="tanh")
    with tf.GradientTape() as tape:
        losses = model.compute_loss(batch, training=True)
        penalties = [*model.embedding.losses, *model.architecture.trunk.losses]
        total = tf.add_n([w * loss for w, loss in zip(weights, losses, strict=True)]) + tf.add_n(penalties)
    variables = model.trainable_variables
    expected = [tf.convert_to_tensor(gradient) for gradient in tape.gradient(total, variables)]
    ways = ["representation", "shared", "shared_with_embeddings"]
    for way in ways[:1] if name in WITHOUT_SHARED_LAYERS else ways:
        balanced = balanced_by(model, Fixed(weights, way))
        balanced.train_step(batch)
        for variable, gradient in zip(variables, expected, strict=True):
            kept = balanced.optimizer.kept[variable.ref()]
            np.testing.assert_allclose(kept, gradient, atol=1e-6, err_msg=f"{way}: {variable.name}")


@pytest.mark.parametrize("name", ["shared_bottom", "mmoe", "ple", "stem"])
def test_the_gramian_of_shared_variables_is_exact_and_with_embeddings_that_of_whole_tables(rows, name):
    model, batch = model_of(rows, name), batch_of(rows)
    with tf.GradientTape(persistent=True) as tape:
        losses = model.compute_loss(batch, training=True)
    for way, variables in (
        ("shared", model.architecture.trunk.trainable_variables),
        ("shared_with_embeddings", model.shared_variables),
    ):
        balanced = balanced_by(model, Fixed([1.0, 1.0, 1.0], way))
        balanced.train_step(batch)
        flat = []
        for loss in losses:
            gradients = tape.gradient(loss, variables, unconnected_gradients="zero")
            flat.append(np.concatenate([tf.convert_to_tensor(g).numpy().ravel() for g in gradients]))
        expected = np.array(flat) @ np.array(flat).T
        np.testing.assert_allclose(balanced.weighting.gramian, expected, rtol=1e-3, atol=1e-9, err_msg=way)


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
