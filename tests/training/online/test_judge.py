"""Gains and errors of sets, by hand and against simulation."""

import numpy as np
import pytest

from training.config.online import Guardrail
from training.experiments.unit_sums import RatioSums, UnitSums
from training.online.judge import gains, told, told_over_rounds
from training.online.observed import Observed

GROUPS = ["control", "s1"]


def observed(keys, group, reward, requests=None, groups=GROUPS) -> Observed:
    requests = np.ones(len(keys)) if requests is None else np.asarray(requests, dtype=float)
    sums = UnitSums(
        groups, np.asarray(group, dtype=np.intp), {"reward": RatioSums(np.asarray(reward, float), requests)}
    )
    return Observed(sums, np.asarray(keys), requests)


def test_a_set_is_told_by_its_gain_and_both_errors() -> None:
    reward = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0] * 2 + [3.0, 5.0] * 6
    one = observed(range(24), [0] * 12 + [1] * 12, reward)
    gain, own, control = told(one)["s1"]
    assert gain == pytest.approx(0.5)
    assert own == pytest.approx(np.std([3.0, 5.0] * 6, ddof=1) / np.sqrt(12))
    assert control == pytest.approx(np.std(reward[:12], ddof=1) / np.sqrt(12))
    assert told_over_rounds([one])["s1"] == pytest.approx((gain, own, control))


def test_nothing_is_told_of_a_set_that_was_hardly_seen() -> None:
    one = observed(range(21), [0] * 20 + [1], np.arange(21.0))
    assert told(one)["s1"] == (None, None, None)
    assert told_over_rounds([one, one])["s1"] == (None, None, None)


def test_a_drift_between_rounds_cancels_out_whatever_the_shares() -> None:
    random = np.random.default_rng(0)
    first = observed(range(4000), np.arange(4000) % 4 == 0, random.normal(0, 0.1, 4000))
    second = observed(range(9000, 13000), np.arange(4000) % 4 != 0, 5.0 + random.normal(0, 0.1, 4000))
    gain, own, control = told_over_rounds([first, second])["s1"]
    assert abs(gain) < 3 * np.hypot(own, control) < 0.02
    pooled = observed(range(8000), np.r_[first.sums.group, second.sums.group], np.r_[rewards(first), rewards(second)])
    assert told(pooled)["s1"][0] > 2


def breaks(one: Observed, **guardrail) -> bool:
    return gains(one, "reward", 0.05, guardrail=Guardrail(metric="m / users", **guardrail))["s1"].broken


def rewards(one: Observed):
    return one.sums.metrics["reward"].numerator


def test_errors_of_units_that_come_back_do_not_average_out() -> None:
    """Over simulated pairs of rounds, the error that is told equals the deviation of the gain."""
    random, found = np.random.default_rng(1), []
    for _ in range(300):
        taste, group = random.normal(0, 1, 400), np.arange(400) % 2
        rounds = [observed(range(400), group, taste + random.normal(0, 0.2, 400)) for _ in range(3)]
        found.append(told_over_rounds(rounds)["s1"])
    gain, own, control = np.array(found).T
    assert np.hypot(own, control).mean() == pytest.approx(gain.std(), rel=0.1)
    assert own.mean() == pytest.approx(1.02 / np.sqrt(200), rel=0.05)


def test_a_guardrail_breaks_if_the_whole_interval_is_beyond_the_accepted_loss() -> None:
    random = np.random.default_rng(2)
    one = observed(range(2000), np.arange(2000) % 2, 1.0 - 0.1 * (np.arange(2000) % 2) + random.normal(0, 0.1, 2000))
    gain = gains(one, "reward", 0.05)["s1"]
    assert gain.low < -0.1 < gain.high < -0.085
    assert {loss: breaks(one, most_loss=loss) for loss in (0.0, 0.05, 0.1, 0.2)} == {
        0.0: True, 0.05: True, 0.1: False, 0.2: False,
    }  # fmt: skip
    assert not breaks(one, better="less")
    more = observed(range(2000), 1 - one.sums.group, rewards(one))
    assert breaks(more, better="less", most_loss=0.05)
    assert not breaks(more)


def test_a_guardrail_breaks_though_control_hardly_has_any_events() -> None:
    reports = np.r_[np.arange(5000) < 3, np.arange(5000) < 300].astype(float)
    one = observed(range(10_000), np.arange(10_000) // 5000, reports)
    assert gains(one, "reward", 0.05)["s1"].low is None  # control's share may be 0
    assert breaks(one, better="less", most_loss=0.5)
    assert not breaks(one, better="more")
    none = observed(range(10_000), np.arange(10_000) // 5000, np.where(np.arange(10_000) < 5000, 0.0, reports))
    assert breaks(none, better="less", most_loss=0.5)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_units_that_are_all_alike_are_not_known_without_an_error(share) -> None:
    reward = np.r_[np.arange(100) % 2, np.full(100, share)]
    one = observed(range(200), np.arange(200) // 100, reward)
    for found in (told(one), told_over_rounds([one])):
        gain, own, control = found["s1"]
        assert gain == pytest.approx(share - 0.5)
        assert own == control > 0
