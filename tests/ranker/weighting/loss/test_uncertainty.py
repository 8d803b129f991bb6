import numpy as np
import pytest
import tensorflow as tf

from ranker.schema import Binary, Regression
from ranker.weighting import Uncertainty

TASKS = {"click": Binary(kind="binary"), "watch": Regression(kind="regression")}


def test_objective_and_gradients_by_hand():
    method = Uncertainty()
    method.build(TASKS)
    method.log_variances.assign([0.5, -0.2])
    losses = tf.constant([0.7, 4.0])
    click, watch = np.exp(-0.5), np.exp(0.2)
    assert float(method.objective(losses)) == pytest.approx(click * 0.7 + 0.5 + watch * 4 / 2 - 0.2 / 2, rel=1e-6)
    balance = method.balance(losses, None)
    np.testing.assert_allclose(balance.shared, [click, watch / 2], rtol=1e-6)
    np.testing.assert_allclose(balance.own[0], [1 - click * 0.7, 0.5 - watch * 4 / 2], rtol=1e-5)


def test_the_variances_settle_at_the_losses():
    method = Uncertainty()
    method.build(TASKS)
    losses = tf.constant([0.7, 4.0])
    for _ in range(400):
        method.log_variances.assign_sub(0.1 * method.balance(losses, None).own[0])
    np.testing.assert_allclose(np.exp(method.log_variances), [0.7, 4.0], rtol=1e-3)
