import numpy as np
import tensorflow as tf

from ranker.layers.batch_normalisation import BatchNormalisation


def test_it_is_keras_layer_on_one_replica():
    inputs = tf.constant(np.random.default_rng(0).normal(2, 3, (16, 5)), tf.float32)
    own, keras = BatchNormalisation(momentum=0.9), tf.keras.layers.BatchNormalization(momentum=0.9)
    for training in (True, True, False):
        np.testing.assert_array_equal(own(inputs, training=training), keras(inputs, training=training))
    for mine, theirs in zip(own.variables, keras.variables, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-6)


def test_replicas_share_the_statistics(mirrored):
    rows = np.random.default_rng(0).normal(2, 3, (6, 2)).astype(np.float32)
    alone = BatchNormalisation()
    whole = alone(rows, training=True)
    with mirrored.scope():
        layer = BatchNormalisation()
        layer.build(rows.shape)

    def own():
        first = tf.distribute.get_replica_context().replica_id_in_sync_group == 0
        return layer(tf.cond(first, lambda: rows[:6], lambda: rows[6:]), training=True)

    first, second = mirrored.experimental_local_results(mirrored.run(own))
    np.testing.assert_allclose(first, whole, rtol=1e-5)
    assert second.shape == (0, 2)
    for mine, theirs in zip(layer.variables, alone.variables, strict=True):
        for copy in mirrored.experimental_local_results(mine):
            np.testing.assert_allclose(copy, theirs, rtol=1e-5)
