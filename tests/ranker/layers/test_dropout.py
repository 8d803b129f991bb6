import numpy as np
import pytest
import tensorflow as tf

from ranker.layers import Dropout

ONES = tf.ones([200, 50])


def test_dropout_keeps_the_mean_and_draws_new_masks():
    layer = Dropout(0.25)
    first, second = layer(ONES, training=True).numpy(), layer(ONES, training=True).numpy()
    assert np.unique(first).tolist() == [0, pytest.approx(4 / 3)]
    assert first.mean() == pytest.approx(1, abs=0.03)
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(layer(ONES), ONES)


def test_a_restored_counter_continues_the_same_draws(tmp_path):
    layer = Dropout(0.5, name="drop")
    layer(ONES, training=True)
    path = tf.train.Checkpoint(layer=layer).write(str(tmp_path / "state"))
    expected = layer(ONES, training=True)
    other = Dropout(0.5, name="drop")
    other.build(ONES.shape)
    tf.train.Checkpoint(layer=other).read(path).assert_consumed()
    np.testing.assert_array_equal(other(ONES, training=True), expected)


def test_layers_with_different_names_draw_differently():
    drawn = [Dropout(0.5, name=name)(ONES, training=True).numpy() for name in ("a", "b")]
    assert not np.array_equal(*drawn)


def test_a_rate_of_one_is_rejected():
    with pytest.raises(ValueError, match=r"rate must be in \[0, 1\), got 1"):
        Dropout(1)
