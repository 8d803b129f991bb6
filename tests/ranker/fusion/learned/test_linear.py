import numpy as np
import pytest
from scipy.special import expit

from ranker.fusion.learned.linear import Linear, fit_linear

RNG = np.random.default_rng(0)
ROWS = 20_000
SCORES = np.exp(RNG.normal(-1.0, 0.7, (ROWS, 3)))
ONES = np.ones(ROWS)


def test_a_sum_by_hand():
    made = Linear(0.5, np.array([2.0, 0.0]), np.array([0.0, -1.0]))
    np.testing.assert_allclose(made([[0.25, np.e]] * np.ones((2, 1))), [0.0, 0.0], atol=1e-12)
    assert made(np.array([[0.0, 0.0]]))[0] == pytest.approx(0.5 - np.log(1e-9))
    again = Linear.from_dict(made.to_dict())
    np.testing.assert_array_equal(again(SCORES[:, :2]), made(SCORES[:, :2]))


def test_log_loss_recovers_the_log_odds():
    truth = Linear(-1.0, np.array([1.5, 0.0, -0.5]), np.array([0.0, 0.8, 0.0]))
    labels = (RNG.random(ROWS) < expit(truth(SCORES))).astype(float)
    found = fit_linear(SCORES, labels, ONES, None, ())
    assert np.sqrt(np.mean((found(SCORES) - truth(SCORES)) ** 2)) < 0.08
    soft = fit_linear(SCORES, expit(truth(SCORES)), ONES, None, ())  # labels that are probabilities
    assert np.sqrt(np.mean((soft(SCORES) - truth(SCORES)) ** 2)) < 0.02


def test_a_weight_of_two_equals_repeating_the_row():
    labels = (RNG.random(ROWS) < 0.3).astype(float)
    rows = slice(0, 2000)
    twice = fit_linear(*(np.concatenate([a[rows], a[rows]]) for a in (SCORES, labels, ONES)), None, ())
    weighed = fit_linear(SCORES[rows], labels[rows], 2 * ONES[rows], None, ())
    np.testing.assert_allclose(weighed(SCORES), twice(SCORES), atol=1e-3)


def test_softmax_recovers_the_utility_within_requests():
    requests = np.arange(ROWS) // 10
    worth = 2.0 * np.log(SCORES[:, 0]) + SCORES[:, 1]
    chosen = worth + RNG.gumbel(size=ROWS)  # a choice by softmax of the worth
    labels = np.zeros(ROWS)
    labels[np.arange(0, ROWS, 10) + chosen.reshape(-1, 10).argmax(axis=1)] = 1.0
    found = fit_linear(SCORES, labels, ONES, requests, ())
    assert found.bias == 0
    assert np.corrcoef(found(SCORES), worth)[0, 1] > 0.995
    shifted = fit_linear(SCORES, labels, ONES, requests[::-1] * 3, ())  # codes in any order, not all of them used
    np.testing.assert_allclose(shifted(SCORES), fit_linear(SCORES, labels, ONES, requests[::-1], ())(SCORES), atol=1e-6)


def test_increasing_objectives_have_no_negative_weight():
    labels = (RNG.random(ROWS) < expit(1 - 3 * SCORES[:, 0])).astype(float)
    free, held = (fit_linear(SCORES, labels, ONES, None, names) for names in ((), (0,)))
    assert free.score[0] < 0
    assert (held.score[0], held.log[0]) == (0.0, 0.0)


def test_a_constant_column_gets_no_weight():
    flat = np.column_stack([SCORES[:, 0], np.full(ROWS, 0.3)])
    found = fit_linear(flat, (RNG.random(ROWS) < 0.5).astype(float), ONES, None, ())
    assert (found.score[1], found.log[1]) == (0.0, 0.0)
