from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from ranker.encoding.layout import LayoutBuilder, NumberField, Periodic, Piecewise, TreeField
from ranker.layers import Embedding
from ranker.layers.number_embedding import NumberEmbeddings, PeriodicEmbedding, piecewise

PERIODIC = Periodic(frequencies=2, sigma=0.5, dimension=3)


def layout():
    builder = LayoutBuilder()
    builder.numbers("candidate", "plain", 1)
    builder.numbers("candidate", "filled", 2, Piecewise(2), flags=1)
    builder.numbers("candidate", "also", 1, Piecewise(2))
    builder.numbers("candidate", "waves", 2, PERIODIC)
    builder.numbers("context", "hour", 2, PERIODIC, flags=1)
    return builder.build()


def test_piecewise_by_hand():
    found = piecewise(tf.constant([[0.0, 1.25], [2.0, 3.0]]), 3)
    np.testing.assert_allclose(found, [[0, 0, 0, 1, 0.25, 0], [1, 1, 0, 1, 1, 1]])


def test_periodic_by_hand():
    layer = PeriodicEmbedding(1, Periodic(frequencies=1, sigma=1.0, dimension=2), name="x")
    layer.frequencies.assign([[0.25]])
    layer.kernel.assign([[[1.0, -1.0], [0.0, 2.0]]])
    layer.bias.assign([[0.5, 0.5]])
    quarter = layer(tf.constant([[1.0]]))  # sin(pi / 2) = 1, cos = 0
    np.testing.assert_allclose(quarter, [[1.5, 0.0]], atol=1e-6)
    np.testing.assert_allclose(layer(tf.constant([[0.0]])), [[0.5, 2.5]], atol=1e-6)


def test_frequencies_are_drawn_with_sigma_and_trained():
    layer = PeriodicEmbedding(50, Periodic(frequencies=40, sigma=0.3, dimension=2), name="x")
    assert np.std(layer.frequencies.numpy()) == pytest.approx(0.3, rel=0.1)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(tf.random.stateless_normal([4, 50], seed=[1, 2])))
    assert all(np.abs(gradient).sum() > 0 for gradient in tape.gradient(loss, layer.trainable_variables))


def test_columns_are_in_the_order_of_the_fields_and_as_wide_as_the_layout_says():
    fields = layout().candidate.numbers
    assert [field.width for field in fields] == [1, 3, 2, 6]
    layer = NumberEmbeddings(fields, name="numbers")
    numbers = np.array([[5.0, 1.5, 1.0, 0.5, -1.0, 2.0]], dtype=np.float32)
    found = layer(tf.constant(numbers)).numpy()
    np.testing.assert_allclose(found[0, :6], [5, 1, 0.5, 1, 0.5, 0])  # plain, two bins and a flag, two bins
    np.testing.assert_allclose(found[:, 6:], layer.periodic["waves"](tf.constant(numbers[:, 4:])))


def test_blended_tree_scores_are_left_out():
    score = TreeField("tree_score(click)", 2, 1, "click", 0.0, 1.0, blend=0.5)
    layer = NumberEmbeddings([NumberField("plain", 0, 2), score], name="numbers")
    np.testing.assert_array_equal(layer(tf.constant([[1.0, 2.0, 3.0]])), [[1, 2]])
    assert NumberEmbeddings([score], name="alone")(tf.ones([4, 3])).shape == (4, 0)
    assert replace(score, blend=None).width == 1


def test_both_sides_of_an_embedding_have_their_own():
    places = layout()
    layer = Embedding(places)
    assert places.widths() == (0, 2, 0, 6)
    inputs = {"context_numbers": tf.ones([1, 2]), "candidate_numbers": tf.ones([4, 6])}
    (sides,) = layer(inputs)
    assert sides.context.shape == (1, 4)
    assert sides.candidate.shape == (4, 12)
    assert sides.context[0, 3] == 1  # the flag
    assert [places.places()[1][name] for name in ("plain", "filled", "also", "waves")] == [
        (0, 1),
        (1, 3),
        (4, 2),
        (6, 6),
    ]
    assert len(layer.dense_variables) == 6  # frequencies, weights and biases of two features


def test_numbers_without_an_embedding_stay_as_they_are():
    builder = LayoutBuilder()
    builder.numbers("candidate", "plain", 2)
    numbers = tf.constant([[3.0, 4.0]])
    assert NumberEmbeddings(builder.build().candidate.numbers, name="numbers")(numbers) is numbers
