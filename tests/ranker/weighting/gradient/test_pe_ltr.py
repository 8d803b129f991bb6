import numpy as np
import pytest
import tensorflow as tf

from ranker.schema import Binary
from ranker.weighting import PELTR

TASKS = {"click": Binary(kind="binary"), "like": Binary(kind="binary")}
OPPOSED = tf.constant([[4.0, -1.0], [-1.0, 1.0]])


def weights(**options):
    method = PELTR(PELTR.Options(**options))
    method.build(TASKS)
    return method.weights(tf.zeros([2]), OPPOSED).numpy()


def test_by_hand():
    # d/dw of 4 w^2 - 2 w (1 - w) + (1 - w)^2 is 14 w - 4: w = 2/7
    np.testing.assert_allclose(weights(), [2 / 7, 5 / 7], rtol=1e-6)


def test_bounds_hold_for_all_and_by_name():
    np.testing.assert_allclose(weights(bounds=0.4), [0.4, 0.6], rtol=1e-6)
    np.testing.assert_allclose(weights(bounds={"click": 0.5}), [0.5, 0.5], rtol=1e-6)
    np.testing.assert_allclose(weights(bounds=0.1), [2 / 7, 5 / 7], rtol=1e-6)


def test_the_relaxation_agrees_where_no_bound_is_active():
    np.testing.assert_allclose(weights(bounds=0.1, solver="relaxation"), [2 / 7, 5 / 7], rtol=1e-6)


def test_a_task_without_labels_in_the_batch_gets_nothing():
    gramian = tf.constant([[4.0, 0.0], [0.0, 0.0]])
    np.testing.assert_array_equal(PELTR().weights(tf.zeros([2]), gramian), [1, 0])


def test_bounds_that_leave_no_solution_are_refused():
    with pytest.raises(ValueError, match=r"bounds must sum to at most 1, .* got 1\.2"):
        PELTR(PELTR.Options(bounds=0.6)).build(TASKS)


def test_an_unknown_task_is_named_with_the_nearest():
    with pytest.raises(ValueError, match="unknown task 'clik'; did you mean 'click'"):
        PELTR(PELTR.Options(bounds={"clik": 0.1})).build(TASKS)
