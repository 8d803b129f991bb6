"""What every interaction promises."""

import numpy as np
import pytest
import tensorflow as tf

from ranker.encoding.layout import LayoutBuilder
from ranker.layers import Sides, join
from ranker.layers.interaction import INTERACTIONS, DotsInteraction, FMInteraction

EVERY = pytest.mark.parametrize("name", list(INTERACTIONS))
RANDOM = np.random.default_rng(0)
CONTEXT, CANDIDATE = (tf.constant(RANDOM.normal(size=s).astype(np.float32)) for s in ((1, 3), (5, 5)))


def layout(width=2):
    builder = LayoutBuilder()
    for name, side, size in (("user", "context", 2), ("item", "candidate", width), ("tag", "candidate", 2)):
        builder.table(name, 3, size)
        builder.ids(side, name, name)
    builder.numbers("context", "age", 1)
    builder.numbers("candidate", "price", 1)
    return builder.build()


@EVERY
def test_the_context_stays_one_row(name):
    layer = INTERACTIONS[name](layout())
    split = layer(Sides(CONTEXT, CANDIDATE))
    joined = layer(Sides(tf.repeat(CONTEXT, 5, axis=0), CANDIDATE))
    assert split.context.shape == (1, 3)
    np.testing.assert_allclose(join(split), join(joined), atol=1e-6)


@EVERY
def test_gradients_reach_inputs_and_parameters(name):
    layer = INTERACTIONS[name](layout())
    with tf.GradientTape() as tape:
        tape.watch([CONTEXT, CANDIDATE])
        total = tf.reduce_sum(join(layer(Sides(CONTEXT, CANDIDATE))) ** 2)
    assert all(g is not None for g in tape.gradient(total, [CONTEXT, CANDIDATE, *layer.trainable_variables]))


@EVERY
def test_the_wide_part_is_among_the_layers_variables(name):
    layer = INTERACTIONS[name](layout())
    layer(Sides(CONTEXT, CANDIDATE))
    assert {v.ref() for v in layer.wide_variables} <= {v.ref() for v in layer.trainable_variables}


def test_the_wide_part_of_fm_is_its_first_order_term():
    layer = FMInteraction(layout())
    layer(Sides(CONTEXT, CANDIDATE))
    assert [v.shape.as_list() for v in layer.wide_variables] == [[3, 1], [5, 1], [1]]


def test_dot_products_by_hand():
    layer = DotsInteraction(layout())
    context = tf.constant([[1.0, 2.0, 7.0]])  # user (1, 2), age 7
    candidate = tf.constant([[3.0, 4.0, 5.0, 6.0, 9.0]])  # item (3, 4), tag (5, 6), price 9
    crossed = layer(Sides(context, candidate)).candidate.numpy()[0]
    np.testing.assert_array_equal(crossed[:5], candidate[0])
    # below the diagonal: user-item 3 + 8, user-tag 5 + 12, item-tag 15 + 24
    assert sorted(crossed[5:][crossed[5:] != 0].tolist()) == [11, 17, 39]


def test_dot_products_of_different_widths_are_rejected():
    with pytest.raises(ValueError, match=r"one width, got the widths \[2, 3\]"):
        DotsInteraction(layout(width=3))


def test_fm_by_hand():
    layer = FMInteraction(layout())
    context = tf.constant([[1.0, 2.0, 7.0]])  # user (1, 2), age 7
    candidate = tf.constant([[3.0, 4.0, 5.0, 6.0, 9.0]])  # item (3, 4), tag (5, 6), price 9
    layer(Sides(context, candidate))
    for kernel, weight in zip(layer.linear.kernels, (1.0, 2.0), strict=True):
        kernel.assign(tf.fill(kernel.shape, weight))
    crossed = layer(Sides(context, candidate)).candidate.numpy()[0]
    # first order 10 + 2 * 27; second 1 * 3 + 1 * 5 + 3 * 5 and 2 * 4 + 2 * 6 + 4 * 6
    np.testing.assert_allclose(crossed[5:], [64, 23, 44])


def test_fm_does_not_mix_widths():
    crossed = FMInteraction(layout(width=3))(Sides(CONTEXT, tf.ones([5, 6])))
    assert crossed.candidate.shape == (5, 6 + 1 + 2 + 3)
