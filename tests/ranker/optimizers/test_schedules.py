import numpy as np
import pytest
import tensorflow as tf

from ranker.optimizers import SCHEDULES, learning_rate


def rates(steps, **options):
    step = tf.Variable(0, dtype=tf.int64)
    rate = learning_rate(step, 2.0, steps=steps, **options)
    found = []
    for at in range(steps + 1):
        step.assign(at)
        found.append(float(rate()))
    return found


def test_by_hand():
    assert rates(2) == [2.0, 2.0, 2.0]
    np.testing.assert_allclose(rates(2, schedule="cosine", final=0.5), [2.0, 1.5, 1.0])
    np.testing.assert_allclose(rates(2, schedule="exponential", final=0.25), [2.0, 1.0, 0.5])


@pytest.mark.parametrize("schedule", list(SCHEDULES))
def test_a_warm_up_goes_before(schedule):
    warm = rates(12, schedule=schedule, warmup=4)
    np.testing.assert_allclose(warm[:4], [0.5, 1.0, 1.5, 2.0])
    np.testing.assert_allclose(warm[4:], rates(8, schedule=schedule), rtol=1e-6)


@pytest.mark.parametrize("schedule", list(SCHEDULES))
def test_after_the_last_step_it_stays(schedule):
    step = tf.Variable(1000, dtype=tf.int64)
    rate = learning_rate(step, 2.0, schedule, steps=10, warmup=3, final=0.1)
    assert float(rate()) == pytest.approx(2.0 if schedule == "constant" else 0.2)


def test_a_warm_up_that_leaves_no_step_is_refused():
    with pytest.raises(ValueError, match="fewer than the run's 10 steps, got 10"):
        learning_rate(tf.Variable(0), 1.0, steps=10, warmup=10)
