import numpy as np
import pytest
import tensorflow as tf

from ranker.schema import Binary
from ranker.weighting import Static

TASKS = {"click": Binary(kind="binary"), "like": Binary(kind="binary")}


def test_the_seed_is_the_weights():
    method = Static(Static.Options(weights={"like": 3.0}))
    method.build(TASKS)
    balance = method.balance(tf.constant([0.3, 0.2]), None)
    np.testing.assert_array_equal(balance.shared, [1, 3])
    assert float(method.objective(tf.constant([0.3, 0.2]))) == pytest.approx(0.9)


def test_a_negative_weight_is_refused():
    with pytest.raises(ValueError, match="greater than or equal to 0"):
        Static.Options(weights=-1)
