import numpy as np
import tensorflow as tf

from training.distribution.step_logs import StepLogs


def test_the_chief_reads_what_a_step_has_written():
    logs = StepLogs(3)

    @tf.function(autograph=False)
    def step(number):
        logs.write(number, {"losses": tf.cast(tf.stack([number, 7]), tf.float32), "gramian": tf.eye(2)})

    for number in range(5):
        step(tf.constant(number, tf.int64))
    for number in (2, 3, 4):
        found = logs.read(number)
        np.testing.assert_array_equal(found["losses"], np.array([number, 7], np.float32))
        assert found["losses"].dtype == np.float32
        np.testing.assert_array_equal(found["gramian"], np.eye(2))
