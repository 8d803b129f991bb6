import numpy as np
import pytest
import tensorflow as tf

from ranker.layers import GateReading
from training.evaluation.gates import alignments, report

RANDOM = np.random.default_rng(0)


def outputs(*shapes):
    return [tf.constant(RANDOM.normal(size=shape), tf.float32) for shape in shapes]


def test_means_and_entropy_by_hand():
    experts = outputs((2, 3), (2, 3))
    weights = tf.constant([[1.0, 0.0], [0.5, 0.5]])
    (view,) = report([GateReading("gate", ("a", "b"), weights, experts)]).gates
    assert view.experts == ("a", "b")
    assert view.weights == (0.75, 0.25)
    assert view.entropy == pytest.approx(0.5)  # one row sure, one even


def test_an_expert_that_several_gates_weigh_counts_once_and_levels_are_told_apart():
    first, second, other = outputs((9, 3), (9, 3), (9, 3))
    even = tf.fill([9, 2], 0.5)
    seen = report(
        [
            GateReading("level", ("shared_0", "own"), even, [first, second]),
            GateReading("last", ("shared_0", "own"), even, [other, second]),
        ]
    )
    assert seen.gates[1].experts == ("shared_0 (2)", "own")
    assert set(seen.silence) == {"shared_0", "own", "shared_0 (2)"}


def test_alignment_is_1_up_to_rotation_and_near_0_for_what_is_unrelated():
    x = RANDOM.normal(size=(256, 5))
    rotation, _ = np.linalg.qr(RANDOM.normal(size=(5, 5)))
    alike = alignments([x, 3 * x @ rotation + 1, RANDOM.normal(size=(256, 5)), np.ones((256, 5))])
    np.testing.assert_allclose(alike[0, :2], 1, rtol=1e-5)
    assert alike[0, 2] < 0.05
    np.testing.assert_array_equal(alike[3], np.zeros(4))


def test_alignment_is_the_feature_forms():
    x, y = RANDOM.normal(size=(200, 3)), RANDOM.normal(size=(200, 6))
    y[:, :2] += x[:, :2]
    a, b = x - x.mean(axis=0), y - y.mean(axis=0)
    expected = np.linalg.norm(a.T @ b) ** 2 / (np.linalg.norm(a.T @ a) * np.linalg.norm(b.T @ b))
    assert alignments([x, y])[0, 1] == pytest.approx(expected, rel=1e-4)


def test_an_even_gate_of_many_experts_is_healthy():
    experts = outputs(*[(300, 4)] * 64)
    names = tuple(f"e{i}" for i in range(64))
    assert report([GateReading("gate", names, tf.fill([300, 64], 1 / 64), experts)]).warnings() == []


def test_collapse_is_said_with_what_to_try():
    heard, copy, silent = outputs((50, 4), (50, 4), (50, 4))
    copy, silent = 2.0 * heard, 0.0 * silent
    weights = tf.constant([[0.6, 0.395, 0.005]] * 50)
    lines = report([GateReading("gate", ("heard", "copy", "silent"), weights, [heard, copy, silent])]).warnings()
    assert len(lines) == 3
    assert lines[0].startswith("expert silent gets less than a tenth of a uniform weight at every gate: try")
    assert "heard and copy are redundant" in lines[1]
    assert "expert silent is silent: 100% of its outputs are 0" in lines[2]


def test_healthy_experts_need_no_warning():
    experts = outputs((500, 4), (500, 4))
    assert report([GateReading("gate", ("a", "b"), tf.fill([500, 2], 0.5), experts)]).warnings() == []


def test_no_gate_no_report():
    assert report([]).to_dict() == {"gates": [], "similarity": {}, "silence": {}, "warnings": []}
