import numpy as np
import pytest
import tensorflow as tf

from ranker.layers.gating.rules import RULES, dselect_k, smooth_step, top_k


@pytest.mark.parametrize("rule", list(RULES))
@pytest.mark.parametrize("experts", range(1, 10))
def test_weights_of_a_row_sum_to_one(rule, experts):
    for k in (1, 2, 4):
        outputs = tf.constant(np.random.default_rng(0).normal(size=(5, RULES[rule].width(experts, k))), tf.float32)
        weights = RULES[rule].weights(outputs, experts, k).numpy()
        assert weights.shape == (5, experts)
        assert weights.min() >= 0
        np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-5)


def test_top_k_by_hand():
    logits = tf.constant([[1.0, np.log(3.0) + 1, -5.0, 0.5]])
    np.testing.assert_allclose(top_k(logits, 4, 2), [[0.25, 0.75, 0, 0]], rtol=1e-6)
    np.testing.assert_allclose(top_k(logits, 4, 9), tf.nn.softmax(logits))


def test_the_smooth_step_by_hand():
    np.testing.assert_allclose(smooth_step(tf.constant([-9.0, -0.5, 0.0, 0.25, 0.5, 9.0])), [0, 0, 0.5, 0.84375, 1, 1])


def test_dselect_k_picks_the_experts_that_its_codes_name():
    on, off = 5.0, -5.0
    # selector 1 says binary 01, expert 1; selector 2 says 10 (lowest bit first: off, on), expert 2
    outputs = tf.constant([[on, off, off, on, 0.0, np.log(4.0)]])
    np.testing.assert_allclose(dselect_k(outputs, 4, 2), [[0, 0.2, 0.8, 0]], rtol=1e-6)


def test_a_code_beyond_the_last_expert_wraps_around():
    outputs = tf.constant([[5.0, 5.0, 0.0]])  # one selector, code 3, of 3 experts
    np.testing.assert_allclose(dselect_k(outputs, 3, 1), [[1, 0, 0]])
