"""Times of calls in turns."""

import numpy as np
import pytest

from training.promotion.latency import LEAST_ROUNDS, ROUNDS, WARM_UPS, in_turns, latency, of_rounds
from training.promotion.resampling import log_ratio


def test_calls_take_turns_and_warm_ups_are_not_counted():
    calls = []
    rounds = in_turns(lambda: calls.append("new"), lambda: calls.append("old"))
    assert rounds.shape == (ROUNDS, 2)
    assert len(calls) == 2 * (ROUNDS + WARM_UPS)
    assert calls[:4] == ["old", "new", "new", "old"]


def test_slow_calls_end_after_some_rounds(monkeypatch):
    monkeypatch.setattr("training.promotion.latency.SECONDS", 0.0)
    assert len(in_turns(lambda: None, lambda: None)) == LEAST_ROUNDS


def test_the_ratio_is_of_medians_and_one_slow_round_does_not_matter():
    random = np.random.default_rng(0)
    old = 1.0 + 0.01 * random.random(60)
    rounds = np.stack([1.3 * old, old], axis=1)
    rounds[7, 0] = 100.0
    drawn = of_rounds(rounds, 300, 0)
    assert drawn.old == np.median(old)
    ratio = log_ratio(drawn)
    assert np.exp(ratio.value) == pytest.approx(1.3, rel=0.01)
    assert ratio.ends(0.001)[0] > np.log(1.25)


def test_engines_are_timed(old, holdout, paired):
    rows = paired(old, old, holdout[:100])
    drawn = latency(rows.new, rows.old, "onnxruntime", 50, 0)
    assert drawn.name == "latency_ms"
    assert 0 < drawn.new < 100
    assert 0 < drawn.old < 100
